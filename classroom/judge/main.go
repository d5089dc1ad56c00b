// Judge finds out whether a program loses messages: one of this repository, or your own, in any language.
//
// It starts your consumer or producer as a process, on a cluster of its own, and breaks things around it:
// it kills the program, lets other members join, and takes brokers away. Then it compares what the
// program has printed with what is in the topic.
//
// Usage:
//
//	go run ./classroom/judge consumer -- python3 my_consumer.py {topic} {group}
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
	"tkafka/pkg/trial"
)

// lanes is how many trials run side by side. Most of the time each of them waits.
const lanes = 4

func main() {
	program := cli.New("judge consumer|producer <command>...",
		"Finds out whether a program loses messages, reads them twice, or changes their order.\n"+
			"It runs the command behind --, on a cluster of its own, and breaks things around it.\n"+
			"In the command, {topic}, {group}, {brokers} and {auth} stand for what the program needs.\n"+
			"A consumer prints each message on standard output. A producer sends each line of standard input.",
		"judge consumer -- go run ./consumergroup/consumer judge my_group\n"+
			"judge consumer -- python3 my_consumer.py {topic} {group}\n"+
			"judge producer -- ./my_producer {topic}")
	auth := settings.AddFlags(program.Flags)
	topic := program.Flags.String("topic", "", "use an existing cluster, with this `topic`; without it, --auth is an admin's folder")
	docker := program.Flags.Bool("docker", false, "the existing cluster runs in Docker on this machine: stop its brokers, too")
	long := program.Flags.Bool("long", false, "kill the program more often, and keep the brokers away for a minute")
	json := program.Flags.Bool("json", false, "print the results as JSON")
	seed := program.Flags.Uint64("seed", 0, "a `number` that repeats the random choices of a run (default: a new one)")
	only := program.Flags.String("only", "", "perform only these `trials`, such as kill,members")

	program.Run(func(ctx context.Context, args []string) error {
		others := *topic != "" || program.Flags.Changed("auth") || program.Flags.Changed("brokers")
		if *docker && !others {
			return &cli.Misuse{Problem: "--docker needs --auth or --topic, for an existing cluster"}
		}
		if !program.Flags.Changed("seed") {
			*seed = uint64(time.Now().UnixNano() % 100_000)
		}
		here, err := os.Getwd()
		if err != nil {
			return err
		}
		suite := &trial.Suite{
			Command: trial.Command{Args: args[1:], Folder: here}, Producer: args[0] == "producer",
			Seed: *seed, Long: *long, Lanes: lanes,
			Say: func(trial, line string) { program.Say("%s: %s", trial, line) },
		}
		suite.Done = func(r trial.Result) { program.Say("%s: %s", r.Trial, summary(r)) }
		if suite.Trials, err = selected(suite.Producer, *only); err != nil {
			return err
		}
		if others {
			if suite.Existing, err = existing(ctx, program, auth, *topic); err != nil {
				return err
			}
			suite.Existing.Docker = *docker
		}
		dir, err := os.MkdirTemp("", "tkafka-trials-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		typed := strings.Join(args[1:], " ")
		built, err := suite.Command.Build(ctx, dir)
		if err != nil {
			return err
		}
		if built != "" {
			program.Say("built %s, so that signals reach the program itself", built)
		}
		program.Say("%d trials, seed %d; each runs in a folder with links to the files here and an auth/ of its own", len(suite.Trials), *seed)
		began := time.Now()
		results, err := suite.Run(ctx, dir)
		if err != nil {
			return err
		}
		report := report{
			Kind: args[0], Command: typed, Seed: *seed, Verdict: trial.Verdict(results),
			Seconds: time.Since(began).Round(100 * time.Millisecond).Seconds(), Results: results,
		}
		if *json {
			err = report.printJSON(os.Stdout)
		} else {
			err = report.print(os.Stdout)
		}
		if err == nil && !report.passed() {
			err = errors.New(report.problem())
		}
		return err
	})
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
		found := false
		for i, t := range all {
			if t.Name == name {
				found = true
				if i > 0 {
					chosen = append(chosen, t)
				}
			}
		}
		if !found {
			return nil, &cli.Misuse{Problem: fmt.Sprintf("there is no trial %q: choose from %s", name, strings.Join(known, ","))}
		}
	}
	return chosen, nil
}

// existing checks the credentials for a cluster that others run.
func existing(ctx context.Context, program *cli.Program, found *settings.Settings, topic string) (*trial.Existing, error) {
	if err := found.Find(program.Report); err != nil {
		return nil, err
	}
	open, err := cluster.Open(ctx, program, found, cluster.Needs{Topic: topic, Read: topic != "", Write: topic != "", Group: "judge"})
	if err != nil {
		return nil, err
	}
	security, err := tlsconf.Load(found.Folder, found.Password, nil)
	if err != nil {
		return nil, err
	}
	return &trial.Existing{Topic: topic, Brokers: open.Brokers, Folder: found.Folder, Password: found.Password, TLS: security}, nil
}
