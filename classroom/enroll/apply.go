package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

const (
	partitions   = 16 // of a student's topic: enough to see how a group shares them
	mostReplicas = 3  // copies of each partition, if the cluster has enough brokers
	topicsAtOnce = 50 // in one request; the controller refuses about 580 topics of 16 partitions
)

func apply() {
	about := "Makes a topic for each student on the cluster. Gives the student the right to write and read it,\n" +
		"and to be a member of any group. Run it again to make what is missing." +
		"\n\n  enroll apply --auth creds/admin"
	flags := settings.AddFlags()
	file := pflag.String("roster", "",
		"`file` with the students' names (default: the names of the\nfolders in clients/, next to the admin's folder)")

	run("apply", about, func(ctx context.Context, _ []string) error {
		found, err := flags.Find()
		if err != nil {
			return err
		}
		a, err := openAdmin(ctx, found)
		if err != nil {
			return err
		}
		defer a.Close()
		students, err := a.class.enrolled(*file)
		if err != nil {
			return err
		}
		return a.apply(ctx, students)
	})
}

// apply makes the topics and rights that are missing. It reports each failure and continues. The error
// counts the failures.
func (a *admin) apply(ctx context.Context, students []string) error {
	failed, err := a.makeTopics(ctx, students)
	if err != nil {
		return err
	}
	have, err := rightsKnownTo(ctx, a.raw)
	if err != nil {
		return fmt.Errorf("rights: %w", err)
	}
	wanted := rightsOf(students...)
	missing := len(without(wanted, have))
	// All rights, because a broker learns of a change up to half a second after the controller: it may
	// still know a right that has just been removed. The controller ignores a right that exists.
	granted, err := a.grant(ctx, wanted)
	if err != nil {
		return fmt.Errorf("%s of %s rights failed: %w", cli.Count(len(wanted)-granted), cli.Count(len(wanted)), err)
	}
	cli.Say("rights: made %s, %s existed", cli.Count(missing), cli.Count(len(wanted)-missing))
	if failed > 0 {
		return fmt.Errorf("%s of %s topics failed", cli.Count(failed), cli.Count(len(students)))
	}
	return nil
}

// makeTopics makes the topics that are missing, and returns how many topics failed.
func (a *admin) makeTopics(ctx context.Context, topics []string) (failed int, err error) {
	metadata, err := a.Metadata(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("topics: %w", refusal(err, nil))
	}
	replicas := min(mostReplicas, len(metadata.Brokers))
	if replicas < mostReplicas {
		cli.Say("brokers: %d; so the cluster keeps copies of each message: %d, not %d", len(metadata.Brokers), replicas, mostReplicas)
	}
	report := func(topic string, err error) {
		failed++
		cli.Warn(fmt.Errorf("topic %s: %w", topic, err))
	}
	defer cli.Bottom("")
	made, existed := 0, 0
	// All topics, because a broker may still know a topic that has just been deleted.
	for some := range slices.Chunk(topics, topicsAtOnce) {
		progress("topics: %d of %d", made+existed+failed, len(topics))
		responses, err := a.CreateTopics(ctx, partitions, int16(replicas), nil, some...)
		if err != nil {
			return failed, fmt.Errorf("topics: made %s: %w", cli.Count(made), refusal(err, nil))
		}
		for _, response := range responses.Sorted() {
			name := response.Topic
			switch {
			case response.Err == nil:
				made++
			case !errors.Is(response.Err, kerr.TopicAlreadyExists):
				report(name, refusal(response.Err, &response.ErrMessage))
			default:
				existed++
				if flaw := flawOf(metadata.Topics[name], len(metadata.Brokers)); flaw != "" {
					report(name, cli.WithHint(errors.New(flaw), "delete it with enroll remove %s, then run enroll apply again", name))
				}
			}
		}
	}
	cli.Say("topics: made %s, %s existed", cli.Count(made), cli.Count(existed))
	return failed, nil
}

// flawOf returns how a topic differs from what a student needs. It may have more replicas than there
// are brokers: then a broker is down. Nothing is known about a topic that is not in the metadata yet.
func flawOf(topic kadm.TopicDetail, brokers int) string {
	if topic.Err != nil {
		return ""
	}
	if n := len(topic.Partitions); n != partitions {
		return fmt.Sprintf("it has %d partitions, not %d", n, partitions)
	}
	if n, replicas := topic.Partitions.NumReplicas(), min(mostReplicas, brokers); n < replicas {
		return fmt.Sprintf("it has %d replicas, not %d", n, replicas)
	}
	return ""
}
