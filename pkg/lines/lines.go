// Package lines reads lines of any length in bounded memory.
package lines

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ErrTooLong is returned for a line that is longer than the reader's limit. The reader has dropped
// the line and continues with the next one.
var ErrTooLong = errors.New("the line is too long")

// Reader reads lines. It returns their bytes unchanged, UTF-8 or not.
type Reader struct {
	in    *bufio.Reader
	limit int
	long  []byte // a line that does not fit into in's buffer
}

// NewReader reads lines of at most limit bytes, without the line end.
func NewReader(in io.Reader, limit int) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// Ready reports whether Next returns a line without waiting for more input.
func (r *Reader) Ready() bool {
	buffered, _ := r.in.Peek(r.in.Buffered())
	return bytes.IndexByte(buffered, '\n') >= 0
}

// Next returns the next line without its end, \n or \r\n. The bytes are valid until the next call.
// A last line without an end counts, too. After it the error is io.EOF.
func (r *Reader) Next() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line, err = r.nextLong(line)
	}
	switch {
	case err == ErrTooLong:
		return nil, err
	case err != nil && (err != io.EOF || len(line) == 0):
		return nil, err
	case err == nil:
		line = withoutEnd(line)
	}
	if len(line) > r.limit {
		return nil, ErrTooLong
	}
	return line, nil
}

// nextLong continues a line that has filled the buffer. It drops what is over the limit.
func (r *Reader) nextLong(begin []byte) ([]byte, error) {
	r.long = append(r.long[:0], begin...)
	for {
		more, err := r.in.ReadSlice('\n')
		if len(r.long) <= r.limit+len("\r\n") {
			r.long = append(r.long, more...)
		}
		switch {
		case err == bufio.ErrBufferFull:
			continue
		case err != nil && err != io.EOF:
			return nil, err
		case len(r.long) > r.limit+len("\r\n"):
			return nil, ErrTooLong
		}
		return r.long, err
	}
}

func withoutEnd(line []byte) []byte {
	line = line[:len(line)-1]
	if len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	return line
}
