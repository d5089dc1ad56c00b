//go:build !unix

package process

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

func startSession(*exec.Cmd) {}

func signalSession(first *os.Process, signal syscall.Signal) error { return first.Signal(signal) }

// Pause is not possible on this system.
func (p *Process) Pause() error { return errors.ErrUnsupported }

// Continue is not possible on this system.
func (p *Process) Continue() error { return errors.ErrUnsupported }
