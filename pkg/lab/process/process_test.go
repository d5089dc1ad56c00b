package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const timeout = 30 * time.Second

func shell(t *testing.T, script string) *Process {
	t.Helper()
	p := New(exec.Command("sh", "-c", script))
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func await(t *testing.T, p *Process, from *Output, pattern string) []string {
	t.Helper()
	match, err := p.Await(t.Context(), from, regexp.MustCompile(pattern), timeout)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, &p.Stdout, &p.Stderr)
	}
	return match
}

func wait(t *testing.T, p *Process, want int) {
	t.Helper()
	if status, err := p.Wait(timeout); err != nil || status != want {
		t.Errorf("status %d, %v; want %d", status, err, want)
	}
}

func TestAwait(t *testing.T) {
	p := shell(t, `read line; echo "got $line"; echo "got more" >&2; read line; printf 'got %s' "$line"; exit 3`)
	if _, err := p.Await(t.Context(), &p.Stdout, regexp.MustCompile("got"), time.Millisecond); err == nil || err.Error() != `no "got" after 1ms` {
		t.Error(err)
	}
	if err := p.Type("one\n"); err != nil {
		t.Fatal(err)
	}
	if match := await(t, p, &p.Stdout, `got (\w+)`); !slices.Equal(match, []string{"got one", "one"}) {
		t.Errorf("%q", match)
	}
	await(t, p, &p.Stderr, `^got more$`+"\n|\n")
	if err := p.Type("two\n"); err != nil {
		t.Fatal(err)
	}
	wait(t, p, 3)
	if rest := p.Stdout.Unmatched(); rest != "\ngot two" {
		t.Errorf("%q", rest)
	}
	await(t, p, &p.Stdout, `got two`) // the last output counts after the end
	if _, err := p.Await(t.Context(), &p.Stdout, regexp.MustCompile("got"), timeout); err == nil || err.Error() != `ended without "got"` {
		t.Error(err)
	}
}

func TestLines(t *testing.T) {
	p := New(exec.Command("sh", "-c", `printf 'one\n\ntw'; echo ready >&2; cat; printf 'o'`))
	var lines []string
	p.Stdout.OnLine = func(line string) { lines = append(lines, line) }
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	await(t, p, &p.Stderr, "ready")
	await(t, p, &p.Stdout, "tw")
	if got := p.Stdout.Lines(); !slices.Equal(got, []string{"one", ""}) {
		t.Errorf("%q", got)
	}
	if err := p.CloseInput(); err != nil {
		t.Fatal(err)
	}
	wait(t, p, 0)
	want := []string{"one", "", "two"}
	if got := p.Stdout.Lines(); !slices.Equal(got, want) || !slices.Equal(lines, want) {
		t.Errorf("%q and %q, want %q", got, lines, want)
	}
}

func TestTerminal(t *testing.T) {
	p := New(exec.Command("sh", "-c", `[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && stty size; echo error >&2; cat`))
	if err := p.StartOnTerminal(24, 80); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	await(t, p, &p.Stdout, `24 80\r\n`)
	await(t, p, &p.Stdout, `error`)
	if err := p.Type("hello\n"); err != nil {
		t.Fatal(err)
	}
	await(t, p, &p.Stdout, `hello\r\nhello`) // the echo, and what cat prints
	if err := p.CloseInput(); err != nil {
		t.Fatal(err)
	}
	wait(t, p, 0)
}

func TestSignal(t *testing.T) {
	p := shell(t, `trap 'echo stopping; exit 5' TERM; echo ready; while :; do read line; done`)
	await(t, p, &p.Stdout, "ready")
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.CloseInput()
	wait(t, p, 5)
	await(t, p, &p.Stdout, "stopping")
	if err := p.Signal(os.Interrupt); err == nil {
		t.Error("a signal reached a program that has ended")
	}
}

// A program that is killed leaves another one behind, which holds its output open.
func TestKill(t *testing.T) {
	drainTime = 200 * time.Millisecond
	for name, start := range map[string]func(*Process) error{
		"pipes":    (*Process).Start,
		"terminal": func(p *Process) error { return p.StartOnTerminal(24, 80) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := New(exec.Command("sh", "-c", `trap '' HUP; sleep 20 & echo ready; wait`))
			p.Kill() // not started
			if err := start(p); err != nil {
				t.Fatal(err)
			}
			await(t, p, &p.Stdout, "ready")
			started := time.Now()
			p.Kill()
			if took := time.Since(started); took > 10*time.Second { // the other program sleeps for 20 s
				t.Errorf("it took %v", took)
			}
			wait(t, p, -1)
			p.Kill() // again
		})
	}
}

// In a session of its own, a program ends together with those that it has started.
func TestSession(t *testing.T) {
	p := New(exec.Command("sh", "-c", `sleep 1000 & echo "child $!"; wait; echo unreachable`))
	p.InSession()
	p.KillAll() // not started
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(await(t, p, &p.Stdout, `child (\d+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Pause(), p.Continue()); err != nil {
		t.Fatal(err)
	}
	p.KillAll()
	wait(t, p, -1)
	for end := time.Now().Add(timeout); alive(child); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the child still runs")
		}
	}
	if p.SignalAll(syscall.SIGTERM) == nil && !alive(child) {
		t.Log("a process that has ended waits for its parent") // in a container without an init process
	}
}

// alive reports whether a process runs. One that has ended may wait for a parent that does not look.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(status), ") Z ")
}

// The output of a program that prints without end needs limited memory.
func TestKeep(t *testing.T) {
	p := New(exec.Command("seq", "1", "100000"))
	lines := 0
	p.Stdout.OnLine = func(string) { lines++ }
	p.Stdout.Keep = 1000
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	wait(t, p, 0)
	kept := p.Stdout.String()
	if lines != 100_000 || len(kept) < 1000 || len(kept) > 2000 || !strings.HasSuffix(kept, "\n99999\n100000\n") {
		t.Errorf("%d lines, %d bytes: %q", lines, len(kept), kept[max(0, len(kept)-20):])
	}
	await(t, p, &p.Stdout, "100000")
}

func TestNotFound(t *testing.T) {
	for name, start := range map[string]func(*Process) error{
		"pipes":    (*Process).Start,
		"terminal": func(p *Process) error { return p.StartOnTerminal(24, 80) },
	} {
		p := New(exec.Command("/no/such/program"))
		if err := start(p); err == nil {
			t.Errorf("%s: no error", name)
		}
		p.Kill()
	}
}
