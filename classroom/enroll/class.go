package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"tkafka/pkg/cli"
)

// class is the folder with the credentials of a class:
//
//	ca/                the authority: ca.crt, and ca.key, which can sign a certificate for any user
//	brokers/kafka-1/   the stores of a broker
//	admin/             the credentials of the admin
//	clients/client1/   the credentials of a student, to hand out; clients/client1.zip holds the same
type class string

// adminName is the user who may do everything: the brokers' settings name it as a super user.
const adminName = "admin"

func (c class) authority() string          { return filepath.Join(string(c), "ca") }
func (c class) broker(name string) string  { return filepath.Join(string(c), "brokers", name) }
func (c class) admin() string              { return filepath.Join(string(c), adminName) }
func (c class) student(name string) string { return filepath.Join(string(c), "clients", name) }

// classOf returns the class whose admin has this credentials folder.
func classOf(admin string) class { return class(filepath.Dir(filepath.Clean(admin))) }

// students returns the students who have a credentials folder, client9 before client10.
func (c class) students() ([]string, error) {
	names, err := folders(c.student(""))
	if err == nil && len(names) == 0 {
		err = cli.WithHint(fmt.Errorf("%s: there is no student's folder", c.student("")), "enroll issue makes the folders")
	}
	slices.SortFunc(names, func(a, b string) int {
		const digits = "0123456789"
		return cmp.Or(cmp.Compare(strings.TrimRight(a, digits), strings.TrimRight(b, digits)), cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	})
	return names, err
}

// folders returns the names of the folders in dir. If dir does not exist, there are none.
func folders(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// nameRule is the rule for the names of students and of brokers. Such a name is a folder, a Kafka topic, a
// host and a user: the rule ssl.principal.mapping.rules of the brokers does not change it. A certificate
// allows 64 characters.
var nameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$`)

// usable returns the names in lower case, as the brokers see them. If names cannot be used, or are taken, it
// prints each of them, and fails.
func usable(names []string, taken ...string) ([]string, error) {
	all := append([]string{adminName}, taken...)
	used := make(map[string]bool)
	for _, name := range all {
		used[name] = true
	}
	var accepted []string
	for _, written := range names {
		name := strings.ToLower(written)
		switch {
		case !nameRule.MatchString(name):
			cli.Say("%q is not a name: it has letters, digits and, between them, dots and hyphens, at most 64", written)
		case used[name]:
			cli.Say("%q is the name of the admin, of a broker or of a student already", written)
		default:
			used[name] = true
			accepted = append(accepted, name)
		}
	}
	if refused := len(names) - len(accepted); refused > 0 {
		return nil, fmt.Errorf("%d of %d names refused, nothing was done", refused, len(names))
	}
	return accepted, nil
}

// readRoster reads a file with one name per line, or a CSV file with a column "name". It ignores empty lines
// and lines that begin with #.
func readRoster(path string) (names []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // spreadsheets begin a UTF-8 file with it
	if !utf8.Valid(text) {
		return nil, cli.WithHint(fmt.Errorf("%s: the text is not UTF-8", path), "save the file as UTF-8")
	}
	reader := csv.NewReader(bytes.NewReader(text))
	reader.Comment = '#'
	reader.FieldsPerRecord = -1 // rows may have different lengths
	header, _, _ := bytes.Cut(text, []byte("\n"))
	for _, separator := range ";\t" { // spreadsheets write these, too
		if bytes.ContainsRune(header, separator) {
			reader.Comma = separator
		}
	}
	column := -1
	for {
		record, err := reader.Read()
		switch {
		case err == io.EOF && len(names) == 0:
			return nil, fmt.Errorf("%s: there is no name in it", path)
		case err == io.EOF:
			return names, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", path, err) // it contains the line number
		case column < 0:
			column = slices.IndexFunc(record, func(title string) bool { return strings.EqualFold(strings.TrimSpace(title), "name") })
			if column >= 0 {
				continue
			}
			if len(record) > 1 {
				return nil, cli.WithHint(fmt.Errorf("%s: no column has the name \"name\"", path),
					"the first line must be a header, such as id,name")
			}
			column = 0 // a list of names
		}
		if strings.TrimSpace(strings.Join(record, "")) != "" { // spreadsheets write an empty row as ;;;
			names = append(names, strings.TrimSpace(append(record, make([]string, column+1)...)[column]))
		}
	}
}
