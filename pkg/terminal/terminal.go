// Package terminal detects terminals and closed streams, and makes text safe to show on a terminal.
package terminal

import (
	"fmt"
	"io"
	"os"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Is reports whether the stream is a terminal, so that a person reads it or types into it.
func Is(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Closed reports whether a standard stream was closed when the program started (">&-" in a shell).
// The Go runtime then opens /dev/null in its place, for reading and writing. A shell opens it for one
// of both. Some programs, such as Python's subprocess.DEVNULL, open it for both, too.
func Closed(stream *os.File) bool {
	at, err := stream.Stat()
	if err != nil {
		return true
	}
	null, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(at, null) {
		return false
	}
	_, writing := stream.Write(nil)
	_, reading := stream.Read(make([]byte, 1))
	return writing == nil && reading == io.EOF
}

// Escape returns the text as it can be shown on a terminal. A message may contain bytes that move the
// cursor, set the title of the window or type into it (CVE-2021-25743 is such a case). So Escape
// makes everything visible that is not printable: \x1b, \n, \u202e, and \xff for bytes that are not
// UTF-8. A tab stays, and so does a backslash: the result is for reading, not for decoding.
func Escape(text []byte) []byte { return escape(text, false) }

// EscapeLines is Escape for a text of several lines: line ends stay, too.
func EscapeLines(text []byte) []byte { return escape(text, true) }

func escape(text []byte, lines bool) []byte {
	clean := true
	for _, b := range text {
		if b < ' ' && b != '\t' && (b != '\n' || !lines) || b >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	escaped := make([]byte, 0, len(text)+16)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			escaped = fmt.Appendf(escaped, `\x%02x`, text[0])
		case r == '\t' || r == '\n' && lines || unicode.IsPrint(r):
			escaped = append(escaped, text[:size]...)
		case r == '\n':
			escaped = append(escaped, `\n`...)
		case r < 0x80:
			escaped = fmt.Appendf(escaped, `\x%02x`, r)
		case r <= 0xffff:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		default:
			escaped = fmt.Appendf(escaped, `\U%08x`, r)
		}
		text = text[size:]
	}
	return escaped
}
