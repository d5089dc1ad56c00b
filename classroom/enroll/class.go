package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/broker"
)

// class is the folder with the credentials of a class:
//
//	ca/                the authority: ca.crt, and ca.key, which can sign a certificate for any user
//	brokers/kafka-1/   the stores of a broker
//	admin/             the credentials of the admin
//	clients/client1/   the credentials of a student or a group, to hand out; clients/client1.zip holds the same
//	topics.json        how enroll apply makes the topics
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

// topics is how the topics of a class are made. The class keeps it, for enroll check and the next enroll apply.
type topics struct {
	Partitions int      `json:"partitions"`
	Copies     int      `json:"copies"`   // replicas of each partition, if there are enough brokers
	ReadOnly   []string `json:"readOnly"` // topics that all may read
}

func (c class) topicsFile() string { return filepath.Join(string(c), "topics.json") }

func (c class) topics() (topics, error) {
	t := topics{Partitions: broker.DefaultPartitions, Copies: 3}
	text, err := os.ReadFile(c.topicsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return t, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	if err != nil {
		err = cli.WithHint(fmt.Errorf("%s: %w", c.topicsFile(), err), "delete the file, and run enroll apply with its flags again")
	}
	return t, err
}

func (c class) keep(t topics) error {
	text, err := json.MarshalIndent(t, "", "  ")
	return errors.Join(err, os.WriteFile(c.topicsFile(), append(text, '\n'), 0o644))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// nameRule is the rule for the names of students, groups and brokers. Such a name is a folder, a Kafka topic, a
// host and a user: the rule ssl.principal.mapping.rules of the brokers does not change it. A certificate
// allows 64 characters.
var nameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$`)

// register collects the names of a class, and prints each name that cannot be used.
type register struct {
	taken        map[string]string // what has a name: "the admin"
	all, refused int
}

func newRegister() *register {
	return &register{taken: map[string]string{adminName: "the admin"}}
}

// add returns the names in lower case, as the brokers see them, without those that cannot be used.
func (r *register) add(what string, names ...string) (accepted []string) {
	for _, written := range names {
		name := strings.ToLower(written)
		switch holder := r.taken[name]; {
		case !nameRule.MatchString(name) || strings.Contains(name, ".."):
			r.refused++
			cli.Say("%q is not a name: it has letters, digits and, between them, dots and hyphens, at most 64", written)
		case holder != "":
			r.refused++
			cli.Say("%q is the name of %s already", written, holder)
		default:
			r.taken[name] = what
			accepted = append(accepted, name)
		}
	}
	r.all += len(names)
	return accepted
}

// err returns an error if a name was refused.
func (r *register) err() error {
	if r.refused > 0 {
		return fmt.Errorf("%d of %d names refused, nothing was done", r.refused, r.all)
	}
	return nil
}

var rangeRule = regexp.MustCompile(`^(.*?)([0-9]{1,6})\.\.(.*?)([0-9]{1,6})$`)

// expand returns the names in a range such as client1..client60. Other text stays as it is.
func expand(text string) []string {
	ends := rangeRule.FindStringSubmatch(text)
	if ends == nil || ends[1] != ends[3] {
		return []string{text}
	}
	first, _ := strconv.Atoi(ends[2])
	last, _ := strconv.Atoi(ends[4])
	var names []string
	for i := first; i <= last; i++ {
		names = append(names, fmt.Sprintf("%s%0*d", ends[1], len(ends[2]), i))
	}
	if names == nil { // the last one is before the first
		return []string{text}
	}
	return names
}

// readRoster reads the names of students and of groups: one name or range in a line, or a CSV file with a column
// "name", a column "group", or both. It ignores empty lines and lines that begin with #.
func readRoster(path string) (students, groups []string, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // spreadsheets begin a UTF-8 file with it
	if !utf8.Valid(text) {
		return nil, nil, cli.WithHint(fmt.Errorf("%s: the text is not UTF-8", path), "save the file as UTF-8")
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
	rows, err := reader.ReadAll()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err) // it contains the line number
	}
	for _, row := range rows {
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
	}
	rows = slices.DeleteFunc(rows, func(row []string) bool { return strings.Join(row, "") == "" }) // of a spreadsheet: ;;;
	if len(rows) == 0 {
		return nil, nil, nil
	}
	column := func(title string) int {
		return slices.IndexFunc(rows[0], func(cell string) bool { return strings.EqualFold(cell, title) })
	}
	name, group := column("name"), column("group")
	switch {
	case name >= 0 || group >= 0:
		rows = rows[1:]
	case len(rows[0]) > 1 || slices.Contains([]string{"names", "student", "students", "groups"}, strings.ToLower(rows[0][0])):
		return nil, nil, cli.WithHint(fmt.Errorf("%s: no column has the name \"name\" or \"group\"", path),
			"the first line must be a heading, such as name,group")
	default:
		name = 0 // a list of names
	}
	for _, row := range rows {
		row = append(row, make([]string, max(name, group)+1)...) // a short row
		if name >= 0 && (row[name] != "" || group < 0 || row[group] == "") {
			students = append(students, expand(row[name])...)
		}
		if group >= 0 && row[group] != "" {
			for _, team := range expand(row[group]) {
				if !slices.Contains(groups, team) { // each of its members names it
					groups = append(groups, team)
				}
			}
		}
	}
	return students, groups, nil
}
