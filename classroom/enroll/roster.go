package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tkafka/pkg/cli"
)

// roster is a list of the students' names, as somebody wrote it.
type roster struct {
	file  string // empty if the names are not from a file
	lines []line
}

type line struct {
	number int // in the file, from 1
	name   string
}

func rosterOf(names ...string) (list roster) {
	for _, name := range names {
		list.lines = append(list.lines, line{name: name})
	}
	return list
}

// readRoster reads a file with one name per line, or a CSV file with a column "name". It ignores empty
// lines and, in a list of names, lines that begin with #.
func readRoster(path string) (roster, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return roster{}, err
	}
	list := roster{file: path}
	if list.lines, err = parseRoster(string(text), strings.EqualFold(filepath.Ext(path), ".csv")); err != nil {
		return roster{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(list.lines) == 0 {
		return roster{}, fmt.Errorf("%s: there is no name in it", path)
	}
	return list, nil
}

// parseRoster reads the text as CSV if the file's name says so, or if its first line is a header.
func parseRoster(text string, isCSV bool) (lines []line, err error) {
	text = strings.TrimPrefix(text, "\ufeff") // spreadsheets begin a UTF-8 file with it
	if !utf8.ValidString(text) {
		return nil, cli.WithHint(errors.New("the text is not UTF-8"), "save the file as UTF-8")
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	header, _, _ := strings.Cut(strings.TrimLeft(text, "\n"), "\n")
	separator := ","
	for _, other := range []string{";", "\t"} { // spreadsheets write these, too
		if strings.Count(header, other) > strings.Count(header, separator) {
			separator = other
		}
	}
	column := slices.IndexFunc(strings.Split(header, separator), func(title string) bool {
		return strings.EqualFold(strings.Trim(title, `" `), "name")
	})
	if column >= 0 {
		return parseColumn(text, separator, column)
	}
	if isCSV || strings.Contains(header, separator) {
		return nil, cli.WithHint(errors.New("no column has the name \"name\""), "the first line must be a header, such as id,name")
	}
	for i, text := range strings.Split(text, "\n") {
		if name := strings.TrimSpace(text); name != "" && !strings.HasPrefix(name, "#") {
			lines = append(lines, line{i + 1, name})
		}
	}
	return lines, nil
}

func parseColumn(text, separator string, column int) (lines []line, err error) {
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma = rune(separator[0])
	reader.FieldsPerRecord = -1 // rows may have different lengths
	for header := true; ; header = false {
		record, err := reader.Read()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err // it contains the line number
		}
		number, _ := reader.FieldPos(0)
		if header || strings.TrimSpace(strings.Join(record, "")) == "" {
			continue // spreadsheets write an empty row as ;;;
		}
		name := ""
		if column < len(record) {
			name = strings.TrimSpace(record[column])
		}
		lines = append(lines, line{number, name})
	}
}

// students returns the users that the roster names. For each name that cannot be a user it returns a
// refusal, with the line and the reason.
func (r roster) students(nodes []string) (names []string, refusals []string) {
	taken := reserved(nodes)
	cuts := make(map[string]string) // a name without its hyphen and the rest, and the name
	for _, line := range r.lines {
		name := user(line.name)
		err := checkName(name)
		cut := beforeHyphen.FindString(name)
		if other, ok := taken[name]; ok && err == nil {
			err = fmt.Errorf("this is %s", other)
		} else if other, ok := taken[cut]; ok && err == nil {
			err = fmt.Errorf("some brokers cut it to %q, and this is %s", cut, other)
		} else if other, ok := cuts[name]; ok && err == nil {
			err = fmt.Errorf("some brokers cut %q to this name", other)
		}
		if err != nil {
			refusal := fmt.Sprintf("%q: %v", line.name, err)
			if r.file != "" {
				refusal = fmt.Sprintf("%s:%d: %s", r.file, line.number, refusal)
			}
			refusals = append(refusals, refusal)
			continue
		}
		if cut != name {
			cuts[cut] = name
		}
		taken[name] = fmt.Sprintf("the same user as %q in line %d", line.name, line.number)
		names = append(names, name)
	}
	return names, refusals
}

// adminName is the user who may do everything: the brokers' settings name it as a super user.
const adminName = "admin"

// userName matches the part of a certificate's name that the course's brokers use as the user. Their rule
// of 2025 is
//
//	ssl.principal.mapping.rules=RULE:^.*[Cc][Nn]=([a-zA-Z0-9-.]*).*$/$1/L
//
// They cut the name at the first other character.
var userName = regexp.MustCompile(`^[a-zA-Z0-9.-]*`)

// beforeHyphen matches what the course's brokers of 2023 use: their rule also cuts at a hyphen. There,
// anna-maria has the rights of anna, and no others. So a class cannot have both names.
var beforeHyphen = regexp.MustCompile(`^[a-zA-Z0-9.]*`)

// deviceName matches names that Windows does not allow for a folder.
var deviceName = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// user returns the user for a name: the brokers change all names to lower case.
func user(name string) string { return strings.ToLower(name) }

// checkName returns why a name, in lower case, cannot be a student's: it must be a Kafka topic, a Kafka
// user and a folder.
func checkName(name string) error {
	switch cut := userName.FindString(name); {
	case name == "":
		return errors.New("the name is empty")
	case cut == "":
		return errors.New("the course's brokers would see a user without a name: only letters a-z, digits, dots and hyphens are allowed")
	case cut != name:
		return fmt.Errorf("the course's brokers would cut it to %q: only letters a-z, digits, dots and hyphens are allowed", cut)
	case strings.HasPrefix(name, "-"):
		return errors.New("it begins with a hyphen, as a flag does")
	case len(name) > 64: // RFC 5280, ub-common-name; a topic or a folder may be longer
		return fmt.Errorf("it has %d characters, a certificate allows 64", len(name))
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "."):
		return errors.New("some systems hide or rename a folder whose name begins or ends with a dot")
	case strings.HasSuffix(name, ".zip"):
		return errors.New("its folder would have the name of a zip file")
	case deviceName.MatchString(name):
		return errors.New("this is the name of a device on Windows, and cannot be a folder there")
	}
	return nil
}

// reserved returns the users that no student may be, each with the reason. A broker is a user, too, and
// the brokers of 2023 cut its name: kafka-1 becomes kafka.
func reserved(nodes []string) map[string]string {
	users := map[string]string{adminName: "the admin"}
	for _, node := range nodes {
		if cut := beforeHyphen.FindString(node); cut != node {
			users[cut] = "the user name of broker " + node
		}
		users[node] = "a broker"
	}
	return users
}

// nodeName matches the name of a broker: a folder, and a host name.
var nodeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// checkNodes returns why brokers cannot have these names.
func checkNodes(nodes []string) error {
	if len(nodes) == 0 {
		return errors.New("--nodes names no broker")
	}
	for i, node := range nodes {
		switch {
		case !nodeName.MatchString(node) || len(node) > 63 || deviceName.MatchString(node):
			return fmt.Errorf("--nodes: %q is not a host name in lower case", node)
		case node == adminName:
			return errors.New("--nodes: admin is the admin's name")
		case slices.Contains(nodes[:i], node):
			return fmt.Errorf("--nodes: %s occurs twice", node)
		}
	}
	return nil
}

// numbered returns the names of the course: client1, client2 and so on.
func numbered(count int) (names []string) {
	for i := range count {
		names = append(names, "client"+strconv.Itoa(i+1))
	}
	return names
}

// byNumber orders names by their number: client9 before client10.
func byNumber(a, b string) int {
	wordA, numberA := splitNumber(a)
	wordB, numberB := splitNumber(b)
	return cmp.Or(cmp.Compare(wordA, wordB), cmp.Compare(numberA, numberB), cmp.Compare(a, b))
}

func splitNumber(name string) (word string, number uint64) {
	word = strings.TrimRight(name, "0123456789")
	number, _ = strconv.ParseUint(name[len(word):], 10, 64)
	return word, number
}
