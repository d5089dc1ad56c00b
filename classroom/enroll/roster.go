package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
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
	number := 0
	for text := range strings.Lines(text) {
		number++
		if name := strings.TrimSpace(text); name != "" && !strings.HasPrefix(name, "#") {
			lines = append(lines, line{number, name})
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
	for _, line := range r.lines {
		name := user(line.name)
		err := checkName(name)
		if other, ok := taken[name]; ok && err == nil {
			err = fmt.Errorf("this is %s", other)
		}
		if err != nil {
			refusal := fmt.Sprintf("%q: %v", line.name, err)
			if r.file != "" {
				refusal = fmt.Sprintf("%s:%d: %s", r.file, line.number, refusal)
			}
			refusals = append(refusals, refusal)
			continue
		}
		taken[name] = fmt.Sprintf("the same user as %q in line %d", line.name, line.number)
		names = append(names, name)
	}
	return names, refusals
}
