package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"tkafka/pkg/cli"
)

// row is an attack with its result.
type row struct {
	attack
	times           int
	counted, result string
	took            time.Duration
	failed          bool
}

func newRow(a attack, f *findings, counted string, err error, took time.Duration) row {
	r := row{attack: a, times: f.times, counted: counted, result: "ok", took: took}
	var impossible notTried
	switch {
	case errors.As(err, &impossible):
		r.result = "not tried: " + string(impossible)
	case len(f.broken) > 0:
		r.result, r.failed = fmt.Sprintf("**FAILED**: %s", f.broken[0]), true
		if more := len(f.broken) - 1; more > 0 {
			r.result += fmt.Sprintf(" (and %d more)", more)
		}
	case err != nil:
		r.result, r.failed = fmt.Sprintf("**FAILED**: %v", err), true
	}
	return r
}

// printTable prints the table, and fails if a row did.
func printTable(out io.Writer, rows []row) error {
	var table strings.Builder
	table.WriteString("| fault | on | times | what happened | result | time |\n|---|---|--:|---|---|--:|\n")
	failed := 0
	for _, r := range rows {
		cells := []string{r.fault, r.on, cli.Count(r.times), r.counted, r.result, fmt.Sprintf("%.0f s", r.took.Seconds())}
		for i := range cells {
			cells[i] = strings.NewReplacer("|", "/", "\n", " ").Replace(cells[i])
		}
		fmt.Fprintf(&table, "| %s |\n", strings.Join(cells, " | "))
		if r.failed {
			failed++
		}
	}
	if _, err := io.WriteString(out, table.String()); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d attacks broke a promise", failed, len(rows))
	}
	return nil
}

// times is a number of repetitions: few in a short run.
func (a *arena) times(full, short int) int {
	if a.short {
		return short
	}
	return full
}
