package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

const (
	// partitions is how many partitions a student's topic has: enough to see a group share them.
	partitions = 16
	// mostReplicas is how many brokers keep a copy of each, where there are so many.
	mostReplicas = 3
	// topicsAtOnce is how many topics one request makes: few enough for a bar that moves, and for
	// the controller, which refuses requests for more than some 580 topics of 16 partitions.
	topicsAtOnce = 50
)

// replicasOn is how many brokers keep a copy of each message on a cluster of so many.
func replicasOn(brokers int) int { return min(mostReplicas, brokers) }

func apply() {
	program := cli.New("enroll apply",
		"Makes a topic for each student on the cluster, and gives the student the right to write and read it\n"+
			"and to be a member of any group. Run again, it makes what is missing.",
		"enroll apply --auth creds/admin")
	found := settings.AddFlags(program.Flags)
	file := program.Flags.String("roster", "",
		"`file` with the students' names (default: those of the folders\nin clients/, beside the admin's)")

	run(program, func(ctx context.Context, _ []string) error {
		err := found.Find()
		if err != nil {
			return err
		}
		students, err := classOf(found.Folder).enrolled(program, *file)
		if err != nil {
			return err
		}
		a, err := openAdmin(ctx, program, found)
		if err != nil {
			return err
		}
		defer a.Close()
		return a.apply(ctx, program, students)
	})
}

// apply makes what the students lack. What fails is told, and the rest is done all the same: an error
// says how much failed.
func (a *admin) apply(ctx context.Context, program *cli.Program, students []string) error {
	failed, err := a.makeTopics(ctx, program, students)
	if err != nil {
		return err
	}
	var wanted []right
	for _, student := range students {
		wanted = append(wanted, rightsOf(student)...)
	}
	have, err := rightsKnownTo(ctx, a.raw, nil)
	if err != nil {
		return fmt.Errorf("rights: %w", err)
	}
	missing := without(wanted, have)
	made, err := a.grant(ctx, missing)
	program.Say("rights: made %s, %s were there", cli.Count(made), cli.Count(len(wanted)-len(missing)))
	if err != nil {
		return fmt.Errorf("%s of %s rights failed: %w", cli.Count(len(missing)-made), cli.Count(len(wanted)), err)
	}
	if failed > 0 {
		return fmt.Errorf("%s of %s topics are not as they should be", cli.Count(failed), cli.Count(len(students)))
	}
	return nil
}

// without returns the rights that are not among those there.
func without(rights, there []right) []right {
	known := make(map[right]bool, len(there))
	for _, r := range there {
		known[r] = true
	}
	return slices.DeleteFunc(slices.Clone(rights), func(r right) bool { return known[r] })
}

// makeTopics makes the topics that are missing, and returns how many are not as they should be
// afterwards.
func (a *admin) makeTopics(ctx context.Context, program *cli.Program, topics []string) (failed int, err error) {
	metadata, err := a.Metadata(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("topics: %w", refusal(err, ""))
	}
	replicas := replicasOn(len(metadata.Brokers))
	if replicas < mostReplicas {
		program.Say("%d brokers are there: each message is kept %d times, not %d", len(metadata.Brokers), replicas, mostReplicas)
	}
	var missing []string
	for _, name := range topics {
		switch topic := metadata.Topics[name]; {
		case errors.Is(topic.Err, kerr.UnknownTopicOrPartition):
			missing = append(missing, name)
		case topic.Err != nil:
			failed++
			program.Say("topic %s: %v", name, refusal(topic.Err, ""))
		default:
			if flaw := flawOf(topic, replicas); flaw != "" {
				failed++
				program.Say("topic %s is there, but %s (enroll remove %s, and apply again, makes it anew)", name, flaw, name)
			}
		}
	}

	shown := newProgress(program, "topics", len(missing))
	defer shown.end()
	made := 0
	for some := range slices.Chunk(missing, topicsAtOnce) {
		responses, err := a.CreateTopics(ctx, partitions, int16(replicas), nil, some...)
		if err != nil {
			return failed, fmt.Errorf("topics: %w (%s made so far)", refusal(err, ""), cli.Count(made))
		}
		for _, name := range some {
			response, err := responses.On(name, nil)
			if err == nil {
				err = response.Err
			}
			switch {
			case err == nil:
				made++
			case errors.Is(err, kerr.TopicAlreadyExists): // since we asked
			default:
				failed++
				program.Say("topic %s: %v", name, refusal(err, response.ErrMessage))
			}
		}
		shown.add(len(some))
	}
	shown.end()
	program.Say("topics: made %s, %s were there", cli.Count(made), cli.Count(len(topics)-len(missing)))
	return failed, nil
}

// flawOf tells how a topic differs from a student's. More replicas than there are brokers now are
// no flaw: one of them is away.
func flawOf(topic kadm.TopicDetail, replicas int) string {
	if n := len(topic.Partitions); n != partitions {
		return fmt.Sprintf("with %d partitions, not %d", n, partitions)
	}
	if n := topic.Partitions.NumReplicas(); n < replicas {
		return fmt.Sprintf("with %d replicas, not %d", n, replicas)
	}
	return ""
}
