package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// a program for tests, and what it says.
func program(usage string) (*Program, *bytes.Buffer) {
	said := new(bytes.Buffer)
	p := New(usage, "Does it.", "does it")
	p.stderr, p.started = said, "./does"
	return p, said
}

const helpHint = "does: hint: ./does --help shows all flags and an example\n"

func TestArguments(t *testing.T) {
	const usage = "does <topic> earliest|latest [group]"
	for _, test := range []struct {
		name   string
		line   []string
		status int
		said   string
	}{
		{"all", []string{"t", "latest", "g"}, 0, ""},
		{"without the optional one", []string{"t", "earliest"}, 0, ""},
		{"none", nil, 2, "does: topic is missing\n"},
		{"one missing", []string{"t"}, 2, "does: earliest|latest is missing\n"},
		{"too many", []string{"t", "latest", "g", "x"}, 2, "does: unexpected argument \"x\"\n"},
		{"misspelt choice", []string{"t", "lastest"}, 2, "does: \"lastest\" is not earliest or latest\n"},
		{"empty", []string{"", "latest"}, 2, "does: topic is empty\n"},
		{"blank", []string{"t", "latest", "  "}, 2, "does: group is empty\n"},
		{"no number in a list", []string{"t", "latest", "--ports", "1,x"}, 2,
			"does: invalid argument \"1,x\" for \"--ports\" flag: \"x\" is not a number\n"},
		{"a list with blanks", []string{"-l", "a,", "t", "latest", "g", "-l", "b,", "c"}, 2,
			"does: unexpected argument \"c\": write the list without blanks: b,c\n"},
		{"unknown flag", []string{"t", "latest", "--fast"}, 2, "does: unknown flag: --fast\n"},
		{"flag behind the arguments", []string{"t", "latest", "--number", "3"}, 0, ""},
		{"flag with a wrong value", []string{"t", "latest", "-n", "x"}, 2,
			"does: invalid argument \"x\" for \"-n, --number\" flag: must be an integer\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, said := program(usage)
			p.Flags.IntP("number", "n", 0, "")
			p.Flags.StringSliceP("list", "l", nil, "")
			p.Flags.IntSlice("ports", nil, "")
			called := false
			status := p.run(test.line, func(context.Context, []string) error {
				called = true
				return nil
			})
			if status != test.status || called != (status == 0) {
				t.Errorf("status %d, work called: %v", status, called)
			}
			want := test.said
			if want != "" {
				want += "does: usage: ./does <topic> earliest|latest [group]\n" + helpHint
			}
			if said.String() != want {
				t.Errorf("said %q, want %q", said, want)
			}
		})
	}
}

// The arguments of another program may be anything.
func TestRestOfArguments(t *testing.T) {
	for _, test := range []struct {
		line   []string
		args   []string
		status int
	}{
		{[]string{"a", "--", "go", "run", "-x", ""}, []string{"a", "go", "run", "-x", ""}, 0},
		{[]string{"b", "ls"}, []string{"b", "ls"}, 0},
		{[]string{"a"}, nil, 2},
		{[]string{"c", "ls"}, nil, 2},
		{nil, nil, 2},
	} {
		p, said := program("does a|b <command>...")
		var got []string
		status := p.run(test.line, func(_ context.Context, args []string) error {
			got = args
			return nil
		})
		if status != test.status || !slices.Equal(got, test.args) {
			t.Errorf("%q: status %d, %q; %s", test.line, status, got, said)
		}
	}
}

func TestStatus(t *testing.T) {
	stopped, stop := context.WithCancel(context.Background())
	stop()
	for _, test := range []struct {
		name   string
		ctx    context.Context
		err    error
		status int
		said   string
	}{
		{"nothing left to do", context.Background(), fmt.Errorf("%w", ErrDone), 0, ""},
		{"asked to stop", stopped, context.Canceled, 0, ""},
		{"asked to stop, with a line to print", stopped, Stopped("not stored"), 0, "does: not stored\n"},
		{"cancelled by somebody else", context.Background(), context.Canceled, 1, "does: context canceled\n"},
		{"failed while being stopped", stopped, errors.New("lost it"), 1, "does: lost it\n"},
		{"reader gone", context.Background(), fmt.Errorf("write: %w", syscall.EPIPE), 0, ""},
		{"failed", context.Background(), errors.New("lost it"), 1, "does: lost it\n"},
		{"failed, with a hint", context.Background(), fmt.Errorf("all: %w", WithHint(errors.New("lost it"), "look for %s", "it")), 1,
			"does: all: lost it\ndoes: hint: look for it\n"},
		{"misused", context.Background(), &Misuse{"no such thing"}, 2, "does: no such thing\ndoes: usage: ./does\n" + helpHint},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, said := program("does")
			if status := p.Status(test.ctx, test.err); status != test.status || said.String() != test.said {
				t.Errorf("status %d, said %q; want %d, %q", status, said, test.status, test.said)
			}
		})
	}
}

func TestSayEscapes(t *testing.T) {
	p, said := program("does")
	p.Say("topic %s", "\x1b[2J\nevil: line")
	if want := `does: topic \x1b[2J\nevil: line` + "\n"; said.String() != want {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestBottom(t *testing.T) {
	p, said := program("does")
	p.Bottom("> ")
	p.Say("lost a broker")
	p.Entered()
	p.Say("sent")
	p.Bottom("> ")
	p.Bottom("")
	const clear = "\r\x1b[K"
	want := "> " + clear + "does: lost a broker\n" + "> " + "does: sent\n" + "> " + clear
	if said.String() != want {
		t.Errorf("said %q, want %q", said, want)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestCountFlag(t *testing.T) {
	for _, test := range []struct {
		line   []string
		status int
		want   int
	}{
		{nil, 0, math.MaxInt},
		{[]string{"-n", "3"}, 0, 3},
		{[]string{"-n", "0"}, 2, 0},
		{[]string{"-n", "-1"}, 2, 0},
		{[]string{"-n", "many"}, 2, 0},
	} {
		p, said := program("does")
		n := p.CountFlag("number", "n", "stop after `N`")
		status := p.run(test.line, func(context.Context, []string) error { return nil })
		if status != test.status || status == 0 && *n != test.want {
			t.Errorf("%q: status %d, %d messages", test.line, status, *n)
		}
		if status != 0 && !strings.Contains(said.String(), "write a number from 1 on\n") {
			t.Errorf("%q: said %q", test.line, said)
		}
	}
}

func TestTimeFlag(t *testing.T) {
	for _, test := range []struct {
		line   []string
		status int
		want   time.Duration
	}{
		{nil, 0, time.Minute},
		{[]string{"--time", "1.5s"}, 0, 1500 * time.Millisecond},
		{[]string{"--time", "0"}, 0, 0},
		{[]string{"--time", "5"}, 2, 0},
		{[]string{"--time=-5s"}, 2, 0},
		{[]string{"--time", "soon"}, 2, 0},
	} {
		p, said := program("does")
		d := p.TimeFlag("time", time.Minute, "")
		status := p.run(test.line, func(context.Context, []string) error { return nil })
		if status != test.status || status == 0 && *d != test.want {
			t.Errorf("%q: status %d, %v", test.line, status, *d)
		}
		if status != 0 && !strings.Contains(said.String(), "write a time such as 5s\n") {
			t.Errorf("%q: said %q", test.line, said)
		}
	}
}

// The hint after wrong use has the command, too, if the program has several.
func TestHelpOfACommand(t *testing.T) {
	for usage, want := range map[string]string{
		"does this|that": "./does --help", "does this": "./does this --help", "does this <topic> [group]": "./does this --help",
	} {
		p, said := program(usage)
		p.misused(errors.New("wrong"))
		if !strings.Contains(said.String(), "hint: "+want+" shows") {
			t.Errorf("%s: said %q", usage, said)
		}
	}
}

// The command in a hint is the one that started the program.
func TestStarted(t *testing.T) {
	const cached, temporary = "/home/me/.cache/go-build/ef/efc3-d/consumer", "/tmp/go-build215/b001/exe/consumer"
	for _, test := range []struct{ executable, here, want string }{
		{"consumer", "/usr/src/app", "consumer"}, // in an image
		{"./consumer", "/tkafka", "./consumer"},
		{cached, "/tkafka", "go run ./commitoffsets/consumer"},
		{temporary, "/tkafka", "go run ./commitoffsets/consumer"},
		{cached, "/tkafka/commitoffsets", "go run ./consumer"},
		{cached, "/tkafka/commitoffsets/consumer", "go run ."},
		{cached, "/tkafka/commitoffsets/consumercommit", "go run ../consumer"},
	} {
		if got := startedAs(test.executable, test.here, "/tkafka/commitoffsets/consumer"); got != test.want {
			t.Errorf("%s in %s: %s, want %s", test.executable, test.here, got, test.want)
		}
	}
	if got := startedAs(cached, "/tkafka", "tkafka/consumer"); got != cached { // built with -trimpath
		t.Errorf("without the folder: %s", got)
	}
}

// Grace outlives its context, and ends with its own cancel function.
func TestGrace(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	late, cancel := Grace(ctx, time.Hour)
	stop()
	if late.Err() != nil {
		t.Error("ended together with its context")
	}
	cancel()
	if late.Err() == nil {
		t.Error("not cancelled")
	}
	soon, cancel := Grace(ctx, time.Millisecond)
	defer cancel()
	<-soon.Done()
}

// The help has an example, fits on a terminal of 80 columns, and shows a switch without a value.
func TestHelp(t *testing.T) {
	p, _ := program("does <topic>")
	p.example = "does it\nseq 3 | does it\ngo run ./does"
	p.Flags.Bool("pause", false, "wait for Enter")
	p.Flags.String("folder", "", strings.Repeat("a long explanation ", 10))
	help := p.help()
	if !strings.Contains(help, "for example:\n  ./does it\n  seq 3 | ./does it\n  go run ./does\n") || !strings.Contains(help, "--pause   ") {
		t.Errorf("the help is %s", help)
	}
	for line := range strings.Lines(help) {
		if len(line) > 81 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}
