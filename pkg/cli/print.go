package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/term"
)

var (
	stderr sync.Mutex
	bottom string // the last line of the terminal, such as a prompt
)

// Say prints a line on standard error, after the name of the program. Any goroutine may call it.
func Say(format string, args ...any) {
	text := strings.ReplaceAll(string(Escape(fmt.Appendf(nil, format, args...))), "\n", `\n`)
	stderr.Lock()
	defer stderr.Unlock()
	fmt.Fprintf(output{os.Stderr}, "%s%s: %s\n%s", erased(), name, text, bottom)
}

// Warn prints an error and, on a second line, its hint.
func Warn(err error) {
	Say("%v", err)
	if hint := HintOf(err); hint != "" {
		Say("hint: %s", hint)
	}
}

// Bottom keeps a text below all lines on standard error, if that is a terminal. An empty text removes it.
func Bottom(text string) {
	stderr.Lock()
	defer stderr.Unlock()
	fmt.Fprint(output{os.Stderr}, erased(), text)
	bottom = text
}

// erased returns the bytes that erase the bottom: go to the first column, and erase the line.
func erased() string {
	if bottom == "" {
		return ""
	}
	return "\r\x1b[K"
}

// Formats is the help for a flag with the format of a [Printer].
const Formats = "how to print a message: %p partition, %o offset, %k key, %v value, %h{%k=%v } headers"

// A Printer prints messages on standard output: the exact bytes in a pipe, and printable ones on a terminal.
type Printer struct {
	out       *bufio.Writer
	formatter *kgo.RecordFormatter
	terminal  bool
	text      []byte
}

// NewPrinter makes a printer with a format such as "%p %o %k %v\n": partition, offset, key and value (see
// [kgo.NewRecordFormatter]). A wrong format ends the program, as a wrong flag does.
func NewPrinter(ctx context.Context, format string) *Printer {
	formatter, err := kgo.NewRecordFormatter(format)
	if err != nil {
		Warn(WithHint(fmt.Errorf("format %q: %w", format, err), `a format is like '%%p %%o %%k %%v\n'`))
		os.Exit(2)
	}
	return &Printer{
		out:       bufio.NewWriterSize(output{os.Stdout}, 64<<10),
		formatter: formatter, terminal: term.IsTerminal(int(os.Stdout.Fd())),
	}
}

// Print adds a message to the output. Call Flush after the last one that there is now.
func (p *Printer) Print(message *kgo.Record) {
	p.text = p.formatter.AppendRecord(p.text[:0], message)
	if p.terminal {
		p.text = Escape(p.text)
	}
	p.out.Write(p.text) // Flush returns the error
}

// Println adds a line of the program itself, and flushes.
func (p *Printer) Println(line string) error {
	p.out.WriteString(line + "\n")
	return p.Flush()
}

// Flush returns when the output is written, or why it could not be. After an error, each later call returns
// it, too.
func (p *Printer) Flush() error {
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("cannot write to standard output: %w", err)
	}
	return nil
}

// leaving ends half a second after Ctrl-C. From then on, no output waits for a reader who does not read.
var leaving = context.Background()

// output is standard output or standard error.
type output struct{ file *os.File }

func (o output) Write(text []byte) (int, error) {
	written := make(chan error, 1)
	go func() {
		_, err := o.file.Write(text)
		written <- err
	}()
	select {
	case err := <-written:
		return len(text), err
	case <-leaving.Done():
	}
	select {
	case err := <-written:
		return len(text), err
	case <-time.After(50 * time.Millisecond): // enough for a reader who reads
		return 0, leaving.Err()
	}
}

// Escape makes everything visible that could control a terminal, such as \x1b or \u202e. A message may
// contain such bytes (see CVE-2021-25743). Line ends and tabs stay.
func Escape(text []byte) []byte {
	escaped := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == '\n' || r == '\t' || unicode.IsPrint(r) && (r != utf8.RuneError || size > 1) {
			escaped = append(escaped, text[:size]...)
		} else {
			quoted := strconv.AppendQuote(nil, string(text[:size]))
			escaped = append(escaped, quoted[1:len(quoted)-1]...)
		}
		text = text[size:]
	}
	return escaped
}

// Count formats a number for people: 1,000,000.
func Count[N int | int64](n N) string {
	digits := fmt.Sprint(n)
	for at := len(digits) - 3; at > 0; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}

// Ranges formats sorted partitions as 0-7,12.
func Ranges(partitions []int32) string {
	var text string
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
