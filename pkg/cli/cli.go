// Package cli is the command line that all programs share: what they take, how they end, and what
// they say on standard error.
//
// Standard output belongs to what was asked for. Everything else is one line on standard error
// that begins with the program's name. A program ends with status 0 when its work is done, when it
// is asked to stop, or when nobody reads its output any more; 1 when something failed; 2 when it
// was called in a way it does not understand.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"tkafka/pkg/terminal"
)

// ErrDone is returned by work that has nothing left to do. It ends a program cleanly.
var ErrDone = errors.New("done")

// Stopped is returned by work that was asked to stop and has something to tell about it. It ends a
// program cleanly, too.
type Stopped string

func (s Stopped) Error() string { return string(s) }

// LeaveTime is how long a program may take to end once it was asked to: delivering what it has
// accepted, committing, leaving its group.
const LeaveTime = 2 * time.Second

// Commit is the commit a release was built from, set by the linker
// (-ldflags "-X tkafka/pkg/cli.Commit=..."). Where it is empty the version that the Go toolchain
// recorded is told instead.
var Commit string

// Program is one of the programs: its name, its flags and its voice.
type Program struct {
	Name  string         // as its folder is called; the first word of all it says
	Flags *pflag.FlagSet // the program adds its own before Run

	usage, about, example string

	mu     sync.Mutex
	stderr io.Writer
	bottom string // what stands on the last line of the terminal: a prompt, or progress
}

// New describes a program. The usage line names it and its arguments, and Run holds the command
// line against it: of "consumer <topic> earliest|latest [group]" the first may be anything, the
// second one of the two words, and the third may be left out. About says in a sentence or two what
// will be seen; example is a command to type.
func New(usage, about, example string) *Program {
	name := strings.Fields(usage)[0]
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(io.Discard) // Run words the errors
	return &Program{Name: name, Flags: flags, usage: usage, about: about, example: example, stderr: os.Stderr}
}

// Run reads the command line, does the work and ends the process. The context given to the work is
// cancelled by the first SIGINT, SIGTERM or SIGHUP; the work then has LeaveTime to return, and a
// second signal ends the process at once. An error that says why it ended early is told, unless it
// is ErrDone, the cancellation itself, or the broken pipe of a reader who has left.
func (p *Program) Run(work func(ctx context.Context, args []string) error) {
	os.Exit(p.run(os.Args[1:], work))
}

func (p *Program) run(line []string, work func(ctx context.Context, args []string) error) int {
	help := p.Flags.BoolP("help", "h", false, "show this help")
	version := p.Flags.Bool("version", false, "show the version")
	err := p.Flags.Parse(line)
	switch {
	case err != nil:
		return p.misused(err.Error())
	case *help:
		fmt.Print(p.help())
		return 0
	case *version:
		fmt.Println(p.Name, Version())
		return 0
	}
	if problem := p.wrongArguments(p.Flags.Args()); problem != "" {
		return p.misused(problem)
	}
	ctx, release := p.untilSignalled()
	defer release()
	return p.Status(ctx, work(ctx, p.Flags.Args()))
}

// Status tells the error, where it is one, and returns the exit status that goes with it.
func (p *Program) Status(ctx context.Context, err error) int {
	var misuse *Misuse
	var stopped Stopped
	switch {
	case err == nil, errors.Is(err, ErrDone), errors.Is(err, syscall.EPIPE):
		return 0
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return 0
	case errors.As(err, &stopped):
		p.Say("%s", stopped)
		return 0
	case errors.As(err, &misuse):
		return p.misused(misuse.Problem)
	}
	p.Say("%v", err)
	return 1
}

// Misuse is an error in how a program was called: it ends with status 2.
type Misuse struct{ Problem string }

func (m *Misuse) Error() string { return m.Problem }

func (p *Program) misused(problem string) int {
	p.Say("%s", problem)
	p.Say("usage: %s (%s --help tells more)", p.usage, p.Name)
	return 2
}

func (p *Program) wrongArguments(args []string) string {
	names := strings.Fields(p.usage)[1:]
	if len(args) > len(names) {
		return fmt.Sprintf("%q is one argument too many", args[len(names)])
	}
	for _, missing := range names[len(args):] {
		if !strings.HasPrefix(missing, "[") {
			return fmt.Sprintf("%s is missing", strings.Trim(missing, "<>"))
		}
	}
	for i, arg := range args {
		if arg == "" {
			return fmt.Sprintf("%s is empty", strings.Trim(names[i], "<>[]"))
		}
		if words := strings.Split(names[i], "|"); len(words) > 1 && !slices.Contains(words, arg) {
			return fmt.Sprintf("%q is not %s", arg, strings.Join(words, " or "))
		}
	}
	return ""
}

func (p *Program) help() string {
	var help strings.Builder
	fmt.Fprintf(&help, "%s\n\nusage: %s [flags]\n\nfor example:\n", p.about, p.usage)
	for line := range strings.Lines(p.example) {
		fmt.Fprintf(&help, "  %s\n", strings.TrimSpace(line))
	}
	fmt.Fprintf(&help, "\nflags:\n%s", p.Flags.FlagUsages())
	return help.String()
}

// Version tells what this program was built from: the commit of a release, or what the Go
// toolchain has recorded about the checkout.
func Version() string {
	if Commit != "" {
		return Commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version, modified := info.Main.Version, ""
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			version = setting.Value
		case "vcs.modified":
			if setting.Value == "true" {
				modified = " (modified)"
			}
		}
	}
	return version + modified
}

// Say writes one line to standard error, the program's name in front. It may be called from any
// goroutine. What does not belong on a terminal is escaped.
func (p *Program) Say(format string, args ...any) {
	text := terminal.Escape(fmt.Appendf(nil, format, args...))
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.stderr, "%s%s: %s\n%s", p.clearBottom(), p.Name, text, p.bottom)
}

// Bottom keeps the text on the last line of the terminal, below whatever is said: a prompt, or
// progress. An empty text takes it away. It is for a standard error that is a terminal.
func (p *Program) Bottom(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.stderr, p.clearBottom(), text)
	p.bottom = text
}

// Entered tells that what was typed behind the bottom line ended with a newline, so that the
// cursor stands on a line of its own.
func (p *Program) Entered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bottom = ""
}

// clearBottom returns what takes the bottom line off the screen: back to the first column, and
// erase to the end of the line.
func (p *Program) clearBottom() string {
	if p.bottom == "" {
		return ""
	}
	return "\r\x1b[K"
}

// Count writes a number for reading: 1,000,000.
func Count[N int | int64](n N) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
