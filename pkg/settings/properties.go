package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// readProperties reads a Java properties file: key=value or key: value. A line that begins with # or
// ! is a comment. A backslash escapes the next character or, at the end of a line, joins the next
// line. A missing file has no properties. We use no library for this: the known ones can read a file
// from a URL, and so each program of the tutorial would contain a web client.
func readProperties(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings of the credentials folder: %w", err)
	}
	return parseProperties(string(text)), nil
}

func parseProperties(text string) map[string]string {
	properties := make(map[string]string)
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for len(lines) > 0 {
		line := strings.TrimLeft(lines[0], blanks)
		lines = lines[1:]
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		for endsInBackslash(line) && len(lines) > 0 {
			line = line[:len(line)-1] + strings.TrimLeft(lines[0], blanks)
			lines = lines[1:]
		}
		key, value := cutProperty(line)
		properties[key] = value
	}
	return properties
}

const blanks = " \t\f"

// endsInBackslash reports whether the line ends in a backslash that is not escaped itself.
func endsInBackslash(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// cutProperty cuts a line at the first =, : or blank that is not escaped.
func cutProperty(line string) (key, value string) {
	end := len(line)
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' {
			i++
		} else if strings.IndexByte("=:"+blanks, line[i]) >= 0 {
			end = i
			break
		}
	}
	value = strings.TrimLeft(line[end:], blanks)
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = strings.TrimLeft(value[1:], blanks)
	}
	return unescape(line[:end]), unescape(strings.TrimRight(value, blanks))
}

// unescape removes each backslash that escapes the next character.
func unescape(text string) string {
	var plain strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		plain.WriteByte(text[i])
	}
	return plain.String()
}
