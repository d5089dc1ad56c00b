//go:build unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

const pause, resume = syscall.SIGSTOP, syscall.SIGCONT

func startSession(command *exec.Cmd) { command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// signalSession signals the process group: its number is that of the first process of the session.
func signalSession(first *os.Process, signal syscall.Signal) error {
	return syscall.Kill(-first.Pid, signal)
}
