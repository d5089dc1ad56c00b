package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"tkafka/pkg/cli"
)

// result is the result of one check.
type result string

const (
	ok      result = "ok"
	note    result = "note"  // the staff should know it, but nothing is wrong
	wrong   result = "WRONG" // the command ends with status 1
	skipped result = "-"     // it could not be checked
)

// finding is what the check has found about one part of the cluster.
type finding struct {
	What   string
	Result result
	Detail string
}

// report is what enroll check has found.
type report struct {
	Cluster  []finding
	Students []*student
}

// judge returns a summary, and whether everything is right.
func (r *report) judge() (summary string, fine bool) {
	problems, good := 0, 0
	for _, f := range r.Cluster {
		if f.Result == wrong {
			problems++
		}
	}
	for _, s := range r.Students {
		if len(s.Problems) == 0 {
			good++
		}
	}
	return fmt.Sprintf("problems of the cluster: %d; %s of %s students are ok", problems, cli.Count(good), cli.Count(len(r.Students))),
		problems == 0 && good == len(r.Students)
}

// writeTable prints two tables: the cluster and the students. A row with a problem has the text WRONG
// in it.
func (r *report) writeTable(w io.Writer) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...any) {
		format := strings.Repeat("\t%v", len(cells))[1:]
		text := strings.ReplaceAll(fmt.Sprintf(format, cells...), "\n", " ")
		fmt.Fprintf(columns, "%s\n", cli.Escape(text)) // it can contain text from a broker
	}
	row("CLUSTER", "RESULT", "DETAIL")
	for _, f := range r.Cluster {
		row(f.What, f.Result, f.Detail)
	}
	row("")
	row("STUDENT", "CERTIFICATE", "UNTIL", "TOPIC", "WRITE", "READ", "OTHERS", "READ-ONLY", "PROBLEMS")
	for _, s := range r.Students {
		row(s.Name, s.Certificate, s.Expires, s.Topic, s.Write, s.Read, s.Others, s.ReadOnly, cmp.Or(strings.Join(s.Problems, "; "), "none"))
	}
	return columns.Flush()
}

// few lists the first of many names.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
