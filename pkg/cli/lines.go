package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"time"

	"golang.org/x/term"
)

// Typing is whether a person types the input.
var Typing = term.IsTerminal(int(os.Stdin.Fd()))

// longest is the longest line that Lines accepts, in bytes. No Kafka broker accepts such a message.
const longest = 64 << 20

// Lines yields each line of standard input with its number, counted from 1, until the input or ctx ends. The
// bytes of a line stay as they are, without its end. At a terminal Lines shows a prompt.
func Lines(ctx context.Context) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		blocks := make(chan []byte, 8) // to hand over each line alone would be slow
		go readLines(blocks)           // nothing can interrupt a read
		number := 0
		defer func() {
			if Typing {
				Bottom("")
			}
		}()
		for {
			if Typing {
				Bottom("> ")
			}
			select {
			case <-ctx.Done():
				select {
				case _, more := <-blocks:
					if more && !Typing {
						failInput("stopped: the input is not sent from line %s on", Count(number+1))
					}
				case <-time.After(100 * time.Millisecond): // there is nothing to read
				}
				return
			case block, more := <-blocks:
				if !more {
					return
				}
				if Typing {
					entered()
				}
				for line := range bytes.Lines(block) {
					if ctx.Err() != nil {
						failInput("stopped: the input is not sent from line %s on", Count(number+1))
						return
					}
					number++
					if !yield(number, bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))) {
						return
					}
				}
			}
		}
	}
}

// failInput prints why not all of the input was read. The program then ends with status 1.
func failInput(format string, args ...any) {
	Say(format, args...)
	status.Store(1)
}

// readLines sends standard input in blocks of whole lines.
func readLines(blocks chan<- []byte) {
	defer close(blocks)
	buffer, n := make([]byte, 64<<10), 0
	for {
		more, err := os.Stdin.Read(buffer[n:])
		end := bytes.LastIndexByte(buffer[n:n+more], '\n') + 1 // before n there is none
		if end > 0 {
			end += n
		}
		n += more
		if err != nil {
			end = n // the last line needs no end
		}
		if end > 0 {
			blocks <- bytes.Clone(buffer[:end])
			n = copy(buffer, buffer[end:n])
		}
		if err == nil && n > longest {
			err = errors.New("a line is longer than 64 MiB")
		}
		if err != nil {
			if err != io.EOF {
				failInput("cannot read standard input: %v", err)
			}
			return
		}
		if n == len(buffer) { // a long line
			buffer = append(buffer, make([]byte, n)...)
		}
	}
}
