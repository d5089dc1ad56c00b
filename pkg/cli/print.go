package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/term"
)

var (
	name = strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe")

	// Typing is whether a person types the input.
	Typing     = term.IsTerminal(int(os.Stdin.Fd()))
	toTerminal = term.IsTerminal(int(os.Stdout.Fd()))

	stderr sync.Mutex
	bottom string // the last line of the terminal, such as a prompt
	erase  string // the bytes that erase it
)

// Say prints a line on standard error, after the name of the program. Any goroutine may call it.
func Say(format string, args ...any) {
	text := strings.ReplaceAll(Escape(fmt.Sprintf(format, args...)), "\n", `\n`)
	stderr.Lock()
	defer stderr.Unlock()
	write(os.Stderr, fmt.Appendf(nil, "%s%s: %s\n%s", erase, name, text, bottom))
}

// Warn prints an error and, on a second line, its hint.
func Warn(err error) {
	Say("%v", err)
	if hint := HintOf(err); hint != "" {
		Say("hint: %s", hint)
	}
}

// Hinted is an error with a hint. The first hint in a chain of errors counts. A package such as tlsconf has its own.
type Hinted interface {
	error
	Hint() string
}

// WithHint adds to an error what the user can do about it, with the command to type.
func WithHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}

// HintOf returns the hint of an error, or "".
func HintOf(err error) string {
	if hinted, ok := errors.AsType[Hinted](err); ok {
		return hinted.Hint()
	}
	return ""
}

type hinted struct {
	error
	hint string
}

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }

// Bottom keeps a text below all lines on standard error, if that is a terminal. An empty text removes it.
func Bottom(text string) {
	stderr.Lock()
	defer stderr.Unlock()
	write(os.Stderr, []byte(erase+text))
	if bottom, erase = text, ""; text != "" {
		erase = "\r\x1b[K" // go to the first column, and erase the line
	}
}

// Formats is the help for a flag with the format of a [Printer].
const Formats = "how to print a message: %p partition, %o offset, %k key, %v value, %h{%k=%v } headers"

// A Printer prints messages on standard output: the exact bytes in a pipe, and printable ones on a terminal.
type Printer struct {
	formatter *kgo.RecordFormatter
	text      []byte // that is not written yet
	err       error  // of the first write that failed
}

// NewPrinter makes a printer with a format such as "%p %o %k %v\n": partition, offset, key and value (see
// [kgo.NewRecordFormatter]). A wrong format ends the program, as a wrong flag does.
func NewPrinter(format string) *Printer {
	formatter, err := kgo.NewRecordFormatter(format)
	if err != nil {
		Warn(WithHint(fmt.Errorf("format %q: %w", format, err), `a format is like '%%p %%o %%k %%v\n'`))
		os.Exit(2)
	}
	return &Printer{formatter: formatter}
}

// Print adds a message to the output. Call Flush after the last one that there is now.
func (p *Printer) Print(message *kgo.Record) {
	if p.text = p.formatter.AppendRecord(p.text, message); len(p.text) > 64<<10 {
		p.Flush() // it keeps the error
	}
}

// Println adds a line of the program itself, and flushes.
func (p *Printer) Println(line string) error {
	p.text = append(p.text, line+"\n"...)
	return p.Flush()
}

// Flush returns when the output is written, or why it could not be. After an error, each later call returns
// it, too.
func (p *Printer) Flush() error {
	if toTerminal {
		p.text = []byte(Escape(string(p.text)))
	}
	if p.err == nil && len(p.text) > 0 {
		p.err = write(os.Stdout, p.text)
	}
	if p.err != nil {
		return fmt.Errorf("cannot write to standard output: %w", p.err)
	}
	p.text = p.text[:0]
	return nil
}

// leaving ends half a second after Ctrl-C. From then on, no output waits for a reader who does not read.
var leaving = context.Background()

// write writes to standard output or to standard error.
func write(file *os.File, text []byte) error {
	written := make(chan error, 1)
	go func() {
		_, err := file.Write(text)
		written <- err
	}()
	select {
	case err := <-written:
		return err
	case <-leaving.Done():
	}
	select {
	case err := <-written:
		return err
	case <-time.After(50 * time.Millisecond): // enough for a reader who reads
		return leaving.Err()
	}
}

// Escape makes everything visible that could control a terminal, such as \x1b or \u202e. A message may
// contain such bytes (see CVE-2021-25743). Line ends and tabs stay.
func Escape(text string) string {
	quoted := strconv.Quote(text)
	return unquote.Replace(quoted[1 : len(quoted)-1])
}

var unquote = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n", `\t`, "\t")

// Count formats a number for people: 1,000,000.
func Count[N int | int64](n N) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Ranges formats partitions as 0-7,12.
func Ranges(partitions []int32) string {
	var text string
	partitions = slices.Sorted(slices.Values(partitions))
	for i, partition := range partitions {
		next := i+1 < len(partitions) && partitions[i+1] == partition+1
		switch {
		case next && strings.HasSuffix(text, "-"): // within a range
		case next:
			text += fmt.Sprint(partition, "-")
		default:
			text += fmt.Sprint(partition, ",")
		}
	}
	return strings.TrimSuffix(text, ",")
}
