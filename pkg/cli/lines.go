package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"time"
)

// longest is the longest line that Lines accepts, in bytes. No Kafka broker accepts such a message.
const longest = 16 << 20

// Lines yields each line of standard input with its number, counted from 1, until the input or ctx ends. The
// bytes of a line stay as they are, without its end. At a terminal Lines shows a prompt. If the input cannot be
// read, or some of it is left when ctx ends, Lines prints it, and the program ends with status 1.
func Lines(ctx context.Context) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		input, copied := io.Pipe()
		end := make(chan error, 1)
		go func() { // nothing can interrupt a read of standard input, but ctx ends a read of the pipe
			_, err := io.Copy(copied, os.Stdin)
			end <- err
			copied.CloseWithError(err)
		}()
		defer context.AfterFunc(ctx, func() { input.CloseWithError(ctx.Err()) })()
		lines := bufio.NewScanner(input)
		lines.Buffer(make([]byte, 64<<10), longest)

		for number := 1; ; number++ {
			if Typing {
				Bottom("> ")
			}
			more := lines.Scan()
			if Typing {
				Bottom("")
			}
			err := lines.Err()
			if ctx.Err() != nil && !more {
				select {
				case err = <-end: // not nil: there is something that nobody has read
				case <-time.After(100 * time.Millisecond):
					return // there is nothing to read
				}
			}
			switch {
			case ctx.Err() != nil && (more || err != nil):
				failInput("stopped: the input is not sent from line %s on", Count(number))
			case errors.Is(err, bufio.ErrTooLong):
				failInput("line %s is longer than 16 MiB", Count(number))
			case err != nil:
				failInput("cannot read standard input: %v", err)
			case more && yield(number, bytes.Clone(lines.Bytes())):
				continue
			}
			return
		}
	}
}

// failInput prints why not all of the input was read. The program then ends with status 1.
func failInput(format string, args ...any) {
	Say(format, args...)
	status = 1
}
