package testbed

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"tkafka/pkg/lab/process"
)

// leaveTime is how long a program may take to end after a signal, or after the end of its input.
const leaveTime = 3 * time.Second

// program is a program that runs beside the script.
type program struct {
	*process.Process
	stopped time.Time // when it was asked to stop
}

func (s *state) start(args []string) { s.ts.Check(s.register(args).Start()) }

func (s *state) startOnTerminal(args []string) { s.ts.Check(s.register(args).StartOnTerminal(24, 80)) }

// register gives a program the name that the script uses for it.
func (s *state) register(args []string) *program {
	if s.programs[args[0]] != nil {
		s.ts.Fatalf("a program named %s is running", args[0])
	}
	p := &program{Process: s.newProcess(args[1:])}
	s.programs[args[0]] = p
	return p
}

func (s *state) newProcess(line []string) *process.Process {
	command := exec.Command(s.lookPath(line[0]), line[1:]...)
	command.Dir = s.ts.MkAbs(".")
	// At its end a program with the race detector in it would sleep for a second.
	command.Env = []string{"GORACE=atexit_sleep_ms=0"}
	for _, name := range []string{"PATH", "HOME", "TOPIC", "GROUP", "GOCOVERDIR", "KAFKA_AUTH", "KAFKA_BROKERS", "KAFKA_KEYSTORE_PASSWORD"} {
		if value := s.ts.Getenv(name); value != "" {
			command.Env = append(command.Env, name+"="+value)
		}
	}
	return process.New(command)
}

// lookPath finds a program in the script's PATH. exec.Command would look in the PATH of the test.
func (s *state) lookPath(name string) string {
	for _, dir := range filepath.SplitList(s.ts.Getenv("PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	s.ts.Fatalf("no program %s", name)
	return ""
}

// program returns the program that the script started by this name.
func (s *state) program(name string) *program {
	p := s.programs[name]
	if p == nil {
		s.ts.Fatalf("%s has not started, or has ended", name)
	}
	return p
}

func (s *state) expect(args []string) {
	p := s.program(args[0])
	from := &p.Stdout
	switch args[1] {
	case "stdout":
	case "stderr":
		from = &p.Stderr
	default:
		s.ts.Fatalf("%s is not stdout or stderr", args[1])
	}
	pattern, err := regexp.Compile("(?m)" + args[2])
	s.ts.Check(err)
	match, err := p.Await(context.Background(), from, pattern, timeout)
	if err != nil {
		s.show(p)
		s.ts.Fatalf("%s: %v", args[0], err)
	}
	for at, name := range pattern.SubexpNames() {
		if name != "" {
			s.ts.Setenv(name, match[at])
		}
	}
	s.ts.Logf("%s", match[0])
	io.WriteString(s.ts.Stdout(), match[0]+"\n")
}

func (s *state) show(p *program) {
	s.ts.Logf("[stdout]\n%s[stderr]\n%s", &p.Stdout, &p.Stderr)
}

func (s *state) feed(args []string) { s.ts.Check(s.program(args[0]).Type(args[1] + "\n")) }

func (s *state) signal(args []string) {
	name := append(args, "SIGINT")[1]
	number, ok := map[string]os.Signal{
		"SIGINT": os.Interrupt, "SIGTERM": syscall.SIGTERM, "SIGHUP": syscall.SIGHUP, "SIGKILL": os.Kill,
	}[name]
	if !ok {
		s.ts.Fatalf("unknown signal %s", name)
	}
	p := s.program(args[0])
	p.stopped = time.Now()
	s.ts.Check(p.Signal(number))
}

func (s *state) closeInput(args []string) {
	p := s.program(args[0])
	p.stopped = time.Now()
	s.ts.Check(p.CloseInput())
}

func (s *state) ended(args []string) {
	p := s.program(args[0])
	status, err := p.Wait(timeout)
	took := time.Since(p.stopped)
	s.show(p)
	if err != nil {
		s.ts.Fatalf("%s: %v", args[0], err)
	}
	delete(s.programs, args[0])
	io.WriteString(s.ts.Stdout(), p.Stdout.String())
	io.WriteString(s.ts.Stderr(), p.Stderr.String())
	// A busy machine needs time to schedule two processes.
	if !p.stopped.IsZero() && took > leaveTime+500*time.Millisecond {
		s.ts.Fatalf("%s took %v to end after it was asked to", args[0], took)
	}
	if want := s.number(args[1]); status != want {
		s.ts.Fatalf("%s ended with status %d, not %d", args[0], status, want)
	}
}
