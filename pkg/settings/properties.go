package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"tkafka/pkg/cli"
)

// readProperties reads a Java properties file: key=value or key: value. A line that begins with # or
// ! is a comment. A backslash escapes the next character or, at the end of a line, joins the next
// line. A missing file has no properties. The lines that nobody reads are passed to warn. We use no
// library for this: the known ones can read a file from a URL, and so each program of the tutorial
// would contain a web client.
func readProperties(path string, warn func(flaw error)) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if other := find(filepath.Dir(path), "*.properties*"); other != "" {
			warn(cli.WithHint(fmt.Errorf("%s: file does not exist, but %s does", path, other),
				"rename it: mv %s %s", quote(other), quote(path)))
		}
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the settings of the credentials folder: %w", err)
	}
	if bytes.IndexByte(text, 0) >= 0 { // Notepad's "Unicode", and what > writes in PowerShell 5
		return nil, cli.WithHint(fmt.Errorf("%s: UTF-16, not UTF-8", path),
			"save it as UTF-8; Notepad asks for the encoding in Save As")
	}
	properties := make(map[string]string)
	for number, line := range logicalLines(string(text)) {
		key, value := cutProperty(line)
		properties[key] = value
		if flaw := flawOf(key, value, line); flaw != nil {
			warn(fmt.Errorf("%s:%d: %w", path, number, flaw))
		}
	}
	return properties, nil
}

// logicalLines yields the lines that are not comments, each with the number of its first line in the
// file. Windows begins a UTF-8 file with a byte order mark.
func logicalLines(text string) iter.Seq2[int, string] {
	text = strings.TrimPrefix(text, "\ufeff")
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	return func(yield func(int, string) bool) {
		for at := 0; at < len(lines); at++ {
			number, line := at+1, strings.TrimLeft(lines[at], blanks)
			if line == "" || line[0] == '#' || line[0] == '!' {
				continue
			}
			for endsInBackslash(line) && at+1 < len(lines) {
				at++
				line = line[:len(line)-1] + strings.TrimLeft(lines[at], blanks)
			}
			if !yield(number, line) {
				return
			}
		}
	}
}

// The keys that we read. The file has others, for Java programs.
const (
	keyBrokers  = "bootstrap.servers"
	keyProtocol = "security.protocol"
	keyPassword = "ssl.keystore.password"
)

// flawOf returns why a line has no effect. No other key of a Kafka client is within three letters of
// one that we read.
func flawOf(key, value, line string) error {
	for _, known := range []string{keyBrokers, keyProtocol, keyPassword} {
		if key != known && distance(strings.ToLower(key), known) <= 3 {
			return cli.WithHint(fmt.Errorf("unknown setting %s", key), "do you mean %s?", known)
		}
	}
	// Other settings, such as ssl.endpoint.identification.algorithm, have a meaning without a value.
	if value == "" && (key == keyBrokers || key == keyProtocol || !strings.ContainsAny(line, "=:")) {
		return cli.WithHint(errors.New("a line without a value"), "write the line as KEY=VALUE")
	}
	return nil
}

// distance returns how many letters one must insert, remove or replace to turn a into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0]++
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
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
