package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"tkafka/pkg/cli"
)

// stepTimeout is how long the tour waits for what must happen. A real cluster needs 3 seconds to form
// a group, and 6 for its first group.
const stepTimeout = 30 * time.Second

// section is a part of the tutorial.
type section struct {
	name    string
	perform func(*tour)
}

// check is something that the tutorial promises.
type check struct {
	what    string
	problem error // nil if it is true
}

// tour runs the sections. A section starts programs, waits for what they print, and checks it.
//
// The methods do not return if a step is not possible: the section ends then, as a test does. So a
// section reads like the session of a student.
type tour struct {
	ctx      context.Context
	kafka    *kafka
	screen   *screen
	programs executables
	timeout  time.Duration
	pause    func(context.Context) // nil without --pause

	changed  chan struct{} // has a value when a program has printed a line or has ended
	started  []*program
	failures []error // of programs of this section that ended with a wrong status
	results  []result
}

func newTour(ctx context.Context, k *kafka, s *screen, programs executables) *tour {
	return &tour{ctx: ctx, kafka: k, screen: s, programs: programs, timeout: stepTimeout, changed: make(chan struct{}, 1)}
}

// result is the result of a section.
type result struct {
	section string
	checks  []check
}

// sectionEnd ends a section: a step is not possible.
type sectionEnd struct{ cause error }

// perform runs a section. It reports whether the section came to its end.
func (t *tour) perform(s section) (finished bool) {
	t.results = append(t.results, result{section: s.name})
	t.failures = nil
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case sectionEnd:
			if t.ctx.Err() == nil {
				t.check("the section is complete", reason.cause)
			}
		default:
			panic(reason)
		}
	}()
	t.screen.title(s.name)
	s.perform(t)
	t.check("all programs ended with status 0", errors.Join(t.failures...))
	return true
}

// must ends the section if there is an error.
func (t *tour) must(err error) {
	if err != nil {
		panic(sectionEnd{err})
	}
}

// step explains what happens next, and why.
func (t *tour) step(title, why string) {
	if t.pause != nil {
		t.screen.say("\n", "Press Enter to continue.")
		t.pause(t.ctx)
	}
	t.screen.say("\n", title)
	t.screen.say("  ", why)
}

// start starts a program that runs until it is stopped. Its label is in front of each line that it
// prints.
func (t *tour) start(label, program string, args ...string) *program {
	t.screen.say("\n  $ ", commandLine(program, args))
	return t.launch(label, program, strings.NewReader(""), args)
}

// send sends lines with a producer, and waits for its end.
func (t *tour) send(lines []string, program string, args ...string) {
	t.screen.say("\n  $ ", pipeline(lines, commandLine(program, args)))
	p := t.launch(path.Base(program), program, strings.NewReader(strings.Join(lines, "\n")+"\n"), args)
	if status := t.wait(p); status != 0 {
		t.must(fmt.Errorf("%s ended with status %d%s", p.label, status, p.transcript()))
	}
}

func (t *tour) launch(label, program string, input io.Reader, args []string) *program {
	executable, ok := t.programs[program]
	if !ok {
		t.must(fmt.Errorf("there is no program %s in this module", program))
	}
	t.must(t.ctx.Err())
	p, err := start(t.screen, label, executable, args, t.kafka.environment(), input, func() {
		select {
		case t.changed <- struct{}{}:
		default: // the tour has not looked at the last change yet
		}
	})
	t.must(err)
	t.started = append(t.started, p)
	return p
}

// commandLine is what a student types, in the root folder of the tutorial.
func commandLine(program string, args []string) string {
	return "go run ./" + program + " " + strings.Join(args, " ")
}

// await waits until the condition holds. It looks again when a program has printed a line. It fails
// when one of these programs has ended.
func (t *tour) await(what string, holds func() bool, programs ...*program) {
	deadline := time.After(t.timeout)
	for {
		t.must(t.screen.error())
		problem := ""
		for _, p := range programs {
			if !p.running() {
				problem = fmt.Sprintf("%s ended: no %s", p.label, what)
			}
		}
		if holds() { // after the look at the ends: the last lines of a program count
			return
		}
		if problem == "" {
			select {
			case <-t.changed:
				continue
			case <-t.ctx.Done():
				t.must(t.ctx.Err())
			case <-deadline:
				problem = fmt.Sprintf("no %s after %v", what, t.timeout)
			}
		}
		for _, p := range programs {
			problem += p.transcript()
		}
		t.must(errors.New(problem))
	}
}

// stop interrupts a program, as Ctrl-C does, and waits for its end.
func (t *tour) stop(p *program) {
	t.screen.say("\n  ", "Ctrl-C stops "+p.label)
	t.must(p.Signal(os.Interrupt))
	if status := t.wait(p); status != 0 {
		t.failures = append(t.failures, fmt.Errorf("%s ended with status %d", p.label, status))
	}
}

// wait waits for the end of a program and returns its status.
func (t *tour) wait(p *program) int {
	select {
	case <-p.Ended():
	case <-t.ctx.Done():
		t.must(t.ctx.Err())
	case <-time.After(t.timeout):
		t.must(fmt.Errorf("%s is still running after %v%s", p.label, t.timeout, p.transcript()))
	}
	return p.Status()
}

// stopAll ends the programs that still run. The tour itself may have been stopped and must end within
// cli.LeaveTime. The programs get half of it.
func (t *tour) stopAll() {
	for _, p := range t.started {
		p.Signal(os.Interrupt) // fails if the program has ended
	}
	enough := time.After(cli.LeaveTime / 2)
	for _, p := range t.started {
		select {
		case <-p.Ended():
			continue
		case <-enough:
		}
		for _, p := range t.started {
			p.Kill()
		}
		return
	}
}

// limited returns a context for a request to the cluster.
func (t *tour) limited() (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.ctx, t.timeout)
}

// sent returns the place of each message that was sent since the start of the tour.
func (t *tour) sent() map[string]place {
	ctx, cancel := t.limited()
	defer cancel()
	places, err := t.kafka.sent(ctx)
	t.must(err)
	return places
}

// committed returns the committed offsets of a group, by partition.
func (t *tour) committed(group string) map[int32]int64 {
	ctx, cancel := t.limited()
	defer cancel()
	offsets, err := t.kafka.committed(ctx, group)
	t.must(err)
	return offsets
}

// commitOlder commits for a group all messages that are in the topic now.
func (t *tour) commitOlder(group string) {
	ctx, cancel := t.limited()
	defer cancel()
	t.must(t.kafka.commitOlder(ctx, group))
}

// check reports whether something is true that the tutorial promises.
func (t *tour) check(what string, problem error) {
	c := check{what, problem}
	last := &t.results[len(t.results)-1]
	last.checks = append(last.checks, c)
	t.screen.verdict(c)
}

// summary shows one line for each section, and the checks that failed. It returns an error unless all
// sections were performed and all checks are ok.
func (t *tour) summary(sections []section, took time.Duration) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.screen.title("Summary")
	checks, failed := 0, 0
	for i, section := range sections {
		if i >= len(t.results) {
			t.screen.say("", section.name+": not performed")
			continue
		}
		ok := 0
		var bad []check
		for _, c := range t.results[i].checks {
			if c.problem == nil {
				ok++
			} else {
				bad = append(bad, c)
			}
		}
		t.screen.say("", fmt.Sprintf("%s: %d checks ok", section.name, ok))
		for _, c := range bad {
			t.screen.verdict(c)
		}
		checks, failed = checks+ok+len(bad), failed+len(bad)
	}
	if err := t.screen.error(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed, after %.1f s", failed, checks, took.Seconds())
	}
	t.screen.say("\n", fmt.Sprintf("All %d checks ok, in %.1f s.", checks, took.Seconds()))
	return nil
}
