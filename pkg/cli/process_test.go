package cli

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A hint has the command as the user can type it.
func TestGoRun(t *testing.T) {
	output, err := exec.Command("go", "run", "./testdata/does", "nothing").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if want := "\ndoes: hint: go run ./testdata/does --help "; !strings.Contains(string(output), want) {
		t.Errorf("no %q in %s", want, output)
	}
}

// A program that does not end after a signal is ended, even when nobody reads its messages.
func TestLeaveTime(t *testing.T) {
	does := filepath.Join(t.TempDir(), "does")
	if output, err := exec.Command("go", "build", "-o", does, "./testdata/does").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, stop := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT} {
		t.Run(stop.String(), func(t *testing.T) {
			t.Parallel()
			command := exec.Command(does)
			command.Stderr = fullPipe(t)
			stdout, err := command.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			kill := time.AfterFunc(time.Minute, func() { command.Process.Kill() })
			defer kill.Stop()
			bufio.NewReader(stdout).ReadString('\n') // ready
			signalled := time.Now()
			if err := command.Process.Signal(stop); err != nil {
				t.Fatal(err)
			}
			command.Wait()
			if took := time.Since(signalled); took < LeaveTime || took > 2*LeaveTime {
				t.Errorf("it took %v", took)
			}
			if status := command.ProcessState.ExitCode(); status != 1 {
				t.Errorf("status %d", status)
			}
		})
	}
}

// fullPipe returns the end of a pipe where a write waits for ever.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	if _, err := w.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return w
}
