// Judge finds out whether a program loses messages: one of this repository, or your own, in any language.
//
// It starts your consumer or producer as a process, on a cluster of its own, and breaks things around it:
// it kills the program, lets other members join, and takes brokers away. Then it compares what the
// program has printed with what is in the topic.
//
//	go run ./classroom/judge consumer -- python3 classroom/languages/member.py {topic} {group}
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/trial"
)

var (
	asJSON = pflag.Bool("json", false, "print the results as JSON")
	seed   = pflag.Uint64("seed", 0, "a `number` that repeats the random choices of a run (otherwise a new one)")
	only   = pflag.String("only", "", "perform only these `trials`, such as kill,members")
	line   = pflag.String("line", "", "of a consumer, count only lines that match this regular `expression`")
	result = pflag.String("result", "", "of a consumer, a `command` that prints what is stored, run at the end of each trial")

	command []string // the program to judge, with its arguments
)

const about = `Finds out whether a program loses messages, reads them twice, or changes their order.
It runs the command behind --, on a cluster of its own, and breaks things around it.
In the command, {topic}, {group}, {brokers} and {auth} stand for what the program needs.
A consumer prints each message on standard output. A producer sends each line of standard input.

  judge consumer -- go run ./consumergroup/consumer judge my_group
  judge consumer -- python3 classroom/languages/member.py {topic} {group}
  judge producer -- go run ./producer {topic}`

func main() {
	if at := slices.Index(os.Args, "--"); at >= 0 { // the program has flags of its own
		command, os.Args = os.Args[at+1:], os.Args[:at]
	}
	cli.Run("consumer|producer", about, judge)
}

func judge(ctx context.Context, args []string) error {
	if len(command) == 0 {
		return &cli.Misuse{Problem: "the command is missing, such as: judge " + args[0] + " -- ./my_program {topic}"}
	}
	if !pflag.CommandLine.Changed("seed") {
		*seed = uint64(time.Now().UnixNano() % 100_000)
	}
	pattern, err := regexp.Compile(*line)
	if err != nil {
		return &cli.Misuse{Problem: "--line: " + err.Error()}
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	suite := &trial.Suite{
		Command: trial.Command{Args: command, Folder: here}, Producer: args[0] == "producer",
		Seed: *seed, Line: pattern, Stored: *result,
		Say:  func(trial, line string) { cli.Say("%s: %s", trial, line) },
		Done: func(r trial.Result) { cli.Say("%s: %s", r.Trial, summary(r)) },
	}
	if suite.Trials, err = selected(suite.Producer, *only); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tkafka-trials-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built, err := suite.Command.Build(ctx, dir)
	if err != nil {
		return err
	}
	if built != "" {
		cli.Say("built %s, so that signals reach the program itself", built)
	}
	cli.Say("%d trials, seed %d; each runs in a copy of this folder, with an auth/ of its own", len(suite.Trials), *seed)
	began := time.Now()
	results, err := suite.Run(ctx, dir)
	if err != nil {
		return err
	}
	report := report{
		Kind: args[0], Command: strings.Join(command, " "), Seed: *seed, Verdict: trial.Verdict(results), Measure: measure(args[0]),
		Seconds: time.Since(began).Round(100 * time.Millisecond).Seconds(), Results: results,
	}
	show := report.print
	if *asJSON {
		show = report.printJSON
	}
	return cmp.Or(show(), report.problem())
}

// measure is what the verdict is about.
func measure(kind string) string {
	switch {
	case kind == "producer":
		return "messages in the topic"
	case *result != "":
		return "stored messages"
	}
	return "printed lines"
}

// selected returns the trials with these names. The first trial of a kind is always among them.
func selected(producer bool, names string) ([]trial.Trial, error) {
	all := trial.Consumer
	if producer {
		all = trial.Producer
	}
	if names == "" {
		return all, nil
	}
	chosen := all[:1:1]
	var known []string
	for _, t := range all {
		known = append(known, t.Name)
	}
	for name := range strings.SplitSeq(names, ",") {
		at := slices.Index(known, name)
		if at < 0 {
			return nil, &cli.Misuse{Problem: fmt.Sprintf("there is no trial %q: choose from %s", name, strings.Join(known, ","))}
		}
		if at > 0 {
			chosen = append(chosen, all[at])
		}
	}
	return chosen, nil
}
