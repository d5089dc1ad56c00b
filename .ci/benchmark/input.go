package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const lineLength = 100

// lines returns a file with so many lines. All runs of this program write the same file. Each line is
// different. They compress like text, because common words are much more frequent than rare ones.
// With keys, each line begins with its number, from 0, and a colon.
func (b *bench) lines(count int, keys bool) (string, error) {
	path := filepath.Join(b.work, fmt.Sprintf("lines-%d-%v", count, keys))
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	out := bufio.NewWriterSize(file, 1<<20)
	text := newText()
	for number := range count {
		if keys {
			fmt.Fprintf(out, "%d:", number)
		}
		out.Write(text.line(number))
		out.WriteByte('\n')
	}
	return path, out.Flush()
}

// text writes lines of words that do not exist.
type text struct {
	words  []string
	choose *rand.Zipf
	buffer []byte
}

func newText() *text {
	random := rand.New(rand.NewPCG(1, 2))
	const letters = "eeeeeeeeeeeetttttttttaaaaaaaaooooooooiiiiiiinnnnnnnsssssshhhhhhrrrrrrddddllllcccuuummmwwffggyyppbbvk"
	t := &text{words: make([]string, 5000)}
	for i := range t.words {
		var word strings.Builder
		for range 2 + random.IntN(8) {
			word.WriteByte(letters[random.IntN(len(letters))])
		}
		t.words[i] = word.String()
	}
	t.choose = rand.NewZipf(random, 1.1, 4, uint64(len(t.words)-1))
	return t
}

// line is valid until the next call.
func (t *text) line(number int) []byte {
	t.buffer = fmt.Appendf(t.buffer[:0], "%08d", number)
	for len(t.buffer) < lineLength {
		t.buffer = append(append(t.buffer, ' '), t.words[t.choose.Uint64()]...)
	}
	return t.buffer[:lineLength]
}
