package deliver

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// BenchmarkLines reads lines of 100 bytes, and acknowledges each of them at once. It is what this package
// costs beside the client.
func BenchmarkLines(b *testing.B) {
	path := filepath.Join(b.TempDir(), "lines")
	line := append(bytes.Repeat([]byte("x"), 100), '\n')
	if err := os.WriteFile(path, bytes.Repeat(line, b.N), 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	stdin := os.Stdin
	os.Stdin = file
	defer func() { os.Stdin = stdin }()
	client, err := kgo.NewClient()
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()

	b.ReportAllocs()
	b.SetBytes(int64(len(line)))
	b.ResetTimer()
	in := Stdin(cli.New("benchmark", "", ""), nil)
	for number, line := range in.Lines(b.Context(), client) {
		in.Acknowledged(number, &kgo.Record{Value: line, Offset: number}, nil)
	}
	if got := in.delivered.Load(); got != int64(b.N) {
		b.Fatalf("%d lines of %d", got, b.N)
	}
}

// An empty line is an empty message, and not null: null deletes a key in a compacted topic.
func TestEmptyLine(t *testing.T) {
	var c chunk
	c.add(1, []byte{})
	c.add(2, nil)
	for i, line := range c.lines {
		if line == nil || len(line) > 0 {
			t.Errorf("line %d is %#v", c.numbers[i], line)
		}
	}
}

// The lines of a chunk stay as they are, when others follow and when the reader uses its buffer again.
func TestChunk(t *testing.T) {
	var c chunk
	var want []string
	buffer := make([]byte, 0, 2*chunkBytes)
	for number := int64(1); !c.full(); number++ {
		want = append(want, strings.Repeat(string(rune('a'+number%26)), int(number*number)%5000))
		buffer = append(buffer[:0], want[number-1]...)
		c.add(number, buffer)
	}
	following := c.following()
	following.add(999, []byte("uses the space that is left"))
	c.add(1000, []byte(strings.Repeat("x", 2*chunkBytes)))
	for i, line := range want {
		if string(c.lines[i]) != line || c.numbers[i] != int64(i+1) {
			t.Fatalf("line %d is %q, want %q", c.numbers[i], c.lines[i], line)
		}
		if _ = append(c.lines[i], '!'); i+1 < len(want) && string(c.lines[i+1]) != want[i+1] {
			t.Fatalf("line %d can write into the next one", i+1)
		}
	}
	if last := c.lines[len(want)]; len(last) != 2*chunkBytes {
		t.Errorf("the long line has %d bytes", len(last))
	}
}
