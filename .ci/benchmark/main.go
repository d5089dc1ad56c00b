// Benchmark measures the programs of the tutorial beside other clients: kcat, programs in Python as in
// the tutorial's original, and a client that uses franz-go without our packages. It prints one table in
// Markdown. Results depend on the machine and its load, so compare only rows of one table.
//
// The candidates of a row take turns: A B C, A B C, and so on. Each result is compared with what was
// sent. A result with a missing, doubled or changed message has no time, and the exit status is 1.
//
// .ci/bench installs the other clients and runs this program.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	"tkafka/pkg/cli"
)

func main() {
	if len(os.Args) > 2 && (os.Args[1] == "bare" || os.Args[1] == "cluster") {
		child(os.Args[1], os.Args[2:])
		return
	}
	program := cli.New("bench",
		"Measures the programs beside other clients, and prints one table in Markdown.\n"+
			"Without --auth, it starts a cluster of its own.",
		".ci/bench --rows 'produce|consume' --json results.json\n.ci/bench --auth creds/admin")
	var o options
	program.Flags.StringVar(&o.auth, "auth", "", "credentials `folder` of an admin, who may create and delete topics")
	program.Flags.BoolVar(&o.short, "short", false, "few messages, and each program once: the times mean nothing")
	program.Flags.IntVar(&o.runs, "runs", 3, "measure each program `N` times")
	selected := program.Flags.String("rows", "", "measure only the rows with a name that matches `REGEXP`")
	json := program.Flags.String("json", "", "write all results to this `file`, too")
	program.Flags.StringVar(&o.python, "python", "python3", "a `program`: Python with the package confluent-kafka")

	program.Run(func(ctx context.Context, _ []string) error {
		pattern, err := regexp.Compile(*selected)
		if err != nil {
			return &cli.Misuse{Problem: "--rows: " + err.Error()}
		}
		var wanted []row
		for _, row := range rows {
			if pattern.MatchString(row.name) && !(o.short && row.long) && !(o.auth != "" && row.embedded) {
				wanted = append(wanted, row)
			}
		}
		if len(wanted) == 0 {
			return &cli.Misuse{Problem: "there is nothing to measure in --rows " + *selected}
		}
		if o.runs < 1 {
			return &cli.Misuse{Problem: "--runs is less than 1"}
		}
		if o.short {
			o.runs = 1
		}
		b, err := open(ctx, program, o)
		if err != nil {
			return err
		}
		defer b.close()
		results := report{Setting: b.describe(ctx)}
		for _, row := range wanted {
			measured, failure := b.measure(ctx, row)
			if failure != nil {
				err = fmt.Errorf("%s: %w", row.name, failure)
				break // and print what there is
			}
			results.Rows = append(results.Rows, measured...)
		}
		results.Floor = ownPeak()
		err = errors.Join(err, results.print(os.Stdout))
		if *json != "" {
			err = errors.Join(err, results.save(*json))
		}
		return errors.Join(err, results.incomplete())
	})
}

// child does the work of a process that the benchmark has started.
func child(work string, args []string) {
	var err error
	if work == "cluster" {
		err = runCluster(args[0])
	} else {
		err = bare(args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
