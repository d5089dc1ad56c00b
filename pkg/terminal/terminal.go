// Package terminal knows whether a stream is a terminal and which bytes may be shown on one.
package terminal

import (
	"fmt"
	"os"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Is reports whether the stream is a terminal: somebody reads it, or types into it.
func Is(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Escape returns the text as it can be shown on a terminal. A message may hold bytes that move
// the cursor, set the title of the window or type into it (CVE-2021-25743 is such a case), so
// whatever is not printable becomes visible instead: \x1b, \n, \u202e, and \xff for bytes that
// are not UTF-8. The tab stays, and so does the backslash: this is for reading, not for decoding
// again.
func Escape(text []byte) []byte {
	clean := true
	for _, b := range text {
		if b < ' ' && b != '\t' || b >= 0x7f {
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
		case r == '\t' || unicode.IsPrint(r):
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
