package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"tkafka/pkg/cli"
)

// patience is how long the tour waits for what must happen. A real cluster takes 3 seconds to form
// a group, and 6 when it is the first one ever.
const patience = 30 * time.Second

// section is a part of the tutorial.
type section struct {
	name    string
	perform func(*tour)
}

// check is something that the tutorial promises, and whether it came true.
type check struct {
	what    string
	problem error // nil: it did
}

// short is the check without the lines after the first, which show what was printed.
func (c check) short() check {
	if c.problem != nil {
		first, _, _ := strings.Cut(c.problem.Error(), "\n")
		c.problem = errors.New(first)
	}
	return c
}

// tour is what a section performs with: it tells, starts programs, waits, and checks.
//
// As in a test, a step that cannot be done ends everything: the methods do not return then. So a
// section reads as the student's session does, without the question after each line.
type tour struct {
	ctx      context.Context
	site     *site
	screen   *screen
	programs programs
	patience time.Duration
	enter    func(context.Context) // nil without --pause

	processes []*process
	ends      []error // of programs of this section that did not end as they should
	results   []result
}

// result is what became of a section.
type result struct {
	section string
	checks  []check
}

// stuck is what ends a section: a step that cannot be done.
type stuck struct{ err error }

// perform goes through a section, and reports whether it came to its end.
func (t *tour) perform(s section) (finished bool) {
	t.results = append(t.results, result{section: s.name})
	t.ends = nil
	defer func() {
		switch reason := recover().(type) {
		case nil:
		case stuck:
			if t.ctx.Err() == nil {
				t.check("the section came to its end", reason.err)
			}
		default:
			panic(reason)
		}
	}()
	t.screen.title(s.name)
	s.perform(t)
	t.check("the programs of this section ended with status 0", errors.Join(t.ends...))
	return true
}

// must ends the section if there is an error.
func (t *tour) must(err error) {
	if err != nil {
		panic(stuck{err})
	}
}

// step tells what happens next, and why.
func (t *tour) step(title, why string) {
	if t.enter != nil {
		t.screen.say("\n", "(Enter goes on)")
		t.enter(t.ctx)
	}
	t.screen.say("\n", title)
	t.screen.say("  ", why)
}

// start runs a program until it is stopped. The label tells it from others on the screen.
func (t *tour) start(label, program string, args ...string) *process {
	t.screen.say("\n  $ ", commandLine(program, args))
	return t.launch(label, program, nil, args)
}

// send pipes lines into a producer and waits until it has delivered them.
func (t *tour) send(lines []string, program string, args ...string) {
	t.screen.say("\n  $ ", typed(lines, commandLine(program, args)))
	p := t.launch(path.Base(program), program, lines, args)
	if status := t.end(p); status != 0 {
		t.must(fmt.Errorf("%s ended with status %d\n%s", p.label, status, p.transcript()))
	}
}

func (t *tour) launch(label, program string, input, args []string) *process {
	executable, ok := t.programs[program]
	if !ok {
		t.must(fmt.Errorf("there is no program %s in this module", program))
	}
	t.must(t.ctx.Err())
	var text strings.Builder
	for _, line := range input {
		fmt.Fprintln(&text, line)
	}
	p, err := start(t.screen, label, executable, strings.NewReader(text.String()), args...)
	t.must(err)
	t.processes = append(t.processes, p)
	return p
}

// commandLine is the command as it is typed in the folder of the tutorial.
func commandLine(program string, args []string) string {
	return "go run ./" + program + " " + strings.Join(args, " ")
}

// await waits until the condition holds, and looks again with each line that a program prints. When
// one of the programs that it depends on ends, there is nothing to wait for any more.
func (t *tour) await(what string, holds func() bool, on ...*process) {
	deadline := time.After(t.patience)
	for {
		changed, unread := t.screen.next()
		t.must(unread)
		gone := ""
		for _, p := range on {
			if !p.running() {
				gone = p.label
			}
		}
		if holds() { // only now: the last words of a program count
			return
		}
		problem := ""
		if gone != "" {
			problem = gone + " ended"
		} else {
			select {
			case <-changed:
				continue
			case <-t.ctx.Done():
				t.must(t.ctx.Err())
			case <-deadline:
				problem = fmt.Sprintf("nothing for %v", t.patience)
			}
		}
		problem += ", waiting for " + what
		for _, p := range on {
			problem += "\n" + p.transcript()
		}
		t.must(errors.New(problem))
	}
}

// stop interrupts a program, as Ctrl-C does, and waits for its end.
func (t *tour) stop(p *process) {
	t.screen.say("\n  ", "Ctrl-C for "+p.label)
	t.must(p.interrupt())
	if status := t.end(p); status != 0 {
		t.ends = append(t.ends, fmt.Errorf("%s ended with status %d", p.label, status))
	}
}

// end waits for the end of a program and returns its status.
func (t *tour) end(p *process) int {
	select {
	case <-p.ended:
	case <-t.ctx.Done():
		t.must(t.ctx.Err())
	case <-time.After(t.patience):
		t.must(fmt.Errorf("%s has not ended after %v\n%s", p.label, t.patience, p.transcript()))
	}
	return p.command.ProcessState.ExitCode()
}

// stopAll ends what is still running. We may have been asked to stop ourselves: then half of our
// time is theirs.
func (t *tour) stopAll() {
	for _, p := range t.processes {
		p.interrupt() // an error says that it has ended
	}
	enough, cancel := context.WithTimeout(context.Background(), cli.LeaveTime/2)
	defer cancel()
	for _, p := range t.processes {
		select {
		case <-p.ended:
		case <-enough.Done():
			p.command.Process.Kill()
			<-p.ended
		}
	}
}

// ask bounds a question to the cluster.
func (t *tour) ask() (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.ctx, t.patience)
}

// sent returns where each message is that was sent since the tour began.
func (t *tour) sent() map[string]place {
	ctx, cancel := t.ask()
	defer cancel()
	places, err := t.site.sent(ctx)
	t.must(err)
	return places
}

// committed returns the offsets that a group has committed.
func (t *tour) committed(group string) map[int32]int64 {
	ctx, cancel := t.ask()
	defer cancel()
	offsets, err := t.site.committed(ctx, group)
	t.must(err)
	return offsets
}

// passOlder lets a group start behind what was in the topic before the tour.
func (t *tour) passOlder(group string) {
	ctx, cancel := t.ask()
	defer cancel()
	t.must(t.site.passOlder(ctx, group))
}

// check tells whether something that the tutorial promises came true.
func (t *tour) check(what string, problem error) {
	c := check{what, problem}
	last := &t.results[len(t.results)-1]
	last.checks = append(last.checks, c)
	t.screen.verdict(c)
}

// summary tells all results again. It returns an error unless every section was performed and
// every check came true.
func (t *tour) summary(sections []section, took time.Duration) error {
	if err := t.ctx.Err(); err != nil {
		return err
	}
	t.screen.title("Summary")
	checks, failed := 0, 0
	for _, result := range t.results {
		t.screen.say("", result.section)
		for _, c := range result.checks {
			checks++
			if c.problem != nil {
				failed++
			}
			t.screen.verdict(c.short())
		}
	}
	for _, section := range sections[len(t.results):] {
		t.screen.say("", section.name+" was not reached")
	}
	if _, unread := t.screen.next(); unread != nil {
		return unread
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed, after %.1f s", failed, checks, took.Seconds())
	}
	t.screen.say("\n", fmt.Sprintf("All %d checks ok, in %.1f s.", checks, took.Seconds()))
	return nil
}
