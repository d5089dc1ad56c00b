//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

func startSession(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// signalSession signals the process group: its number is that of the first process of the session.
func signalSession(first *os.Process, signal syscall.Signal) error {
	return syscall.Kill(-first.Pid, signal)
}

// Pause stops the program and those that it has started, until [Process.Continue].
func (p *Process) Pause() error { return p.SignalAll(syscall.SIGSTOP) }

// Continue lets a paused program continue.
func (p *Process) Continue() error { return p.SignalAll(syscall.SIGCONT) }
