package main

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/group"
	"tkafka/pkg/process"
)

// stage is a moment at which consumercommit is stopped.
type stage struct {
	name string
	line *regexp.Regexp // that it has just printed on standard output; nil for other moments
}

const atCommit = "when its commit arrives"

var stages = []stage{
	{"while it starts", nil},
	{"when it has its partition", group.Assigned},
	{"when it has printed the message", regexp.MustCompile(`(?m)^Start Storing$`)},
	{"while it stores", regexp.MustCompile(`(?m)^Start Storing$`)},
	{"when it has stored", regexp.MustCompile(`(?m)^End Storing$`)},
	{atCommit, nil},
	{"when it has committed", regexp.MustCompile(`(?m)^Message committed$`)},
}

const storeTime = 10 * time.Millisecond

// stops stops consumercommit at every stage. Started again, it must print the same message or the next one.
func stops(a *arena, f *findings) (string, error) {
	b, err := a.brokers()
	if err != nil {
		return "", err
	}
	defer b.close()
	var mu sync.Mutex
	arrives := make(map[string]func()) // by group: what happens when a commit arrives
	b.Kfake().ControlKey(kmsg.OffsetCommit.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		name := request.(*kmsg.OffsetCommitRequest).Group
		if stop := arrives[name]; stop != nil {
			stop()
			delete(arrives, name)
		}
		return nil, nil, false
	})
	const lanes = 4
	var all sync.WaitGroup
	results := make([]stopped, lanes)
	errs := make([]error, lanes)
	for lane := range lanes {
		all.Go(func() {
			s := &results[lane]
			*s = stopped{f: f, last: -1, claimed: -1, random: rand.New(rand.NewPCG(60, uint64(lane)))}
			s.brokers, s.atCommit = b, func(stop func()) {
				mu.Lock()
				defer mu.Unlock()
				arrives[s.group] = stop
			}
			errs[lane] = s.run(lane, a.times(200, 40)/lanes)
		})
	}
	all.Wait()
	var sum stopped
	for _, s := range results {
		sum.same, sum.next, sum.gaps, sum.nothing = sum.same+s.same, sum.next+s.next, sum.gaps+s.gaps, sum.nothing+s.nothing
	}
	for _, err := range errs {
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d starts and stops at %d stages: it began %d times at the same offset and %d times at the next one, %d gaps; %d times it was stopped before it printed a message",
		f.times, len(stages), sum.same, sum.next, sum.gaps, sum.nothing), nil
}

// stopped is one topic with one partition, and a group that reads it. The value of a message is its offset.
type stopped struct {
	*brokers
	f            *findings
	topic, group string
	random       *rand.Rand
	atCommit     func(stop func()) // calls stop when the next commit of this group arrives; nil for never

	last, stored, claimed     int64 // offsets: printed, stored, and reported as committed
	same, next, gaps, nothing int
}

func (s *stopped) run(lane, times int) (err error) {
	if s.topic, err = s.brokers.topic(1); err != nil {
		return err
	}
	s.group, s.stored = s.arena.name("group"), -1
	var values []string
	for offset := range 20 * times {
		values = append(values, fmt.Sprint(offset))
	}
	if err := s.send(s.topic, values...); err != nil {
		return err
	}
	for i := range times {
		at := stages[(i+lane)%len(stages)]
		signal := []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL}[i/len(stages)%2]
		p, err := s.start("commitoffsets/consumercommit", s.topic, s.group, "--store-time", storeTime.String())
		if err != nil {
			return err
		}
		if err := s.stop(p, at, signal); err != nil {
			p.Kill()
			return fmt.Errorf("%s %s: %w: %s", signal, at.name, err, p.Stderr.String())
		}
		s.f.happened(1)
		s.check(p.Stdout.Lines(), s.committed(s.group, s.topic), fmt.Sprintf("%v %s", signal, at.name))
		if signal == syscall.SIGTERM && p.Status() != 0 && at.name != stages[0].name {
			s.f.fail("%v %s: status %d", signal, at.name, p.Status())
		}
		if signal == syscall.SIGTERM && len(s.members(s.group)) > 0 {
			s.f.fail("%v %s: it is still in its group", signal, at.name)
		}
		if err := s.evict(s.group, s.members(s.group)...); err != nil {
			return err
		}
	}
	return nil
}

// stop stops the program at the stage of its first, second or third message, and waits for its end.
func (s *stopped) stop(p *process.Process, at stage, signal syscall.Signal) error {
	messages := 1 + s.random.IntN(3)
	pause := time.Duration(s.random.Int64N(int64(storeTime / 2)))
	switch {
	case at.name == stages[0].name:
		messages, pause = 0, time.Duration(s.random.Int64N(int64(150*time.Millisecond)))
	case at.name == atCommit:
		messages = 0
		arrived := make(chan bool, 1)
		s.atCommit(func() { p.Signal(signal); arrived <- true })
		select {
		case <-arrived:
		case <-time.After(limit):
			return fmt.Errorf("no commit after %v", limit)
		}
	case at.line == group.Assigned:
		messages = 0
		if _, err := p.Await(&p.Stderr, at.line, limit); err != nil {
			return err
		}
	}
	for range messages {
		if _, err := p.Await(&p.Stdout, at.line, limit); err != nil {
			return err
		}
	}
	if strings.HasPrefix(at.name, "while") {
		time.Sleep(pause)
	}
	p.Signal(signal) // it fails if the program has ended already
	_, err := p.Wait(limit)
	s.atCommit(nil)
	return err
}

// check compares what the program has printed with what it had printed before, and with the offset that its
// group has committed.
func (s *stopped) check(lines []string, committed int64, when string) {
	first := true
	for _, line := range lines {
		switch line {
		case "Start Storing":
		case "End Storing":
			s.stored = s.last
		case "Message committed":
			s.claimed = s.last
		default:
			offset, err := strconv.ParseInt(line, 10, 64)
			switch {
			case err != nil:
				s.f.fail("%s: it printed %q", when, line)
			case offset <= s.claimed:
				s.f.fail("%s: offset %d comes again, and was reported as committed", when, offset)
			case offset == s.last && first:
				s.same++
			case offset == s.last+1:
				if first {
					s.next++
				}
			default:
				s.gaps++
				s.f.fail("%s: offset %d after offset %d", when, offset, s.last)
			}
			s.last, first = offset, false
		}
	}
	if first {
		s.nothing++
	}
	if committed > s.stored+1 {
		s.f.fail("%s: committed offset %d, but only %d is stored", when, committed, s.stored)
	}
}
