// Package cli is the command line that all programs share. The rules of their output:
//
//  1. Standard output carries what the user asked for, and nothing else.
//  2. Everything else is a line on standard error: the program's name, a colon, the text. It begins
//     in lower case and ends without a full stop.
//  3. An error names the file, address, topic or group, and the cause. What to do about it is a
//     second line, "name: hint: ..." (see [WithHint]).
//  4. A program ends with status 0 when its work is done, when a signal stops it, or when nobody
//     reads its output any more. It ends with 1 when something failed, with 2 after wrong use.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"tkafka/pkg/terminal"
)

// ErrDone is returned by work that has nothing left to do. It ends a program cleanly.
var ErrDone = errors.New("done")

// Stopped is returned by work that a signal stopped, with a line to print about it. It ends a
// program cleanly, too.
type Stopped string

func (s Stopped) Error() string { return string(s) }

// LeaveTime is how long a program may take to end after a signal: to deliver what it has read, to
// commit, to leave its group.
const LeaveTime = 2 * time.Second

// Commit is the commit of a release, set by the linker (-ldflags "-X tkafka/pkg/cli.Commit=...").
// If it is empty, [Version] returns what the Go toolchain recorded.
var Commit string

// LimitMemory keeps the heap of a program that sends or reads messages small. By default, Go lets it grow
// to twice what is in use. From this limit on, Go collects garbage more often instead.
func LimitMemory() { debug.SetMemoryLimit(56 << 20) }

// Program is one of the programs: its name, its flags and its standard error.
type Program struct {
	Name  string         // the name of its folder; every line on standard error begins with it
	Flags *pflag.FlagSet // the program adds its own before Run

	usage, about, example string
	started               string // the first words of its command line

	mu     sync.Mutex
	stderr io.Writer
	bottom string // the last line of the terminal: a prompt, or progress
}

// New describes a program. The usage line names the program and its arguments, and Run compares
// the command line with it. In "consumer <topic> earliest|latest [group]" the first argument may be
// anything, the second must be one of the two words, and the third is optional. Any number of arguments may
// follow the last one if it ends with "...". About describes in a
// sentence or two what the user will see. Example has commands to type, one a line. The user sees the
// usage and the examples with the words that started the program, such as "go run ./consumer".
func New(usage, about, example string) *Program {
	name := strings.Fields(usage)[0]
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.SortFlags = false
	flags.SetOutput(io.Discard) // Run prints the errors
	return &Program{Name: name, Flags: flags, usage: usage, about: about, example: example, started: started(), stderr: os.Stderr}
}

// Run reads the command line, does the work and ends the process. The first SIGINT, SIGTERM, SIGQUIT
// or SIGHUP cancels the context of the work. The work then has LeaveTime to return. A second signal
// ends the process at once. Run reports an error of the work, unless it is ErrDone, the cancellation
// itself, or a broken pipe: a reader who has left.
func (p *Program) Run(work func(ctx context.Context, args []string) error) {
	os.Exit(p.run(os.Args[1:], work))
}

func (p *Program) run(line []string, work func(ctx context.Context, args []string) error) int {
	help := p.Flags.BoolP("help", "h", false, "show this help")
	version := p.Flags.Bool("version", false, "show the version")
	err := p.Flags.Parse(line)
	var wrong *strconv.NumError
	switch {
	case errors.As(err, &wrong): // in a list of numbers
		plain := fmt.Sprintf("%q is not a number", wrong.Num)
		return p.misused(&Misuse{strings.Replace(err.Error(), wrong.Error(), plain, 1)})
	case err != nil:
		return p.misused(err)
	case *help:
		fmt.Print(p.help())
		return 0
	case *version:
		fmt.Println(p.Name, Version())
		return 0
	}
	if problem := p.wrongArguments(p.Flags.Args(), line); problem != "" {
		return p.misused(&Misuse{problem})
	}
	ctx, release := p.untilSignalled()
	defer release()
	return p.Status(ctx, work(ctx, p.Flags.Args()))
}

// Status reports the error, if there is one, and returns the exit status for it.
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
		return p.misused(misuse)
	}
	p.Report(err)
	return 1
}

// Misuse is an error in how the user called a program. It ends the program with status 2.
type Misuse struct{ Problem string }

func (m *Misuse) Error() string { return m.Problem }

func (p *Program) misused(err error) int {
	p.Report(err)
	p.Say("usage: %s", p.typed(p.usage))
	p.Hint("%s --help shows all flags and an example", p.typed(p.command()))
	return 2
}

// command returns the usage line without the arguments: consumer, or enroll apply.
func (p *Program) command() string {
	words := strings.Fields(p.usage)
	if at := slices.IndexFunc(words, func(word string) bool { return strings.ContainsAny(word, "<[|") }); at >= 0 {
		words = words[:at]
	}
	return strings.Join(words, " ")
}

// typed returns a command, such as the usage line, as the user types it: with the words that started
// the program in place of its name. The name is the first word, or follows a pipe.
func (p *Program) typed(command string) string {
	if rest, ok := strings.CutPrefix(command, p.Name); ok {
		return p.started + rest
	}
	return strings.Replace(command, "| "+p.Name, "| "+p.started, 1)
}

// wrongArguments returns what is wrong with the arguments. Line is the whole command line.
func (p *Program) wrongArguments(args, line []string) string {
	names := strings.Fields(p.usage)[1:]
	if n := len(names); n > 0 && strings.HasSuffix(names[n-1], "...") { // the rest is for another program
		names[n-1] = strings.TrimSuffix(names[n-1], "...")
		args = args[:min(len(args), n)]
	}
	if len(args) > len(names) {
		unexpected := args[len(names)]
		if at := slices.Index(line, unexpected); at > 0 && strings.HasSuffix(line[at-1], ",") {
			return fmt.Sprintf("unexpected argument %q: write the list without blanks: %s%s", unexpected, line[at-1], unexpected)
		}
		return fmt.Sprintf("unexpected argument %q", unexpected)
	}
	for _, missing := range names[len(args):] {
		if !strings.HasPrefix(missing, "[") {
			return fmt.Sprintf("%s is missing", strings.Trim(missing, "<>"))
		}
	}
	for i, arg := range args {
		if strings.TrimSpace(arg) == "" {
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
	fmt.Fprintf(&help, "%s\n\nusage: %s [flags]\n\nfor example:\n", p.about, p.typed(p.usage))
	for line := range strings.Lines(p.example) {
		fmt.Fprintf(&help, "  %s\n", p.typed(strings.TrimSpace(line)))
	}
	p.Flags.VisitAll(func(flag *pflag.Flag) {
		if flag.Value.Type() == "bool" {
			flag.Value = onOff{flag.Value}
		}
	})
	fmt.Fprintf(&help, "\nflags:\n%s", p.Flags.FlagUsagesWrapped(80))
	return help.String()
}

// onOff is a flag without a value in the help: --pause. Of its own type "bool", pflag shows
// --pause[=true|false].
type onOff struct{ pflag.Value }

func (onOff) Type() string { return "boolfunc" }

// Version returns what this program was built from: the commit of a release, or what the Go
// toolchain recorded about the checkout.
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

// Say prints one line on standard error, with the program's name in front. Any goroutine may call
// it. It escapes what does not belong on a terminal.
func (p *Program) Say(format string, args ...any) {
	text := terminal.Escape(fmt.Appendf(nil, format, args...))
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.stderr, "%s%s: %s\n%s", p.clearBottom(), p.Name, text, p.bottom)
}

// Hint prints what the user can do about the line before.
func (p *Program) Hint(format string, args ...any) {
	p.Say("hint: "+format, args...)
}

// Report prints the error and, on a second line, its hint (see [WithHint]).
func (p *Program) Report(err error) {
	p.Say("%v", err)
	if hint := HintOf(err); hint != "" {
		p.Hint("%s", hint)
	}
}

// HintOf returns the hint of an error (see [WithHint]), or "".
func HintOf(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return hinted.Hint()
	}
	return ""
}

// WithHint adds a hint to an error: what the user can do about it, with the command to type.
// [Program.Report] prints it on a line of its own. An error type of another package can have a hint,
// too: a method Hint() string. Of a chain of wrapped errors, the first hint counts.
func WithHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

type hinted struct {
	error
	hint string
}

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }

// Bottom keeps the text on the last line of the terminal, below all other lines: a prompt, or
// progress. An empty text removes it. Use it only if standard error is a terminal.
func (p *Program) Bottom(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.stderr, p.clearBottom(), text)
	p.bottom = text
}

// Entered records that the user has typed a whole line behind the bottom text: the cursor is now on
// a new line.
func (p *Program) Entered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bottom = ""
}

// clearBottom returns the bytes that erase the bottom line: back to the first column, and erase to
// the end of the line.
func (p *Program) clearBottom() string {
	if p.bottom == "" {
		return ""
	}
	return "\r\x1b[K"
}

// Count formats a number for people: 1,000,000.
func Count[N int | int64](n N) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
