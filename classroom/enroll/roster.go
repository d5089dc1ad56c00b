package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// roster is who attends, as it was written down.
type roster struct {
	file  string // empty where the names came from elsewhere
	lines []line
}

type line struct {
	number int // in the file, from 1
	name   string
}

// readRoster reads a file with one name a line, or a CSV file with a column called name. Empty lines
// count for nothing, and in a list of names neither do those that begin with #.
func readRoster(path string) (roster, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return roster{}, err
	}
	list := roster{file: path}
	if list.lines, err = parseRoster(text, strings.EqualFold(filepath.Ext(path), ".csv")); err != nil {
		return roster{}, fmt.Errorf("%s: %w", path, err)
	}
	if len(list.lines) == 0 {
		return roster{}, fmt.Errorf("%s holds no name", path)
	}
	return list, nil
}

// parseRoster takes the text for CSV if it has to be, or if its first line is a header.
func parseRoster(text []byte, isCSV bool) ([]line, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // spreadsheets begin a file of UTF-8 with it
	if !utf8.Valid(text) {
		return nil, errors.New("the text is not UTF-8: save it as UTF-8")
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	header, separator := headerOf(text)
	column := slices.IndexFunc(header, func(title string) bool {
		return strings.EqualFold(strings.TrimSpace(title), "name")
	})
	switch {
	case column >= 0:
		return parseColumn(text, separator, column)
	case isCSV, len(header) > 1:
		return nil, errors.New("no column is called name")
	}
	var lines []line
	number := 0
	for text := range strings.Lines(string(text)) {
		number++
		if name := strings.TrimSpace(text); name != "" && !strings.HasPrefix(name, "#") {
			lines = append(lines, line{number, name})
		}
	}
	return lines, nil
}

// headerOf splits the first line that is not empty, at the separator that it contains most often:
// spreadsheets write the comma, or the semicolon where the comma is for decimals, or the tab.
func headerOf(text []byte) (header []string, separator rune) {
	first, _, _ := strings.Cut(strings.TrimLeft(string(text), "\n"), "\n")
	separator = ','
	for _, other := range ";\t" {
		if strings.Count(first, string(other)) > strings.Count(first, string(separator)) {
			separator = other
		}
	}
	header, err := newReader([]byte(first), separator).Read()
	if err != nil {
		return nil, separator // a list whose first name has a quote in it
	}
	return header, separator
}

func newReader(text []byte, separator rune) *csv.Reader {
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comma = separator
	reader.FieldsPerRecord = -1 // no need to count what is not read
	return reader
}

func parseColumn(text []byte, separator rune, column int) ([]line, error) {
	reader := newReader(text, separator)
	if _, err := reader.Read(); err != nil {
		return nil, err
	}
	var lines []line
	for {
		record, err := reader.Read()
		if err == io.EOF {
			return lines, nil
		}
		if err != nil {
			return nil, err // it names the line
		}
		number, _ := reader.FieldPos(0)
		if strings.TrimSpace(strings.Join(record, "")) == "" {
			continue // a spreadsheet writes empty rows as ;;;
		}
		name := ""
		if column < len(record) {
			name = strings.TrimSpace(record[column])
		}
		lines = append(lines, line{number, name})
	}
}

// students are the users that the roster makes. Every name that cannot be one is a refusal, with the
// line and the reason.
func (r roster) students(nodes []string) (names []string, refusals []string) {
	taken := reserved(nodes)
	for _, line := range r.lines {
		name := user(line.name)
		err := checkName(name)
		if other, ok := taken[name]; ok && err == nil {
			err = fmt.Errorf("that is %s", other)
		}
		if err != nil {
			refusals = append(refusals, fmt.Sprintf("%s%q: %v", r.at(line), line.name, err))
			continue
		}
		taken[name] = fmt.Sprintf("%q of line %d: brokers take names in lower case", line.name, line.number)
		names = append(names, name)
	}
	return names, refusals
}

func (r roster) at(l line) string {
	if r.file == "" {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", r.file, l.number)
}
