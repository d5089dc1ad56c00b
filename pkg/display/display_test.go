package display

import (
	"bytes"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/twmb/franz-go/pkg/kgo"
)

// In a file everything is as it was sent. On a terminal, the key and the value are escaped, and what
// the user typed into the format is not. Lengths and encodings are those of the exact bytes.
func TestPrint(t *testing.T) {
	message := &kgo.Record{
		Topic: "client60", Partition: 3, Offset: 41,
		Key: []byte("k\x1b"), Value: []byte("a\nb\x1b[31m"), Timestamp: time.Unix(0, 0),
		Headers: []kgo.RecordHeader{{Key: "h\a", Value: []byte("\xff")}, {Key: "plain", Value: nil}},
	}
	for _, test := range []struct{ format, terminal, file string }{
		{Value, `a\nb\x1b[31m` + "\n", "a\nb\x1b[31m\n"},
		{`%p %o %k\t%v\n`, "3 41 k\\x1b\ta\\nb\\x1b[31m\n", "3 41 k\x1b\ta\nb\x1b[31m\n"},
		{`%v{}`, "a\nb\\x1b[31m", "a\nb\x1b[31m"},
		{`%K %V\n`, "2 8\n", "2 8\n"},
		{`%k{hex} %v{base64}`, "6b1b YQpiG1szMW0=", "6b1b YQpiG1szMW0="},
		{`%k{unpack[s]}`, `k\x1b`, "k\x1b"},
		{`%K{byte}`, `\x02`, "\x02"},
		{`%H %h{%k=%v|}\n`, "2 h\\x07=\\xff|plain=|\n", "2 h\a=\xff|plain=|\n"},
		{`%d{go##2006##} %k`, "1970 k\\x1b", "1970 k\x1b"},
		{`\x1b[1m%t\x1b[0m %% %v`, "\x1b[1mclient60\x1b[0m % a\\nb\\x1b[31m", "\x1b[1mclient60\x1b[0m % a\nb\x1b[31m"},
		{`\\%V\\`, `\8\`, `\8\`},
		{"å%vå", `åa\nb\x1b[31må`, "åa\nb\x1b[31må"},
		{"", "", ""},
	} {
		for onTerminal, want := range map[bool]string{true: test.terminal, false: test.file} {
			var out bytes.Buffer
			p := To(&out, Value)
			p.terminal = onTerminal
			if err := p.Set(test.format); err != nil {
				t.Errorf("%q: %v", test.format, err)
				continue
			}
			p.Print(message)
			if err := p.Flush(); err != nil {
				t.Error(err)
			}
			if got := out.String(); got != want {
				t.Errorf("%q (terminal: %v)\ngot  %q\nwant %q", test.format, onTerminal, got, want)
			}
		}
	}
}

// A message without a key stays one: nil is not an empty key for the formats.
func TestPrintLeavesTheMessage(t *testing.T) {
	message := &kgo.Record{Value: []byte("a\n")}
	p := To(new(bytes.Buffer), Value)
	p.terminal = true
	p.Print(message)
	if message.Key != nil || string(message.Value) != "a\n" {
		t.Errorf("the message is now %q: %q", message.Key, message.Value)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

func TestFlushReports(t *testing.T) {
	p := To(full{}, Value)
	p.Print(&kgo.Record{Value: make([]byte, 200_000)})
	if err := p.Flush(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Flush returned %v", err)
	}
}

// A terminal that was closed is a reader who has left, for cli.Run.
func TestClosedTerminal(t *testing.T) {
	screen, terminal, err := pty.Open()
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	defer terminal.Close()
	p := To(terminal, Value)
	screen.Close()
	p.Print(&kgo.Record{Value: []byte("a")})
	if err := p.Flush(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Flush returned %v", err)
	}
}

func TestSetRefuses(t *testing.T) {
	p := To(new(bytes.Buffer), Value)
	for _, format := range []string{"%", "%q", "%v{hex", "%h", `\`, `%h{%}`} {
		if err := p.Set(format); err == nil {
			t.Errorf("%q is accepted as a format", format)
		}
	}
	if p.String() != `%v\n` {
		t.Errorf("a wrong format left %q behind", p.String())
	}
}
