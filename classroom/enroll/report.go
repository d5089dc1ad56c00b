package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"tkafka/pkg/cli"
	"tkafka/pkg/terminal"
)

// result is how something looks.
type result string

const (
	ok      result = "ok"
	note    result = "note"  // worth knowing, but nothing is wrong
	wrong   result = "WRONG" // the reason for status 1
	skipped result = "-"     // could not be looked at
)

// finding is what was looked at in the cluster, and what was seen.
type finding struct {
	What   string `json:"what"`
	Result result `json:"result"`
	Detail string `json:"detail"`
}

// report is what enroll check has found.
type report struct {
	OK       bool      `json:"ok"`
	Cluster  []finding `json:"cluster"`
	Students []visited `json:"students"`
}

// wrongs counts the findings and the students that are not as they should be.
func (r *report) wrongs() (findings, students int) {
	for _, f := range r.Cluster {
		if f.Result == wrong {
			findings++
		}
	}
	for _, v := range r.Students {
		if len(v.Problems) > 0 {
			students++
		}
	}
	return findings, students
}

func (r *report) judge() {
	findings, students := r.wrongs()
	r.OK = findings+students == 0
}

func (r *report) summary() string {
	findings, students := r.wrongs()
	if r.OK {
		return fmt.Sprintf("all is as it should be: the cluster, and %s of %[1]s students", cli.Count(len(r.Students)))
	}
	return fmt.Sprintf("wrong: %d of %d lines about the cluster, %s of %s students",
		findings, len(r.Cluster), cli.Count(students), cli.Count(len(r.Students)))
}

func (r *report) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// writeTable prints two tables: the cluster, and the students. A row that is not as it should be has
// the word WRONG in it.
func (r *report) writeTable(w io.Writer) error {
	cluster := table{{"CLUSTER", "RESULT", "DETAIL"}}
	for _, f := range r.Cluster {
		cluster.row(f.What, string(f.Result), f.Detail)
	}
	if err := cluster.write(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	students := table{{"STUDENT", "CERTIFICATE", "UNTIL", "TOPIC", "WRITE", "READ", "OTHERS", "GROUP", "PROBLEMS"}}
	for _, v := range r.Students {
		students.row(v.Student, string(v.Certificate), v.Expires, string(v.Topic), string(v.Write), string(v.Read),
			string(v.Others), string(v.Group), strings.Join(v.Problems, "; "))
	}
	return students.write(w)
}

// table aligns its columns. Unlike text/tabwriter it does so for a row that ends early, too.
type table [][]string

func (t *table) row(cells ...string) {
	for i, cell := range cells {
		// A broker's own words may be in it.
		cells[i] = strings.ReplaceAll(string(terminal.Escape([]byte(cell))), "\t", " ")
	}
	*t = append(*t, cells)
}

func (t table) write(w io.Writer) error {
	widths := make([]int, len(t[0]))
	for _, cells := range t {
		for i, cell := range cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, cells := range t {
		var line strings.Builder
		for i, cell := range cells {
			fmt.Fprintf(&line, "%-*s  ", widths[i], cell)
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}
