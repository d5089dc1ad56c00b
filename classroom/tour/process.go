package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"

	"tkafka/pkg/terminal"
)

// mostShown is how many lines of one stream are shown as they come: a topic may be full of messages.
const mostShown = 60

// process is a program that runs, or has run, and what it has printed so far.
type process struct {
	label          string // stands in front of what it prints
	command        *exec.Cmd
	screen         *screen
	stdout, stderr stream
	ended          chan struct{}
}

// stream is one of the two outputs of a process, as lines.
type stream struct {
	process *process
	prefix  string // in front of each line, not to be told twice
	begun   []byte // the line that has no end yet
	lines   []string
}

// start runs a program in the background.
func start(s *screen, label, executable string, input io.Reader, args ...string) (*process, error) {
	p := &process{label: label, screen: s, ended: make(chan struct{})}
	p.stdout.process, p.stderr.process = p, p
	p.stderr.prefix = path.Base(executable) + ": "
	p.command = exec.Command(executable, args...)
	p.command.Stdin, p.command.Stdout, p.command.Stderr = input, &p.stdout, &p.stderr
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", label, err)
	}
	go func() {
		p.command.Wait() // returns when all it printed has been written to the streams
		s.mu.Lock()
		defer s.mu.Unlock()
		// First its last words: whoever sees that it has ended has them all.
		p.stdout.end()
		p.stderr.end()
		close(p.ended)
		s.wake()
	}()
	return p, nil
}

// Write takes what the process prints.
func (s *stream) Write(output []byte) (int, error) {
	s.process.screen.mu.Lock()
	defer s.process.screen.mu.Unlock()
	s.begun = append(s.begun, output...)
	for {
		line, rest, complete := bytes.Cut(s.begun, []byte("\n"))
		if !complete {
			break
		}
		s.begun = rest
		s.add(string(line))
	}
	s.process.screen.wake()
	return len(output), nil
}

// end takes a last line that has no line end. The caller holds the lock of the screen.
func (s *stream) end() {
	if len(s.begun) > 0 {
		s.add(string(s.begun))
	}
}

func (s *stream) add(line string) {
	screen, margin := s.process.screen, fmt.Sprintf("  %s | ", s.process.label)
	line = strings.TrimPrefix(line, s.prefix)
	s.lines = append(s.lines, line)
	switch n := len(s.lines); {
	case n <= mostShown:
		screen.paragraph(margin, string(terminal.Escape([]byte(line))))
	case n == mostShown+1:
		screen.paragraph(margin, "(and more, which is not shown)")
	}
}

// printed returns the lines on standard output: what the program was asked for.
func (p *process) printed() []string { return p.stdout.soFar() }

// said returns the lines on standard error, without the program's name.
func (p *process) said() []string { return p.stderr.soFar() }

func (s *stream) soFar() []string {
	s.process.screen.mu.Lock()
	defer s.process.screen.mu.Unlock()
	return slices.Clone(s.lines)
}

// assignments returns every set of partitions that a member of a group said it holds.
func (p *process) assignments() []assignment {
	var all []assignment
	for _, line := range p.said() {
		if a, ok := parseAssignment(line); ok {
			all = append(all, a)
		}
	}
	return all
}

// interrupt does what Ctrl-C does.
func (p *process) interrupt() error { return p.command.Process.Signal(os.Interrupt) }

// running reports whether the process has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// transcript is all that the process has printed, to find out what went wrong.
func (p *process) transcript() string {
	var text strings.Builder
	for _, s := range []struct {
		name  string
		lines []string
	}{{"standard output", p.printed()}, {"standard error", p.said()}} {
		fmt.Fprintf(&text, "%s of %s, %d lines", s.name, p.label, len(s.lines))
		if len(s.lines) > mostShown {
			fmt.Fprintf(&text, ", the last %d", mostShown)
			s.lines = s.lines[len(s.lines)-mostShown:]
		}
		text.WriteString(":\n")
		for _, line := range s.lines {
			fmt.Fprintf(&text, "  %s\n", terminal.Escape([]byte(line)))
		}
	}
	return strings.TrimSuffix(text.String(), "\n")
}
