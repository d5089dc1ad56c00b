package testbed

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"

	"tkafka/pkg/cli"
)

// process is a program that runs beside the script.
type process struct {
	cmd            *exec.Cmd
	input          io.WriteCloser // on a terminal, the keyboard
	stdout, stderr output         // on a terminal, all that the screen was sent is in stdout
	ended          chan struct{}
	stopped        time.Time // when it was asked to stop
}

// output collects what a process prints and can be waited on.
type output struct {
	mu      sync.Mutex
	text    []byte
	read    int           // up to here, expect has matched
	changed chan struct{} // closed with each change
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.text = append(o.text, p...)
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// next returns the next match after the last one or, where there is none, what to wait on.
func (o *output) next(pattern *regexp.Regexp) (match []byte, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if at := pattern.FindIndex(o.text[o.read:]); at != nil {
		match = bytes.Clone(o.text[o.read+at[0] : o.read+at[1]])
		o.read += at[1]
		return match, nil
	}
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return nil, o.changed
}

func (p *process) kill() {
	select {
	case <-p.ended:
	default:
		if p.cmd.Process != nil {
			p.cmd.Process.Kill()
			<-p.ended
		}
	}
}

func start(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(register(ts, neg, args).start())
}

func (p *process) start() (err error) {
	if p.input, err = p.cmd.StdinPipe(); err != nil {
		return err
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return nil
}

// startOnTerminal is start with a terminal of 80 columns for input, output and errors.
func startOnTerminal(ts *testscript.TestScript, neg bool, args []string) {
	p := register(ts, neg, args)
	screen, err := pty.StartWithSize(p.cmd, &pty.Winsize{Rows: 24, Cols: 80})
	ts.Check(err)
	p.input = screen
	go func() {
		io.Copy(&p.stdout, screen) // until the last one who has the terminal open is gone
		p.cmd.Wait()
		screen.Close()
		close(p.ended)
	}()
}

// register makes the process that a script calls NAME.
func register(ts *testscript.TestScript, neg bool, args []string) *process {
	b := bedOf(ts)
	if neg || len(args) < 2 || b.processes[args[0]] != nil {
		ts.Fatalf("usage: start|terminal NAME PROGRAM [ARG...], with a name that is not in use")
	}
	p := newProcess(ts, args[1:])
	b.processes[args[0]] = p
	return p
}

func newProcess(ts *testscript.TestScript, line []string) *process {
	p := &process{
		cmd:   exec.Command(lookPath(ts, line[0]), line[1:]...),
		ended: make(chan struct{}),
	}
	p.cmd.Dir = ts.MkAbs(".")
	p.cmd.Env = environment(ts)
	return p
}

// environment is what a program of ours looks at, and what a shell needs to start one.
func environment(ts *testscript.TestScript) []string {
	// At its end a program with the race detector in it would sleep for a second.
	env := []string{"GORACE=atexit_sleep_ms=0"}
	for _, name := range []string{"PATH", "HOME", "TOPIC", "GROUP", "GOCOVERDIR", "KAFKA_AUTH", "KAFKA_BROKERS", "KAFKA_KEYSTORE_PASSWORD"} {
		if value := ts.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// lookPath finds a program in the script's PATH; exec.Command would look in our own.
func lookPath(ts *testscript.TestScript, program string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	ts.Fatalf("no program %s", program)
	return ""
}

// expect also sets a variable for each named group of the expression, (?P<NAME>...).
func expect(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || args[1] != "stdout" && args[1] != "stderr" {
		ts.Fatalf("usage: expect NAME stdout|stderr REGEXP")
	}
	p := processOf(ts, args[0])
	from := &p.stdout
	if args[1] == "stderr" {
		from = &p.stderr
	}
	match, err := p.await(from, args[2])
	if err != nil {
		p.show(ts)
		ts.Fatalf("%s: %v", args[0], err)
	}
	pattern := regexp.MustCompile("(?m)" + args[2])
	for at, text := range pattern.FindSubmatch(match) {
		if name := pattern.SubexpNames()[at]; name != "" {
			ts.Setenv(name, string(text))
		}
	}
	ts.Logf("%s", match)
	ts.Stdout().Write(append(match, '\n'))
}

// await returns the next match in the output of the process.
func (p *process) await(from *output, expression string) ([]byte, error) {
	pattern, err := regexp.Compile("(?m)" + expression)
	if err != nil {
		return nil, err
	}
	deadline := time.After(Patience)
	running := p.ended
	for {
		match, changed := from.next(pattern)
		switch {
		case match != nil:
			return match, nil
		case running == nil:
			return nil, fmt.Errorf("ended without %q", expression)
		}
		select {
		case <-changed:
		case <-running:
			running = nil // look once more, at its last words
		case <-deadline:
			return nil, fmt.Errorf("no %q after %v", expression, Patience)
		}
	}
}

func (p *process) show(ts *testscript.TestScript) {
	ts.Logf("[stdout of %q]\n%s[stderr]\n%s", p.cmd.Args, p.stdout.String(), p.stderr.String())
}

func feed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: feed NAME TEXT")
	}
	_, err := io.WriteString(processOf(ts, args[0]).input, args[1]+"\n")
	ts.Check(err)
}

func sendSignal(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: signal NAME [SIGINT|SIGTERM|SIGHUP|SIGKILL]")
	}
	p, name := processOf(ts, args[0]), "SIGINT"
	if len(args) == 2 {
		name = args[1]
	}
	number, ok := map[string]os.Signal{
		"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP, "SIGKILL": os.Kill,
	}[name]
	if !ok {
		ts.Fatalf("unknown signal %s", name)
	}
	p.stopped = time.Now()
	ts.Check(p.cmd.Process.Signal(number))
}

func eof(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: eof NAME")
	}
	p := processOf(ts, args[0])
	p.stopped = time.Now()
	if _, onTerminal := p.input.(*os.File); onTerminal {
		_, err := io.WriteString(p.input, "\x04") // Ctrl-D
		ts.Check(err)
		return
	}
	ts.Check(p.input.Close())
}

// ended waits for the end of a process. One that was asked to stop must not take longer than it may;
// what it printed can be compared as testscript does after exec.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ended NAME STATUS")
	}
	p := processOf(ts, args[0])
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.show(ts)
		ts.Fatalf("%s has not ended after %v", args[0], Patience)
	}
	delete(bedOf(ts).processes, args[0])
	p.show(ts)
	io.WriteString(ts.Stdout(), p.stdout.String())
	io.WriteString(ts.Stderr(), p.stderr.String())
	if !p.stopped.IsZero() {
		// What the machine takes to schedule two processes is not the program's fault.
		const slack = 500 * time.Millisecond
		if took := time.Since(p.stopped); took > cli.LeaveTime+slack {
			ts.Fatalf("%s took %v to end after it was asked to", args[0], took)
		}
	}
	if status := strconv.Itoa(p.cmd.ProcessState.ExitCode()); status != args[1] {
		ts.Fatalf("%s ended with status %s, not %s", args[0], status, args[1])
	}
}

func processOf(ts *testscript.TestScript, name string) *process {
	p := bedOf(ts).processes[name]
	if p == nil {
		ts.Fatalf("%s has not been started, or has ended", name)
	}
	return p
}
