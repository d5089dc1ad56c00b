package lines_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"tkafka/pkg/lines"
)

// read returns all lines; one that is too long stands as "!".
func read(t testing.TB, in io.Reader, limit int) []string {
	t.Helper()
	var all []string
	for r := lines.NewReader(in, limit); ; {
		line, err := r.Next()
		switch {
		case err == io.EOF:
			return all
		case errors.Is(err, lines.ErrTooLong):
			all = append(all, "!")
		case err != nil:
			t.Fatal(err)
		default:
			all = append(all, string(line))
		}
	}
}

func TestNext(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, test := range []struct {
		name, in string
		limit    int
		want     []string
	}{
		{"nothing", "", 10, nil},
		{"one", "a\n", 10, []string{"a"}},
		{"last line without an end", "a\nb", 10, []string{"a", "b"}},
		{"empty lines", "\n\na\n\n", 10, []string{"", "", "a", ""}},
		{"carriage return", "a\r\n\r\nb\r\n", 10, []string{"a", "", "b"}},
		{"carriage return within", "a\rb\n\r\r\n", 10, []string{"a\rb", "\r"}},
		{"carriage return at the very end is no line end", "a\r", 10, []string{"a\r"}},
		{"not UTF-8, with a null", "\xff\x00\xfe\n", 10, []string{"\xff\x00\xfe"}},
		{"at the limit", "abc\nabc\r\nabc", 3, []string{"abc", "abc", "abc"}},
		{"over the limit", "abcd\na\nabcd\r\nb\nabcd", 3, []string{"!", "a", "!", "b", "!"}},
		{"longer than the buffer", long + "\nb\n", 300_000, []string{long, "b"}},
		{"longer than the buffer, no end", long, 300_000, []string{long}},
		{"longer than the buffer at the limit", long + "\r\nb\n", 200_000, []string{long, "b"}},
		{"longer than the buffer over the limit", long + "\nb\n", 199_999, []string{"!", "b"}},
		{"longer than the buffer far over the limit", long + long + "\nb\n" + long, 10, []string{"!", "b", "!"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := read(t, strings.NewReader(test.in), test.limit); !slices.Equal(got, test.want) {
				t.Errorf("got %.100q, want %.100q", got, test.want)
			}
			if got := read(t, iotest.DataErrReader(iotest.HalfReader(strings.NewReader(test.in))), test.limit); !slices.Equal(got, test.want) {
				t.Errorf("in small pieces: got %.100q, want %.100q", got, test.want)
			}
		})
	}
}

func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	r := lines.NewReader(io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(broken)), 10)
	if line, err := r.Next(); string(line) != "a" || err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	if line, err := r.Next(); err != broken {
		t.Errorf("half a line before a broken stream: got %q, %v; it must not pass for a whole one", line, err)
	}
}

// endless is a line without an end, n bytes long.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.n)
	copy(p, bytes.Repeat([]byte("x"), n))
	e.n -= n
	return n, nil
}

func TestBoundedMemory(t *testing.T) {
	var before, after runtime.MemStats
	r := lines.NewReader(&endless{64 << 20}, 1<<20)
	runtime.ReadMemStats(&before)
	if _, err := r.Next(); !errors.Is(err, lines.ErrTooLong) {
		t.Fatalf("a line of 64 MiB with a limit of 1 MiB: %v", err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 8<<20 {
		t.Errorf("reading it left %d bytes on the heap", held)
	}
	runtime.KeepAlive(r)
}

func FuzzNext(f *testing.F) {
	f.Add([]byte("a\r\nb\n\nlong line\r"), uint8(3))
	f.Fuzz(func(t *testing.T, in []byte, limit uint8) {
		var want []string
		rest := string(in)
		for rest != "" {
			line, after, ended := strings.Cut(rest, "\n")
			if ended {
				line = strings.TrimSuffix(line, "\r")
			}
			if rest = after; len(line) > int(limit) {
				line = "!"
			}
			want = append(want, line)
		}
		if got := read(t, bytes.NewReader(in), int(limit)); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	text := strings.Repeat(fmt.Sprintf("%099d\n", 0), 10_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for r := lines.NewReader(strings.NewReader(text), 1<<20); ; {
			if _, err := r.Next(); err != nil {
				break
			}
		}
	}
}
