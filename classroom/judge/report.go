package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/trial"
)

// report is the result of all trials of a program.
type report struct {
	Kind    string         `json:"kind"`
	Command string         `json:"command"`
	Seed    uint64         `json:"seed"`
	Verdict string         `json:"verdict"`
	Measure string         `json:"measure"` // what the verdict is about
	Seconds float64        `json:"seconds"`
	Results []trial.Result `json:"trials"`
}

func (r *report) printJSON() error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

func (r *report) print() error {
	text := new(strings.Builder)
	fmt.Fprintf(text, "%s: %s\n\n", r.Kind, r.Command)
	fmt.Fprintf(text, "%-12s %-10s %9s %6s %6s %13s %8s\n", "trial", "result", "messages", "lost", "twice", "out of order", "time")
	for _, t := range r.Results {
		if t.Status == trial.NotTried {
			fmt.Fprintf(text, "%-12s %-10s %s\n", t.Trial, t.Status, t.Why)
			continue
		}
		fmt.Fprintf(text, "%-12s %-10s %9d %6d %6d %13d %6.1f s\n", t.Trial, t.Status, t.Sent, len(t.Lost), len(t.Twice), len(t.OutOfOrder), t.Seconds)
	}
	for _, t := range r.Results {
		if t.Status == trial.Failed {
			explain(text, t)
		}
	}
	r.addNotes(text)
	if begins := r.Results[0].Begins; begins != "" {
		fmt.Fprintf(text, "\na new group begins at %s", begins)
	}
	fmt.Fprintf(text, "\nverdict: %s (%s, seed %d, %.0f s)\n", r.Verdict, r.Measure, r.Seed, r.Seconds)
	_, err := os.Stdout.WriteString(cli.Escape(text.String()))
	return err
}

// explain adds what was seen in a trial, what it means, and where the README explains it.
func explain(text *strings.Builder, t trial.Result) {
	fmt.Fprintf(text, "\n%s FAILED: %s\n", t.Trial, t.What)
	add(text, "  seen: ", t.Why)
	add(text, "  hint: ", t.Hint)
	examples(text, "lost", t.Lost)
	examples(text, "twice", t.Twice)
	examples(text, "out of order", t.OutOfOrder)
	for _, meaning := range t.Meanings {
		add(text, "  means: ", meaning)
	}
	if t.Section != "" {
		add(text, "  read: ", fmt.Sprintf("README.md, %q", t.Section))
	}
}

// examples adds two findings of a kind, and the number of the others.
func examples(text *strings.Builder, what string, findings []trial.Finding) {
	const most = 2
	for _, finding := range findings[:min(most, len(findings))] {
		add(text, "  seen: ", fmt.Sprintf("%s: %s", what, finding))
	}
	if len(findings) > most {
		add(text, "  seen: ", fmt.Sprintf("%s: %d more", what, len(findings)-most))
	}
}

// width is the number of columns of the report.
const width = 100

// add adds a label and words, if there are any, in lines that fit.
func add(text *strings.Builder, label, words string) {
	line := label
	for word := range strings.FieldsSeq(words) {
		if len(line)+len(word) > width {
			text.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", len(label))
		}
		line += word + " "
	}
	if words != "" {
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// addNotes adds each note once, with the trials that it is about.
func (r *report) addNotes(text *strings.Builder) {
	about := make(map[string][]string)
	var notes []string
	for _, t := range r.Results {
		for _, note := range t.Notes {
			if !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
			about[note] = append(about[note], t.Trial)
		}
	}
	if len(notes) > 0 {
		fmt.Fprintln(text)
	}
	for _, note := range notes {
		add(text, "note: ", fmt.Sprintf("%s (%s)", note, strings.Join(about[note], ", ")))
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

// problem is the error of the judge: that a trial failed, or that none was possible.
func (r *report) problem() error {
	count := make(map[trial.Status]int)
	for _, t := range r.Results {
		count[t.Status]++
	}
	switch {
	case count[trial.Failed] > 0:
		return fmt.Errorf("%d of %d trials failed", count[trial.Failed], len(r.Results))
	case count[trial.OK] == 0:
		return fmt.Errorf("no trial was possible: %s", r.Results[0].Why)
	}
	return nil
}
