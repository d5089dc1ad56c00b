package main

import (
	"fmt"
	"io"
	"os/exec"
	"path"
	"strings"

	"tkafka/pkg/process"
	"tkafka/pkg/terminal"
)

// mostShown is how many lines of one output the tour shows. A topic may hold many messages.
const mostShown = 60

// program is a program that the tour has started.
type program struct {
	*process.Process
	label string // in front of each line that it prints
	name  string
}

// start starts a program and shows what it prints. It calls changed with each line, and when the
// program has ended.
func start(s *screen, label, executable string, args, environment []string, input io.Reader, changed func()) (*program, error) {
	command := exec.Command(executable, args...)
	command.Env, command.Stdin = environment, input
	p := &program{Process: process.New(command), label: label, name: path.Base(executable)}
	for _, output := range []*process.Output{&p.Stdout, &p.Stderr} {
		lines := 0
		output.OnLine = func(line string) {
			switch lines++; {
			case lines <= mostShown:
				s.say("  "+label+" | ", shown(p.withoutName(line)))
			case lines == mostShown+1:
				s.say("  "+label+" | ", "(the tour does not show the other lines)")
			}
			changed()
		}
	}
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", label, err)
	}
	go func() {
		<-p.Ended()
		changed()
	}()
	return p, nil
}

// withoutName returns a line of standard error without the program's name.
func (p *program) withoutName(line string) string { return strings.TrimPrefix(line, p.name+": ") }

func shown(line string) string { return string(terminal.Escape([]byte(line))) }

// printed returns the lines on standard output.
func (p *program) printed() []string { return p.Stdout.Lines() }

// reported returns the lines on standard error, without the program's name.
func (p *program) reported() []string {
	lines := p.Stderr.Lines()
	for i, line := range lines {
		lines[i] = p.withoutName(line)
	}
	return lines
}

// assignments returns what a member has reported about its partitions, each time that they changed.
func (p *program) assignments() (all [][]int32) {
	for _, line := range p.reported() {
		if a, ok := parseAssignment(line); ok {
			all = append(all, a)
		}
	}
	return all
}

func (p *program) running() bool {
	select {
	case <-p.Ended():
		return false
	default:
		return true
	}
}

// transcript is what the program has printed. It is part of an error.
func (p *program) transcript() string {
	var text strings.Builder
	for _, output := range []struct {
		name  string
		lines []string
	}{{"standard output", p.printed()}, {"standard error", p.reported()}} {
		fmt.Fprintf(&text, "\n%s of %s, %d lines", output.name, p.label, len(output.lines))
		if len(output.lines) > mostShown {
			fmt.Fprintf(&text, ", the last %d", mostShown)
			output.lines = output.lines[len(output.lines)-mostShown:]
		}
		text.WriteString(":")
		for _, line := range output.lines {
			text.WriteString("\n  " + shown(line))
		}
	}
	return text.String()
}
