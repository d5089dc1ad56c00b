//go:build !unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

const pause, resume = syscall.Signal(0), syscall.Signal(0) // not possible on this system

func startSession(*exec.Cmd) {}

func signalSession(first *os.Process, signal syscall.Signal) error { return first.Signal(signal) }
