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
	format    *kgo.RecordFormatter
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
	p.layout, p.format = format, formatter
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
		p.formatted = p.format.AppendRecord(p.formatted[:0], p.safe(message))
		if _, err := p.out.Write(p.formatted); err != nil {
			return fmt.Errorf("cannot write to standard output: %w", err)
		}
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("cannot write to standard output: %w", err)
	}
	return nil
}

// safe returns the message as it may be shown. What its sender chose freely is escaped: key, value
// and headers; what the format adds is not.
func (p *Printer) safe(message *kgo.Record) *kgo.Record {
	if !p.escape {
		return message
	}
	shown := *message
	shown.Key = terminal.Escape(message.Key)
	shown.Value = terminal.Escape(message.Value)
	shown.Headers = make([]kgo.RecordHeader, len(message.Headers))
	for i, header := range message.Headers {
		shown.Headers[i].Key = string(terminal.Escape([]byte(header.Key)))
		shown.Headers[i].Value = terminal.Escape(header.Value)
	}
	return &shown
}
