// Package display prints messages.
package display

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/terminal"
)

// Value is the format that prints the value of each message on a line of its own.
const Value = "%v\n"

// Printer prints messages to one stream. Into a file or a pipe it writes the exact bytes that were
// sent. On a terminal it shows bytes that could control the terminal in escaped form.
//
// It is also a flag (pflag.Value): the user of the program can set its format.
type Printer struct {
	out       *bufio.Writer
	layout    string
	formatter *kgo.RecordFormatter
	formatted []byte
	terminal  bool
}

// To makes a printer. The format is that of franz-go's kgo.NewRecordFormatter, and kcat's: %t topic,
// %p partition, %o offset, %k key, %v value, \n newline. To panics if the format is wrong, because a
// program contains it.
func To(stream io.Writer, format string) *Printer {
	p := &Printer{out: bufio.NewWriterSize(stream, 64<<10), terminal: terminal.Is(stream)}
	if err := p.Set(format); err != nil {
		panic(err)
	}
	return p
}

// Set changes the format. A program sets it before it prints the first message.
func (p *Printer) Set(format string) error {
	formatter, err := kgo.NewRecordFormatter(format)
	if err != nil {
		return cli.WithHint(err, `a format is like '%%p %%o %%k %%v\n'`)
	}
	p.layout, p.formatter = format, formatter
	return nil
}

// String returns the format as one would type it.
func (p *Printer) String() string { return strings.ReplaceAll(p.layout, "\n", `\n`) }

// Type names the kind of flag this is.
func (p *Printer) Type() string { return "format" }

// exact matches a format that depends on the exact bytes: on lengths (%V) or encodings (%v{hex}).
var exact = regexp.MustCompile(`%[A-Z]|\{`)

// Print adds the message to the output. Call Flush after the last one that there is now: a message
// must not wait for later ones.
func (p *Printer) Print(message *kgo.Record) {
	p.formatted = p.formatted[:0]
	switch {
	case !p.terminal:
		p.formatted = p.formatter.AppendRecord(p.formatted, message)
	case exact.MatchString(p.layout):
		p.formatted = p.formatter.AppendRecord(p.formatted, message)
		p.formatted = terminal.EscapeLines(p.formatted)
	default:
		shown := *message
		shown.Key, shown.Value = terminal.Escape(message.Key), terminal.Escape(message.Value)
		p.formatted = p.formatter.AppendRecord(p.formatted, &shown)
	}
	p.out.Write(p.formatted) // a failure is kept for Flush
}

// Line prints a line of the program itself, after the messages so far. It returns as Flush does.
func (p *Printer) Line(text string) error {
	fmt.Fprintln(p.out, text)
	return p.Flush()
}

// Flush returns when all that was printed has reached the stream, or why it could not. A terminal that was
// closed is a broken pipe, too: the error may come before the SIGHUP.
func (p *Printer) Flush() error {
	if err := p.out.Flush(); err != nil {
		if p.terminal && errors.Is(err, syscall.EIO) {
			err = syscall.EPIPE
		}
		return fmt.Errorf("cannot write to standard output: %w", err)
	}
	return nil
}
