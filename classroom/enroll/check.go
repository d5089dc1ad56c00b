package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"golang.org/x/sync/errgroup"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

const (
	mostWait = 5 * time.Minute // how long the check waits for brokers in all

	// Most of a student's check is the 3 seconds that a broker waits for more members of a new group
	// (group.initial.rebalance.delay.ms).
	studentsAtOnce = 60
	studentTime    = 30 * time.Second // for all that a student does
	sessionTime    = 6 * time.Second  // when a group removes our member, if we cannot leave

	groupPrefix  = "enroll-check-" // of each group that a check makes
	messageKey   = "enroll check"  // of the message that a check writes to each student's topic
	messageValue = "this message tests the topic, please ignore it"
)

func check() {
	flags := settings.AddFlags()
	patience := pflag.Duration("wait", 10*time.Second, "`time` to wait for brokers that prepare the topics and make no progress")
	run("check [student=all]", `Logs in as each student and each group. It must be able to write to the own topic and to read it as a
member of a group, but not to use the topic of another one. It must be able to read the topics that all
may read, but not to write to them. Also checks the brokers: their addresses, the replicas of the topics,
and how long the topics keep messages. Ends with status 1 if anything is wrong.

It writes one message with the key "`+messageKey+`" to each own topic, and deletes it at the end.
Kafka deletes messages in order only: behind older messages, it stays for the topic's retention time.

  enroll check --auth creds/admin
  enroll check client7 --auth creds/admin`,
		func(ctx context.Context, args []string) error {
			began := time.Now()
			a, err := find(flags)
			if err == nil {
				err = a.connect(ctx)
			}
			if err != nil {
				return err
			}
			defer a.Close()
			c := &checker{admin: a, patience: *patience, written: kadm.Offsets{}}
			if c.students, err = a.class.students(); err != nil {
				return err
			}
			students := c.students
			if args[1] != "all" {
				if students = []string{strings.ToLower(args[1])}; !slices.Contains(c.students, students[0]) {
					return cli.WithHint(fmt.Errorf("%s: there is no such folder", c.class.student(students[0])), "enroll issue makes it")
				}
			}
			found, err := c.check(ctx, students)
			if err != nil {
				return err
			}
			if err := found.writeTable(os.Stdout); err != nil {
				return err
			}
			summary, fine := found.judge()
			summary = fmt.Sprintf("%s (%.1f s)", summary, time.Since(began).Seconds())
			if !fine {
				return errors.New(summary)
			}
			cli.Say("%s", summary)
			return nil
		})
}

// checker checks whether a class can work.
type checker struct {
	*admin
	students []string // all students and groups of the class
	patience time.Duration

	mu      sync.Mutex
	written kadm.Offsets // where the messages of this check are
}

// check checks the cluster and these students. An error means that the check could not be finished. What
// it finds is in the report.
func (c *checker) check(ctx context.Context, students []string) (*report, error) {
	c.waitForBrokers(ctx)
	metadata, err := c.Metadata(fresh(ctx), c.allTopics()...)
	if err != nil {
		return nil, refusal(err)
	}
	found := &report{Students: make([]*student, len(students))}
	found.Cluster = append(c.brokers(ctx, metadata), replicas(metadata), c.retention(ctx))
	for _, topic := range c.topics.ReadOnly {
		detail := metadata.Topics[topic]
		f := finding{"topic " + topic, ok, fmt.Sprintf("%d partitions, for all to read", len(detail.Partitions))}
		if err := errors.Join(detail.Err, c.topics.flawOf(detail, len(metadata.Brokers))); err != nil {
			f.Result, f.Detail = wrong, brief(err)
		}
		found.Cluster = append(found.Cluster, f)
	}

	var workers errgroup.Group
	workers.SetLimit(studentsAtOnce)
	var done atomic.Int64
	for i, name := range students {
		workers.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			found.Students[i] = c.checkStudent(ctx, name, metadata)
			progress(fmt.Sprintf("checked %d of %d students", done.Add(1), len(students)))
			return ctx.Err()
		})
	}
	err = workers.Wait()
	progress("")
	found.Cluster = append(found.Cluster, c.cleanUp(ctx, students))
	return found, err
}

func (c *checker) allTopics() []string { return slices.Concat(c.students, c.topics.ReadOnly) }

// waitForBrokers waits until each broker has its replicas of the topics and knows the rights. The
// controller confirms new topics at once. Then each broker opens its replicas one after another, which
// for 300 topics takes a minute or more. It learns about the rights only after that. Until then
// students get UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER and TOPIC_AUTHORIZATION_FAILED.
// It stops waiting when nothing changes any more: then the check shows what is missing.
func (c *checker) waitForBrokers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	defer progress("")
	done, all := c.prepared(ctx)
	if done == all {
		return
	}
	cli.Say("waiting for the brokers to prepare the topics and rights: %s of %s done", cli.Count(done), cli.Count(all))
	for changed := time.Now(); done < all && time.Since(changed) < c.patience && cli.Pause(ctx, c.patience/10) == nil; {
		before := done
		if done, all = c.prepared(ctx); done != before {
			changed = time.Now()
			progress(fmt.Sprintf("%s of %s done", cli.Count(done), cli.Count(all)))
		}
	}
}

// prepared counts what must be done before the students can work, and how much of it is done: each replica
// of a partition is open and in sync, and each broker knows each right.
func (c *checker) prepared(ctx context.Context) (done, all int) {
	ctx, cancel := context.WithTimeout(ctx, studentTime)
	defer cancel()
	metadata, err := c.Metadata(fresh(ctx), c.allTopics()...)
	if err != nil {
		return 0, 1 // try again
	}
	logs, _ := c.DescribeAllLogDirs(ctx, nil) // without those of a broker that does not answer
	for _, topic := range metadata.Topics {
		all += max(c.topics.Partitions, len(topic.Partitions)*topic.Partitions.NumReplicas())
		for _, partition := range topic.Partitions {
			for _, broker := range partition.ISR {
				if _, open := logs[broker].LookupPartition(topic.Topic, partition.Partition); open {
					done++
				}
			}
		}
	}
	wanted := c.rights(c.students)
	for _, broker := range metadata.Brokers {
		known, _ := rightsKnownTo(ctx, c.raw.Broker(int(broker.NodeID)))
		all += len(wanted)
		for _, right := range wanted {
			if known[right] {
				done++
			}
		}
	}
	return done, all
}

// cleanUp deletes the groups and messages of this check, also after it was stopped.
func (c *checker) cleanUp(ctx context.Context, students []string) finding {
	ctx, cancel := context.WithTimeout(cli.Grace(ctx, 700*time.Millisecond), 2*sessionTime)
	defer cancel()
	written := len(c.written)
	messages := c.deleteMessages(ctx)
	var groups []string
	for _, name := range students {
		groups = append(groups, groupPrefix+name)
	}
	var err error
	for len(groups) > 0 {
		var deleted kadm.DeleteGroupResponses
		deleted, err = c.DeleteGroups(ctx, groups...)
		groups = slices.DeleteFunc(groups, func(group string) bool {
			return deleted[group].Err == nil || errors.Is(deleted[group].Err, kerr.GroupIDNotFound)
		})
		// A busy broker can miss that our member leaves. It then removes the member after sessionTime only.
		if err != nil || len(groups) > 0 && cli.Pause(ctx, time.Second/4) != nil {
			break
		}
	}
	switch {
	case err != nil:
		return finding{"traces", note, "cannot delete the groups of this check: " + brief(err)}
	case len(groups) > 0:
		return finding{"traces", note, "groups that another check uses, or that cannot be deleted: " + few(groups)}
	}
	return finding{"traces", ok, fmt.Sprintf("deleted all groups and %d of %d messages of this check", messages, written)}
}

// deleteMessages deletes the messages of this check, and returns how many. Kafka deletes all messages up
// to an offset, so a message can be deleted only if it is the first of its partition.
func (c *checker) deleteMessages(ctx context.Context) (deleted int) {
	if len(c.written) == 0 {
		return 0 // without a topic, kadm would ask for all
	}
	starts, err := c.ListStartOffsets(ctx, c.written.TopicsSet().Topics()...)
	if err != nil {
		return 0
	}
	c.written.KeepFunc(func(message kadm.Offset) bool {
		start, ok := starts.Lookup(message.Topic, message.Partition)
		return ok && start.Err == nil && start.Offset == message.At-1
	})
	responses, _ := c.DeleteRecords(ctx, c.written)
	responses.Each(func(response kadm.DeleteRecordsResponse) {
		if response.Err == nil {
			deleted++
		}
	})
	return deleted
}
