package display

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/terminal"
)

// part is a piece of a format for a terminal: text that the user typed, which is printed as it is, or
// a verb such as %v, %V or %k{hex}. What comes of a verb is escaped, and not what goes into it: the
// length of a value is that of the bytes that were sent.
type part struct {
	format  *kgo.RecordFormatter // nil for %h
	verb    bool
	headers []part // of %h{...}: what to print for each header, which stands in as a record
}

func appendAll(out []byte, parts []part, record *kgo.Record) []byte {
	for _, p := range parts {
		out = p.append(out, record)
	}
	return out
}

func (p part) append(out []byte, record *kgo.Record) []byte {
	if p.format == nil {
		for _, header := range record.Headers {
			out = appendAll(out, p.headers, &kgo.Record{Key: []byte(header.Key), Value: header.Value})
		}
		return out
	}
	start := len(out)
	out = p.format.AppendRecord(out, record)
	if p.verb {
		out = append(out[:start], terminal.Escape(out[start:])...)
	}
	return out
}

// split cuts a format that parses into its parts.
func split(format string) (parts []part, err error) {
	for len(format) > 0 {
		end := text(format)
		p := part{}
		if end == 0 {
			if end = verb(format); end == 0 {
				return nil, fmt.Errorf("cannot read the format from %q on", format)
			}
			p.verb = true
		}
		if inner, ok := strings.CutPrefix(format[:end], "%h{"); ok {
			p.headers, err = split(strings.TrimSuffix(inner, "}"))
		} else {
			p.format, err = kgo.NewRecordFormatter(format[:end])
		}
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
		format = format[end:]
	}
	return parts, nil
}

// text returns where the text ends that the format begins with: at the first verb.
func text(format string) int {
	at := 0
	for at < len(format) {
		switch {
		case format[at] == '\\':
			at++ // \n, and \\, which must not lend its second half to what follows
		case format[at] == '%' && !strings.ContainsAny(format[at+1:min(at+2, len(format))], "%{}"):
			return at
		case format[at] == '%':
			at++ // %% is a percent sign
		}
		at++
	}
	return len(format)
}

// verb returns where the verb ends that the format begins with, 0 if nowhere. Its braces may hold
// others, and a date almost anything, so the parser itself has to say which of them is the last.
func verb(format string) int {
	if len(format) < 3 || format[2] != '{' {
		return min(len(format), 2)
	}
	for at := 3; at < len(format); at++ {
		if format[at] != '}' {
			continue
		}
		if _, err := kgo.NewRecordFormatter(format[:at+1]); err == nil {
			return at + 1
		}
	}
	return 0
}
