// Package display prints messages.
package display

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/terminal"
)

// Value is the format that prints each value on a line of its own.
const Value = "%v\n"

// Printer prints messages to one stream. Into a file or a pipe it writes the exact bytes that were
// sent; on a terminal it shows the bytes that could take it over in escaped form.
//
// It is a flag, too (pflag.Value): the user of the program can set its format.
type Printer struct {
	out       *bufio.Writer
	layout    string
	parts     []part
	formatted []byte
	escape    bool
}

// To makes a printer. The format is that of franz-go's kgo.NewRecordFormatter, which users of kcat
// know: %t topic, %p partition, %o offset, %k key, %v value, \n newline. To panics if it does not
// parse, since it stands in a program's text.
func To(stream io.Writer, format string) *Printer {
	p := &Printer{out: bufio.NewWriterSize(stream, 64<<10), escape: terminal.Is(stream)}
	if err := p.Set(format); err != nil {
		panic(err)
	}
	return p
}

// Set changes the format. A program sets it before the first message is printed.
func (p *Printer) Set(format string) error {
	formatter, err := kgo.NewRecordFormatter(format)
	if err != nil {
		return fmt.Errorf(`%w (a format that works: '%%p %%o %%k %%v\n')`, err)
	}
	parts := []part{{format: formatter}}
	if p.escape {
		if parts, err = split(format); err != nil {
			return err
		}
	}
	p.layout, p.parts = format, parts
	return nil
}

// String returns the format as one would type it.
func (p *Printer) String() string { return strings.ReplaceAll(p.layout, "\n", `\n`) }

// Type names the kind of flag this is.
func (p *Printer) Type() string { return "format" }

// Print prints the messages and returns when all of them have reached the stream. A message is
// never kept back to be written together with a later one.
func (p *Printer) Print(messages ...*kgo.Record) error {
	for _, message := range messages {
		p.formatted = appendAll(p.formatted[:0], p.parts, message)
		if _, err := p.out.Write(p.formatted); err != nil {
			return fmt.Errorf("cannot write to standard output: %w", err)
		}
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("cannot write to standard output: %w", err)
	}
	return nil
}
