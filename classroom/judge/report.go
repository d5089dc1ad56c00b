package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"tkafka/pkg/cli"
	"tkafka/pkg/trial"
)

// report is the result of all trials of a program.
type report struct {
	Kind    string         `json:"kind"`
	Command string         `json:"command"`
	Seed    uint64         `json:"seed"`
	Verdict string         `json:"verdict"`
	Seconds float64        `json:"seconds"`
	Results []trial.Result `json:"trials"`
}

func (r *report) printJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// examples is how many messages of each kind the report names.
const examples = 2

func (r *report) print(out io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s\n\n", r.Kind, r.Command)
	fmt.Fprintf(&text, "%-12s %-10s %9s %6s %6s %13s %8s\n", "trial", "result", "messages", "lost", "twice", "out of order", "time")
	for _, t := range r.Results {
		if t.Status == trial.NotTried {
			fmt.Fprintf(&text, "%-12s %-10s %s\n", t.Trial, t.Status, t.Why)
			continue
		}
		fmt.Fprintf(&text, "%-12s %-10s %9d %6d %6d %13d %6.1f s\n", t.Trial, t.Status, t.Sent, len(t.Lost), len(t.Twice), len(t.OutOfOrder), t.Seconds)
	}
	for _, t := range r.Results {
		if t.Status == trial.Failed {
			explain(&text, t)
		}
	}
	r.printNotes(&text)
	if begins := r.Results[0].Begins; begins != "" {
		fmt.Fprintf(&text, "\na new group begins at %s", begins)
	}
	fmt.Fprintf(&text, "\nverdict: %s (seed %d, %.0f s)\n", r.Verdict, r.Seed, r.Seconds)
	_, err := out.Write(cli.Escape([]byte(text.String())))
	return err
}

// explain prints what was seen in a trial, what it means, and where the README explains it.
func explain(text *strings.Builder, t trial.Result) {
	fmt.Fprintf(text, "\n%s FAILED: %s\n", t.Trial, t.What)
	if t.Why != "" {
		say(text, "  seen: ", t.Why)
	}
	if t.Hint != "" {
		say(text, "  hint: ", t.Hint)
	}
	for _, kind := range []struct {
		what     string
		findings []trial.Finding
	}{{"lost", t.Lost}, {"twice", t.Twice}, {"out of order", t.OutOfOrder}} {
		for i, finding := range kind.findings {
			if i == examples {
				say(text, "  seen: ", fmt.Sprintf("%s: %d more", kind.what, len(kind.findings)-i))
				break
			}
			say(text, "  seen: ", fmt.Sprintf("%s: %s", kind.what, finding))
		}
	}
	for _, meaning := range t.Meanings {
		say(text, "  means: ", meaning)
	}
	if t.Section != "" {
		say(text, "  read: ", fmt.Sprintf("README.md, %q", t.Section))
	}
}

// width is the number of columns of the report.
const width = 100

// say prints a text in lines that fit, behind a label.
func say(text *strings.Builder, label, words string) {
	column := 0
	for word := range strings.FieldsSeq(words) {
		switch {
		case column == 0:
			text.WriteString(label)
			column = len(label)
		case column+1+len(word) > width:
			text.WriteString("\n" + strings.Repeat(" ", len(label)))
			column = len(label)
		default:
			text.WriteByte(' ')
			column++
		}
		text.WriteString(word)
		column += len(word)
	}
	text.WriteByte('\n')
}

// printNotes prints each note once, with the trials that it is about.
func (r *report) printNotes(text *strings.Builder) {
	about := make(map[string][]string)
	var notes []string
	for _, t := range r.Results {
		for _, note := range t.Notes {
			if about[note] == nil {
				notes = append(notes, note)
			}
			about[note] = append(about[note], t.Trial)
		}
	}
	if len(notes) > 0 {
		fmt.Fprintln(text)
	}
	for _, note := range notes {
		say(text, "note: ", fmt.Sprintf("%s (%s)", note, strings.Join(about[note], ", ")))
	}
}

// summary is one line about a trial that has ended.
func summary(r trial.Result) string {
	if r.Status == trial.NotTried || r.Why != "" {
		return fmt.Sprintf("%s: %s", r.Status, r.Why)
	}
	return fmt.Sprintf("%s: %d messages, %d lost, %d twice, %d out of order, in %.1f s",
		r.Status, r.Sent, len(r.Lost), len(r.Twice), len(r.OutOfOrder), r.Seconds)
}

// passed reports whether no trial failed, and one was possible.
func (r *report) passed() bool {
	ok := false
	for _, t := range r.Results {
		if t.Status == trial.Failed {
			return false
		}
		ok = ok || t.Status == trial.OK
	}
	return ok
}

func (r *report) problem() string {
	failed := 0
	for _, t := range r.Results {
		if t.Status == trial.Failed {
			failed++
		}
	}
	if failed == 0 {
		return "no trial was possible: " + r.Results[0].Why
	}
	return fmt.Sprintf("%d of %d trials failed", failed, len(r.Results))
}
