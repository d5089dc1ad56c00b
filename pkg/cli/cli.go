// Package cli is the command line that all programs share. The rules of their output:
//
//  1. Standard output carries what the user asked for, and nothing else.
//  2. Everything else is a line on standard error: the name of the program, a colon, the text.
//  3. An error names the file, address, topic or group, and the cause. What the user can do about it is
//     a second line, "name: hint: ..." (see [WithHint]).
//  4. A program ends with status 0 when its work is done, when a signal stops it and no input is left, or
//     when nobody reads its output any more. It ends with 1 when something failed, and with 2 after wrong use.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
)

// Each system has these numbers, but not each has the names.
const sighup, sigpipe = syscall.Signal(1), syscall.Signal(13)

var status int // of the process, if the work returns no error

// Run reads the command line, does the work, and ends the process. The usage names the arguments: in
// "<topic> earliest|latest [group=g]" the second one is one of two words, and the third one is g if it is
// not given. About says what the program does.
//
// The first Ctrl-C (SIGINT), SIGTERM or SIGHUP ends the context of the work, which then returns within three
// seconds. The second one ends the process at once. The end of the program that reads standard output, such as
// head(1), is like a first signal. Neither of them is an error.
func Run(usage, about string, work func(ctx context.Context, args []string) error) {
	args := arguments(usage, about)
	signal.Ignore(sigpipe) // a write to a reader who has left returns an error (EPIPE)
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(sighup) { // nohup ignores it
		signals = append(signals, sighup)
	}
	ctx, readerLeft := context.WithCancel(context.Background())
	go awaitNoReader(readerLeft)
	ctx, stop := signal.NotifyContext(ctx, signals...)
	leaving = Grace(ctx, time.Second/2)
	context.AfterFunc(ctx, func() {
		time.Sleep(100 * time.Millisecond) // timeout(1) sends its signal twice
		stop()                             // the next signal ends the process
	})
	err := work(ctx, args)
	var wrong *Misuse
	switch {
	case err == nil, errors.Is(err, syscall.EPIPE), ctx.Err() != nil && errors.Is(err, context.Canceled):
		os.Exit(status)
	case errors.As(err, &wrong):
		misused(usage, err)
	}
	Warn(err)
	os.Exit(1)
}

// arguments reads the command line. It adds the optional arguments that are not given.
func arguments(usage, about string) []string {
	help := pflag.BoolP("help", "h", false, "show this help")
	pflag.CommandLine.Init(name, pflag.ContinueOnError)
	pflag.CommandLine.SetOutput(io.Discard) // misused prints the errors
	err := pflag.CommandLine.Parse(os.Args[1:])
	if err == nil && *help {
		flags := strings.NewReplacer(fmt.Sprintf(" (default %d)", math.MaxInt), "", "[=true|false]", "             ", `\\n`, `\n`)
		fmt.Printf("%s\n\nusage: %s %s [flags]\n\nflags:\n", about, name, usage)
		flags.WriteString(os.Stdout, pflag.CommandLine.FlagUsagesWrapped(80))
		os.Exit(0)
	}
	for _, word := range os.Args[1:] { // pflag reads -group as -g -r -o -u -p, and -format as -f ormat
		long, isFlag := strings.CutPrefix(word, "-")
		switch flag, _, _ := strings.Cut(long, "="); {
		case isFlag && len(flag) > 1 && pflag.Lookup(flag) != nil:
			misused(usage, fmt.Errorf("use two dashes: --%s", long))
		case err != nil && strings.HasPrefix(err.Error(), "unknown shorthand") && strings.HasSuffix(err.Error(), " in "+word):
			err = fmt.Errorf("unknown flag: --%s (a flag with a long name has two dashes)", flag)
		}
	}
	args := pflag.Args()
	if err == nil {
		args, err = complete(strings.Fields(usage), args)
	}
	if err != nil {
		misused(usage, err)
	}
	return args
}

// complete checks the arguments, and adds the optional ones that are not given.
func complete(usage, args []string) ([]string, error) {
	if len(args) > len(usage) {
		return nil, fmt.Errorf("unexpected argument %q", args[len(usage)])
	}
	for i, argument := range usage {
		name, otherwise, optional := strings.Cut(strings.Trim(argument, "<>[]"), "=")
		words := strings.Split(name, "|")
		switch {
		case i >= len(args) && optional:
			args = append(args, otherwise)
		case i >= len(args):
			return nil, fmt.Errorf("%s is missing", name)
		case strings.TrimSpace(args[i]) == "":
			return nil, fmt.Errorf("%s is empty", name)
		case len(words) > 1 && !slices.Contains(words, args[i]):
			return nil, fmt.Errorf("%q is not %s", args[i], strings.Join(words, " or "))
		}
	}
	return args, nil
}

// A Misuse is an error in how the user called the program. It ends the program with status 2.
type Misuse struct{ Problem string }

func (m *Misuse) Error() string { return m.Problem }

func misused(usage string, err error) {
	Warn(err)
	Say("usage: %s %s", name, usage)
	Say("hint: with --help it shows all flags")
	os.Exit(2)
}

// Grace returns a context that ends some time after ctx: for what is on its way at Ctrl-C.
func Grace(ctx context.Context, wait time.Duration) context.Context {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(wait, cancel) })
	return late
}

// Pause waits. If ctx ends before, it returns the error of ctx at once.
func Pause(ctx context.Context, wait time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}
