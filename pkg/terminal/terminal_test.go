package terminal_test

import (
	"bytes"
	"os"
	"testing"

	"tkafka/pkg/terminal"
)

func TestEscape(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"plain", "hello, world", "hello, world"},
		{"tab and newline", "a\tb\nc", "a\tb\\nc"},
		{"other scripts", "smörgås 日本 🎉", "smörgås 日本 🎉"},
		{"colour", "\x1b[31mred\x1b[0m", `\x1b[31mred\x1b[0m`},
		{"window title", "\x1b]0;title\a", `\x1b]0;title\x07`},
		{"carriage return", "new\rold", `new\x0dold`},
		{"one byte control sequence introducer", "\xc2\x9b31m", `\u009b31m`},
		{"right to left override", "abc\u202edef", `abc\u202edef`},
		{"tag character", "a\U000e0041b", `a\U000e0041b`},
		{"not UTF-8", "a\xff\xfeb", `a\xff\xfeb`},
		{"the replacement character itself", "a\ufffdb", "a\ufffdb"},
		{"delete", "a\x7fb", `a\x7fb`},
		{"backslash", `a\x1b`, `a\x1b`},
		{"empty", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := terminal.Escape([]byte(test.in)); string(got) != test.want {
				t.Errorf("Escape(%q) = %q, want %q", test.in, got, test.want)
			}
		})
	}
}

func FuzzEscape(f *testing.F) {
	f.Add([]byte("\x1b[31m\xff\u202e"))
	f.Fuzz(func(t *testing.T, text []byte) {
		escaped := terminal.Escape(text)
		if again := terminal.Escape(escaped); !bytes.Equal(again, escaped) {
			t.Errorf("Escape(%q) = %q still holds something to escape: %q", text, escaped, again)
		}
	})
}

func TestIs(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if terminal.Is(file) || terminal.Is(&bytes.Buffer{}) {
		t.Error("neither /dev/null nor a buffer is a terminal")
	}
}

// The runtime opens a closed stream for reading and writing.
func TestClosed(t *testing.T) {
	for flag, want := range map[int]bool{os.O_RDONLY: false, os.O_WRONLY: false, os.O_RDWR: true} {
		null, err := os.OpenFile(os.DevNull, flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer null.Close()
		if terminal.Closed(null) != want {
			t.Errorf("opened with flag %d: not %v", flag, want)
		}
	}
}
