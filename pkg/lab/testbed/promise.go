package testbed

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/group"
	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/process"
)

// promisesAtOnce is how many members run at a time. On a real cluster each new group waits three
// seconds for more members.
const promisesAtOnce = 10

// promise runs a member many times. In its arguments, % stands for the number of the run, so that
// each run can have a group without committed offsets.
func (s *state) promise(args []string) {
	times := s.number(args[0])
	var running sync.WaitGroup
	var failed atomic.Pointer[error]
	free := make(chan struct{}, promisesAtOnce)
	for number := 0; number < times && failed.Load() == nil; number++ {
		var line []string
		for _, arg := range args[1:] {
			line = append(line, strings.ReplaceAll(arg, "%", fmt.Sprint(number)))
		}
		p := s.newProcess(line)
		free <- struct{}{}
		running.Go(func() {
			if err := s.checkPromise(p, number); err != nil {
				err = fmt.Errorf("%q: %w\n%s%s", line, err, &p.Stdout, &p.Stderr)
				failed.Store(&err)
			}
			<-free
		})
	}
	running.Wait()
	if err := failed.Load(); err != nil {
		s.ts.Fatalf("%v", *err)
	}
}

// checkPromise runs a member. When the member reports its partitions, a message goes to one of them.
// The member must print it.
func (s *state) checkPromise(p *process.Process, number int) error {
	if err := p.Start(); err != nil {
		return err
	}
	defer p.Kill()
	assigned := group.Assigned
	match, err := p.Await(&p.Stderr, assigned, Timeout)
	if err != nil {
		return err
	}
	if match[assigned.SubexpIndex("count")] != match[assigned.SubexpIndex("total")] {
		return fmt.Errorf("the only member of the group has %q", match[0])
	}
	text := fmt.Sprintf("message %d", number)
	message := &kgo.Record{Partition: int32(number % broker.DefaultPartitions), Value: []byte(text)}
	if err := s.produce(context.Background(), message); err != nil {
		return err
	}
	if _, err := p.Await(&p.Stdout, regexp.MustCompile("(?m)"+text+"$"), Timeout); err != nil {
		return err
	}
	if err := p.Signal(os.Interrupt); err != nil {
		return err
	}
	status, err := p.Wait(Timeout)
	if err == nil && status != 0 {
		err = fmt.Errorf("ended with status %d", status)
	}
	return err
}
