package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// readProperties reads a Java properties file: key=value or key: value, # and ! begin a comment, a
// backslash takes the meaning from the next character or, at the end, joins the next line. A file
// that is not there holds no properties. The libraries for such files can read them from URLs, and a
// program of the tutorial must not carry a web client for that.
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

// endsInBackslash reports whether the last character is a backslash that no other one escapes.
func endsInBackslash(line string) bool {
	return (len(line)-len(strings.TrimRight(line, `\`)))%2 == 1
}

// cutProperty cuts a line at the first =, : or blank that no backslash escapes.
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

// unescape takes the backslashes out that protect the next character.
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
