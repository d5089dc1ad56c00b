package testbed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/rogpeppe/go-internal/testscript"

	"tkafka/pkg/embedded"
)

// promisesAtOnce is how many members are held to their word at a time. A real cluster lets each new
// group wait three seconds for more members.
const promisesAtOnce = 10

// promise runs a member of a group many times over. The moment it says which partitions it holds, a
// message goes to one of them, and the member must print it. In the arguments, % stands for the
// number of the run, so that each has a group without committed offsets.
func promise(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: promise TIMES PROGRAM [ARG...]")
	}
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	b := bedOf(ts)
	var working sync.WaitGroup
	var broken atomic.Pointer[error]
	free := make(chan struct{}, promisesAtOnce)
	for number := 0; number < times && broken.Load() == nil; number++ {
		var line []string
		for _, arg := range args[1:] {
			line = append(line, strings.ReplaceAll(arg, "%", strconv.Itoa(number)))
		}
		p := newProcess(ts, line)
		free <- struct{}{}
		working.Go(func() {
			if err := p.keepPromise(b, number); err != nil {
				err = fmt.Errorf("%q: %w\n%s%s", line, err, &p.stdout, &p.stderr)
				broken.Store(&err)
			}
			<-free
		})
	}
	working.Wait()
	if err := broken.Load(); err != nil {
		ts.Fatalf("%v", *err)
	}
}

func (p *process) keepPromise(b *bed, number int) error {
	if err := p.start(); err != nil {
		return err
	}
	defer p.kill()
	if _, err := p.await(&p.stderr, "assigned 16 of 16 partitions: 0-15$"); err != nil {
		return err
	}
	text := fmt.Sprintf("message %d", number)
	if err := b.produce(context.Background(), int32(number%embedded.DefaultPartitions), nil, text); err != nil {
		return err
	}
	if _, err := p.await(&p.stdout, text+"$"); err != nil {
		return err
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	<-p.ended
	if !p.cmd.ProcessState.Success() {
		return errors.New(p.cmd.ProcessState.String())
	}
	return nil
}
