package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"
)

// With USAGE, this program is the one that the tests run.
func TestMain(m *testing.M) {
	usage, isChild := os.LookupEnv("USAGE")
	if !isChild {
		os.Exit(m.Run())
	}
	name = "does"
	pflag.IntP("count", "n", math.MaxInt, "stop after `N`")
	pflag.String("group", "", "its group")
	Run(usage, "Does it.", work)
}

func work(ctx context.Context, args []string) error {
	if os.Getenv("READY") != "" {
		os.NewFile(3, "ready").Close() // from now on, it handles signals
	}
	switch os.Getenv("WORK") {
	case "lines":
		for number, line := range Lines(ctx) {
			fmt.Printf("%d:%s|", number, line)
		}
		return nil
	case "print": // more than fits into any buffer
		out := NewPrinter("%v\n")
		for range 100 {
			out.Print(&kgo.Record{Value: bytes.Repeat([]byte("x"), 10_000)})
		}
		return out.Flush()
	case "say":
		for range 10 {
			Say("%s", strings.Repeat("x", 10_000))
		}
		return nil
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	case "hang":
		select {}
	case "fail":
		return fmt.Errorf("all: %w", WithHint(errors.New("lost \x1b[2J\nit"), "look for %s", "it"))
	case "misuse":
		return &Misuse{"no such thing"}
	case "file": // with standard output closed, the file must not get its number
		file, err := os.Create(args[0])
		if err != nil {
			return err
		}
		fmt.Println("for standard output")
		return file.Close()
	}
	fmt.Printf("%q", args)
	return nil
}

// does returns a command that runs this program.
func does(usage, work string, args ...string) (_ *exec.Cmd, stdout, stderr *bytes.Buffer) {
	command := exec.Command(os.Args[0], args...)
	// At its end a program with the race detector in it would sleep for a second.
	command.Env = append(os.Environ(), "USAGE="+usage, "WORK="+work, "GORACE=atexit_sleep_ms=0")
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	command.Stdout, command.Stderr = stdout, stderr
	return command, stdout, stderr
}

func TestArguments(t *testing.T) {
	const usage, optional = "<topic> earliest|latest", "<topic> [group=g]"
	for _, test := range []struct {
		usage, line string
		status      int
		want        string // on standard output, or the first line of standard error
	}{
		{usage, "t latest", 0, `["t" "latest"]`},
		{usage, "t latest -n 3", 0, `["t" "latest"]`},
		{usage, "", 2, "topic is missing"},
		{usage, "t", 2, "earliest|latest is missing"},
		{usage, "t lastest", 2, `"lastest" is not earliest or latest`},
		{usage, "t latest x", 2, `unexpected argument "x"`},
		{usage, "t latest --fast", 2, "unknown flag: --fast"},
		{usage, "t latest -n x", 2, `invalid argument "x" for "-n, --count" flag`},
		{usage, "t latest -group g", 2, "use two dashes: --group"},
		{usage, "t latest -group=g", 2, "use two dashes: --group=g"},
		{usage, "-help", 2, "use two dashes: --help"},
		{usage, "t latest -topic t", 2, "unknown flag: --topic (a flag with a long name has two dashes)"},
		{optional, "t", 0, `["t" "g"]`},
		{optional, "t h", 0, `["t" "h"]`},
		{optional, "t ␣", 2, "group is empty"},
	} {
		args := strings.Fields(test.line)
		if i := slices.Index(args, "␣"); i >= 0 {
			args[i] = " "
		}
		command, stdout, stderr := does(test.usage, "", args...)
		command.Run()
		got := stdout.String()
		if test.status != 0 {
			got, _, _ = strings.Cut(stderr.String(), "\n")
			test.want = "does: " + test.want
		}
		if status := command.ProcessState.ExitCode(); status != test.status || !strings.HasPrefix(got, test.want) {
			t.Errorf("%q: status %d, %q; want %d, %q", test.line, status, got, test.status, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	command, stdout, stderr := does("<topic>", "", "--help")
	if err := command.Run(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%v %s", err, stderr)
	}
	for _, want := range []string{"Does it.\n", "usage: does <topic> [flags]\n", "  -n, --count N             stop after N\n", "  -h, --help                show this help\n"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in %s", want, stdout)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		work   string
		status int
		stderr string
	}{
		{"", 0, ""},
		{"fail", 1, `does: all: lost \x1b[2J\nit` + "\ndoes: hint: look for it\n"},
		{"misuse", 2, "does: no such thing\ndoes: usage: does x\n"},
	} {
		command, _, stderr := does("x", test.work, "x")
		command.Run()
		if status := command.ProcessState.ExitCode(); status != test.status || !strings.HasPrefix(stderr.String(), test.stderr) {
			t.Errorf("%s: status %d, %q", test.work, status, stderr)
		}
	}
}

// A signal ends it with status 0, in every state. The second one ends it at once.
func TestSignals(t *testing.T) {
	for _, test := range []struct {
		work                 string
		hangs, stdin, silent bool
		status               int
	}{
		{work: "wait"},
		{work: "hang", hangs: true, status: -1},
		{work: "lines"},
		{work: "lines", stdin: true, status: 1}, // the rest of the input is not sent
		{work: "print", silent: true},
		{work: "say", silent: true},
	} {
		t.Run(fmt.Sprint(test.work, test.stdin), func(t *testing.T) {
			t.Parallel()
			command, _, stderr := does("", test.work)
			if test.silent { // nobody reads
				_, full := pipe(t)
				full.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				full.Write(make([]byte, 1<<20)) // more than a pipe takes
				command.Stdout, command.Stderr = full, full
			}
			ready, started := pipe(t)
			command.ExtraFiles, command.Env = []*os.File{started}, append(command.Env, "READY=yes")
			stdin, err := command.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			kill := time.AfterFunc(20*time.Second, func() { command.Process.Kill() })
			defer kill.Stop()
			if test.stdin {
				go func() {
					for _, err := stdin.Write([]byte("line\n")); err == nil; _, err = stdin.Write([]byte("line\n")) {
					}
				}()
			}
			started.Close()
			io.ReadAll(ready) // until it closes its end
			signalled := time.Now()
			command.Process.Signal(syscall.SIGINT)
			if test.hangs {
				go func() {
					for command.Process.Signal(syscall.SIGINT) == nil { // not at once, because timeout(1) sends two
						time.Sleep(50 * time.Millisecond)
					}
				}()
			}
			command.Wait()
			if took := time.Since(signalled); took > 3*time.Second {
				t.Errorf("it took %v", took)
			}
			if status := command.ProcessState.ExitCode(); status != test.status {
				t.Errorf("status %d; %s", status, stderr)
			}
		})
	}
}

func pipe(t *testing.T) (reader, writer *os.File) {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		reader.Close()
		writer.Close()
	})
	return reader, writer
}

// Standard output is closed, and its reader has left.
func TestNoReader(t *testing.T) {
	file := t.TempDir() + "/file"
	command, _, _ := does("<file>", "file", file)
	shell := exec.Command("sh", "-c", `exec "$0" "$1" >&-`, command.Path, file)
	shell.Env = command.Env
	if err := shell.Run(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || len(text) > 0 {
		t.Errorf("%q, %v", text, err)
	}
	command, _, stderr := does("", "print")
	reader, writer := pipe(t)
	reader.Close()
	command.Stdout = writer
	if err := command.Run(); err != nil || stderr.Len() > 0 {
		t.Errorf("%v %s", err, stderr)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for text, want := range map[string]string{
		"":                    "",
		"one\ntwo":            "1:one|2:two|",
		"one\r\n\n\xff\x00\n": "1:one|2:|3:\xff\x00|",
		long + "\n" + "short": "1:" + long + "|2:short|",
	} {
		command, stdout, stderr := does("", "lines")
		command.Stdin = strings.NewReader(text)
		if err := command.Run(); err != nil || stdout.String() != want {
			t.Errorf("%.20q: %.40q %s %v", text, stdout, stderr, err)
		}
	}
	command, _, stderr := does("", "lines")
	command.Stdin = strings.NewReader(strings.Repeat("x", longest+1<<20))
	if command.Run(); command.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "longer than 16 MiB") {
		t.Errorf("%v %s", command.ProcessState, stderr)
	}
}

func TestTexts(t *testing.T) {
	for in, want := range map[string]string{
		"a\tb\nü":            "a\tb\nü",
		"\x1b[2J\r\x00\x7f":  `\x1b[2J\r\x00\x7f`,
		"\u009b\u202e\ufeff": `\u009b\u202e\ufeff`,
		"\xff\u00e9\xc3":     `\xffé\xc3`,
	} {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Count(in); got != want {
			t.Errorf("Count(%d) = %s", in, got)
		}
	}
	for want, in := range map[string][]int32{"": nil, "5": {5}, "0-15": {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, "0-1,3,7-8": {0, 1, 3, 7, 8}} {
		if got := Ranges(in); got != want {
			t.Errorf("Ranges(%v) = %s", in, got)
		}
	}
}

// Nothing is left that could control a terminal.
func FuzzEscape(f *testing.F) {
	f.Add([]byte("\x1b[31m\xff\u202e\x9b"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, r := range Escape(string(text)) {
			if r != '\n' && r != '\t' && !unicode.IsPrint(r) {
				t.Errorf("Escape(%q) has %q", text, r)
			}
		}
	})
}
