package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"tkafka/pkg/process"
)

var (
	storing   = regexp.MustCompile(`(?m)^Start Storing$`)
	committed = regexp.MustCompile(`(?m)^Message committed$`)
	lost      = regexp.MustCompile(`partition 0, offset 0 is not committed and comes again`)
)

// slowStore makes a message take longer than the time-outs of the group. In a short run, the members are
// removed as by the time-outs.
func slowStore(a *arena, f *findings) (string, error) {
	b, err := a.brokers()
	if err != nil {
		return "", err
	}
	defer b.close()
	var reported, again atomic.Int64
	var all sync.WaitGroup
	errs := make(chan error, 6)
	for _, attack := range []func(*slow) error{(*slow).outlastsRebalance, (*slow).outlastsSession} {
		for range 3 {
			all.Go(func() {
				s := &slow{brokers: b, f: f, reported: &reported, again: &again}
				var err error
				s.group = a.name("group")
				if s.topic, err = b.topic(1); err == nil {
					err = b.send(s.topic, "one")
				}
				if err == nil {
					err = attack(s)
				}
				errs <- err
			})
		}
	}
	all.Wait()
	for range 6 {
		if err := <-errs; err != nil {
			return "", err
		}
	}
	how := "beyond the 60 s of a rebalance, and 3 pauses beyond the 45 s of a session"
	if a.short {
		how = "and 3 pauses, with members that are removed"
	}
	return fmt.Sprintf("3 slow messages %s: %d times the loss of the partition was reported, %d times another start committed the message, 0 false `Message committed`",
		how, reported.Load(), again.Load()), nil
}

type slow struct {
	*brokers
	f               *findings
	topic, group    string
	reported, again *atomic.Int64
}

func (s *slow) start(storeTime time.Duration) (*process.Process, error) {
	p, err := s.brokers.start("commitoffsets/consumercommit", s.topic, s.group, "--store-time", storeTime.String())
	return p, err
}

// removed waits until the group has removed a member. In a short run, it removes the member.
func (s *slow) removed(id string) error {
	if s.arena.short {
		return s.evict(s.group, id)
	}
	for end := time.Now().Add(2 * time.Minute); slices.Contains(s.members(s.group), id); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) || s.arena.ctx.Err() != nil {
			return fmt.Errorf("the group still has the member %s", id)
		}
	}
	return nil
}

// outlastsRebalance: another member joins while the message is stored, and the rebalance does not wait longer.
func (s *slow) outlastsRebalance() error {
	first, err := s.start(time.Duration(s.arena.times(75, 6)) * time.Second)
	if err != nil {
		return err
	}
	defer first.Kill()
	if _, err := first.Await(&first.Stdout, storing, limit); err != nil {
		return err
	}
	id := s.members(s.group)[0]
	second, err := s.start(time.Millisecond)
	if err != nil {
		return err
	}
	defer second.Kill()
	if err := s.arena.until("the second member waits", func() bool { return len(s.members(s.group)) == 2 }); err != nil {
		return err
	}
	if err := s.removed(id); err != nil {
		return err
	}
	s.f.happened(1)
	if _, err := second.Await(&second.Stdout, committed, limit); err != nil {
		return fmt.Errorf("the second member: %w: %s", err, second.Stderr.String())
	}
	s.again.Add(1)
	return s.reports(first)
}

// outlastsSession: the whole process is paused, so the group misses its heartbeats.
func (s *slow) outlastsSession() error {
	p, err := s.start(time.Second)
	if err != nil {
		return err
	}
	defer p.Kill()
	if _, err := p.Await(&p.Stdout, storing, limit); err != nil {
		return err
	}
	p.Signal(syscall.SIGSTOP)
	if err := s.removed(s.members(s.group)[0]); err != nil {
		return err
	}
	p.Signal(syscall.SIGCONT)
	s.f.happened(1)
	if err := s.reports(p); err != nil {
		return err
	}
	if _, err := p.Await(&p.Stdout, committed, limit); err != nil {
		return fmt.Errorf("after a pause: %w: %s", err, p.Stderr.String())
	}
	if got := s.committed(s.group, s.topic); got != 1 {
		s.f.fail("it printed Message committed, and the committed offset is %d", got)
	}
	s.again.Add(1)
	return nil
}

// reports waits for the report that the message is not committed.
func (s *slow) reports(p *process.Process) error {
	if _, err := p.Await(&p.Stderr, lost, 2*limit); err != nil {
		s.f.fail("the loss of the partition is not reported: %s", p.Stderr.String())
		return nil
	}
	s.reported.Add(1)
	before, _, _ := strings.Cut(p.Stdout.String(), "one\nStart Storing\nEnd Storing\none") // it comes again only after that
	if strings.Contains(before, "Message committed") {
		s.f.fail("a false Message committed: %q", p.Stdout.String())
	}
	return nil
}
