package display

import (
	"bytes"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// On a terminal, what a sender chose freely is escaped; lengths and encodings are of what was sent,
// and what the format itself says is left alone. In a file all is as it was sent.
func TestPrint(t *testing.T) {
	message := &kgo.Record{
		Topic: "client60", Partition: 3, Offset: 41,
		Key: []byte("k\x1b"), Value: []byte("a\nb\x1b[31m"), Timestamp: time.Unix(0, 0),
		Headers: []kgo.RecordHeader{{Key: "h\a", Value: []byte("\xff")}, {Key: "plain", Value: nil}},
	}
	for _, test := range []struct{ format, terminal, file string }{
		{Value, `a\nb\x1b[31m` + "\n", "a\nb\x1b[31m\n"},
		{`%p %o %k\t%v\n`, "3 41 k\\x1b\ta\\nb\\x1b[31m\n", "3 41 k\x1b\ta\nb\x1b[31m\n"},
		{`%v{}`, `a\nb\x1b[31m`, "a\nb\x1b[31m"},
		{`%K %V`, "2 8", "2 8"},
		{`%k{hex} %v{base64}`, "6b1b YQpiG1szMW0=", "6b1b YQpiG1szMW0="},
		{`%k{unpack[s]}`, `k\x1b`, "k\x1b"},
		{`%K{byte}`, `\x02`, "\x02"},
		{`%H %h{%K=%k:%V=%v{hex}|%v\n}`, "2 2=h\\x07:1=ff|\\xff\n5=plain:0=|\n", "2 2=h\a:1=ff|\xff\n5=plain:0=|\n"},
		{`<%h{}>`, "<>", "<>"},
		{`%h{%{%k%}}`, `{h\x07}{plain}`, "{h\a}{plain}"},
		{`%d{strftime[%H:%M}%k]}%k`, "00:00} 0k\\x1b", "00:00} 0k\x1b"},
		{`%d{go##2006}##}`, "1970}", "1970}"},
		{`\x1b[1m%t\x1b[0m %% %{%v%}`, "\x1b[1mclient60\x1b[0m % {a\\nb\\x1b[31m}", "\x1b[1mclient60\x1b[0m % {a\nb\x1b[31m}"},
		{`\\%V\\`, `\8\`, `\8\`},
		{"å%Vå", "å8å", "å8å"},
		{"", "", ""},
	} {
		for escape, want := range map[bool]string{true: test.terminal, false: test.file} {
			var out bytes.Buffer
			p := To(&out, Value)
			p.escape = escape
			if err := p.Set(test.format); err != nil {
				t.Errorf("%q: %v", test.format, err)
				continue
			}
			if err := p.Print(message); err != nil {
				t.Error(err)
			}
			if got := out.String(); got != want {
				t.Errorf("%q (terminal: %v)\ngot  %q\nwant %q", test.format, escape, got, want)
			}
		}
	}
}

func TestSetRefuses(t *testing.T) {
	for _, escape := range []bool{true, false} {
		p := To(new(bytes.Buffer), Value)
		p.escape = escape
		for _, format := range []string{"%", "%q", "%v{hex", "%h", `\`, `%h{%}`} {
			if err := p.Set(format); err == nil {
				t.Errorf("%q is taken for a format", format)
			}
		}
		if p.String() != `%v\n` {
			t.Errorf("a format that was refused left %q behind", p.String())
		}
	}
}
