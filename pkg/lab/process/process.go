// Package process runs a program beside its caller. It collects what the program prints, waits for a
// text in it, writes to the program's input, and ends the program. The tour, the judge and the tests use it.
package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// drainTime limits the wait for output after the end of a program. Programs that it has started may
// still hold its output open. Tests make it shorter.
var drainTime = 5 * time.Second

// Process is a program that runs or has run.
type Process struct {
	// Stdout and Stderr are what the program has printed. On a terminal, Stdout has all of it.
	Stdout, Stderr Output

	command  *exec.Cmd
	input    io.WriteCloser
	terminal bool
	ended    chan struct{}
}

// New makes a process of a command, which has its arguments, folder and environment, but no input and no outputs.
func New(command *exec.Cmd) *Process {
	return &Process{command: command, ended: make(chan struct{})}
}

// Start starts the program.
func (p *Process) Start() (err error) {
	if p.input, err = p.command.StdinPipe(); err != nil {
		return err
	}
	p.command.Stdout, p.command.Stderr = &p.Stdout, &p.Stderr
	p.command.WaitDelay = drainTime
	if err := p.command.Start(); err != nil {
		return err
	}
	go p.finish(func() {})
	return nil
}

// StartOnTerminal starts the program with a terminal for its input and all its output.
func (p *Process) StartOnTerminal(rows, columns uint16) error {
	terminal, err := pty.StartWithSize(p.command, &pty.Winsize{Rows: rows, Cols: columns})
	if err != nil {
		return err
	}
	p.input, p.terminal = terminal, true
	drained := make(chan struct{})
	go func() {
		io.Copy(&p.Stdout, terminal) // ends when no program has the terminal open any more
		close(drained)
	}()
	go p.finish(func() {
		select {
		case <-drained:
		case <-time.After(drainTime):
		}
		terminal.Close()
	})
	return nil
}

// finish waits for the end of the program. It makes the last lines complete before others see the end.
func (p *Process) finish(drain func()) {
	p.command.Wait()
	drain()
	p.Stdout.add(nil, true)
	p.Stderr.add(nil, true)
	close(p.ended)
}

// InSession makes the program the first of a session of its own, with all programs that it starts. A
// Ctrl-C on the caller's terminal does not reach them. Call it before Start.
func (p *Process) InSession() { startSession(p.command) }

// SignalAll sends a signal to a program that has a session of its own, and to the programs that it has
// started, as Ctrl-C on a terminal does. It fails if all have ended.
func (p *Process) SignalAll(signal syscall.Signal) error {
	return signalSession(p.command.Process, signal)
}

// Pause stops a program that has a session of its own, and those that it has started, until [Process.Continue]. It
// returns when the program has stopped: on a busy machine, its threads work for some milliseconds after the signal.
func (p *Process) Pause() error {
	err := p.SignalAll(pause)
	for err == nil {
		state, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(p.command.Process.Pid)).Output()
		if !strings.ContainsAny(string(state), "RSD") { // runs, sleeps, waits for a disk; nothing if there is no ps
			break
		}
	}
	return err
}

// Continue lets a paused program continue.
func (p *Process) Continue() error { return p.SignalAll(resume) }

// KillAll ends a program that has a session of its own and the programs that it has started, and waits
// until it has ended.
func (p *Process) KillAll() {
	if p.command.Process != nil {
		p.SignalAll(syscall.SIGKILL)
		<-p.ended
		p.SignalAll(syscall.SIGKILL) // what it started in the meantime
	}
}

// Signal sends a signal to the program. It fails if the program has ended.
func (p *Process) Signal(signal os.Signal) error { return p.command.Process.Signal(signal) }

// Kill ends the program if it runs, and waits until it has ended.
func (p *Process) Kill() {
	if p.command.Process != nil {
		p.command.Process.Kill()
		<-p.ended
	}
}

// Type writes to the input of the program.
func (p *Process) Type(text string) error {
	_, err := io.WriteString(p.input, text)
	return err
}

// CloseInput closes the input of the program. On a terminal it types Ctrl-D.
func (p *Process) CloseInput() error {
	if p.terminal {
		return p.Type("\x04")
	}
	return p.input.Close()
}

// Ended returns a channel that is closed after the program has ended and its output is complete.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Status returns the exit status of a program that has ended, and -1 if a signal ended it.
func (p *Process) Status() int { return p.command.ProcessState.ExitCode() }

// Wait waits for the end of the program and returns its exit status.
func (p *Process) Wait(timeout time.Duration) (status int, err error) {
	select {
	case <-p.ended:
		return p.Status(), nil
	case <-time.After(timeout):
		return 0, fmt.Errorf("still running after %v", timeout)
	}
}

// Await waits for a match of the pattern in the output, behind the last match. It returns the text of
// the match and of its subexpressions. It fails when the program has ended without a match, after the timeout, and
// when ctx ends.
func (p *Process) Await(ctx context.Context, from *Output, pattern *regexp.Regexp, timeout time.Duration) ([]string, error) {
	deadline := time.After(timeout)
	for running := p.ended; ; {
		match, changed := from.next(pattern)
		if match != nil {
			return match, nil
		}
		if running == nil {
			return nil, fmt.Errorf("ended without %q", pattern)
		}
		select {
		case <-changed:
		case <-running:
			running = nil // look once more, at its last output
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-deadline:
			return nil, fmt.Errorf("no %q after %v", pattern, timeout)
		}
	}
}
