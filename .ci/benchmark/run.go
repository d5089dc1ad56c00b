package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"tkafka/pkg/process"
)

// result is what one run of a candidate needed.
type result struct {
	took   []time.Duration // one time, or one for each typed line
	cpu    time.Duration   // user and system; 0 if it is not measured
	memory int64           // the peak, in bytes; 0 if it is not measured
}

// command is a command line with the files of its standard input and output.
type command struct {
	args    []string
	in, out string
}

func (t *trial) exec(ctx context.Context, c command) *exec.Cmd {
	program := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	program.Dir = t.repo
	program.Env = t.environment()
	return program
}

// run runs a command to its end. It fails unless the exit status is 0.
func (t *trial) run(ctx context.Context, c command) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	program := t.exec(ctx, c)
	// "go run" starts another program, which must end with it.
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	program.Cancel = func() error { return syscall.Kill(-program.Process.Pid, syscall.SIGTERM) }
	program.WaitDelay = time.Second
	var problems bytes.Buffer
	program.Stderr = &problems
	if c.in != "" {
		in, err := os.Open(c.in)
		if err != nil {
			return result{}, err
		}
		defer in.Close()
		program.Stdin = in
	}
	if c.out != "" {
		out, err := os.Create(c.out)
		if err != nil {
			return result{}, err
		}
		defer out.Close()
		program.Stdout = out
	}
	started := time.Now()
	err := program.Run()
	took := time.Since(started)
	if ctx.Err() != nil {
		return result{}, incomplete(fmt.Sprintf("not finished after %v", took.Round(time.Second)))
	}
	if err != nil {
		return result{}, fmt.Errorf("%s: %w: %s", filepath.Base(c.args[0]), err, lastLine(problems.String()))
	}
	return result{
		took:   []time.Duration{took},
		cpu:    program.ProcessState.UserTime() + program.ProcessState.SystemTime(),
		memory: peak(program.ProcessState.SysUsage().(*syscall.Rusage)), // from wait4
	}, nil
}

// peak returns the peak memory of a process, in bytes.
func peak(used *syscall.Rusage) int64 {
	if runtime.GOOS == "darwin" {
		return int64(used.Maxrss)
	}
	return int64(used.Maxrss) * 1024
}

// ownPeak returns the peak memory of this process.
func ownPeak() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return peak(&used)
}

// start starts a command that the measurement watches. On a terminal, it has no other output than Stdout.
func (t *trial) start(ctx context.Context, c command, terminal bool) (*process.Process, error) {
	p := process.New(t.exec(ctx, c))
	if terminal {
		return p, p.StartOnTerminal(24, 200)
	}
	return p, p.Start()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
