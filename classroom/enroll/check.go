package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

const (
	patience = 10 * time.Second // how long the check waits for brokers that make no progress
	mostWait = 5 * time.Minute  // how long it waits for brokers in all

	// Most of a student's check is the 3 seconds that a broker waits for more members of a new group
	// (group.initial.rebalance.delay.ms).
	studentsAtOnce = 60
	stepTime       = 30 * time.Second // limits each step of it, for example to join a group
	sessionTime    = 10 * time.Second // when a group removes our member, if we cannot leave

	leaveTime = 3 * time.Second // after a signal

	groupPrefix  = "enroll-check-" // of each group that a check makes
	messageKey   = "enroll check"  // of the message that a check writes to each student's topic
	messageValue = "this message tests the topic, please ignore it"
)

func check() {
	about := "Logs in as each student. The student must be able to use the own topic and to join a group,\n" +
		"but not to use another student's topic. Also checks the brokers: their addresses and\n" +
		"certificates, the copies of the topics, and how long the topics keep messages.\n" +
		"Ends with status 1 if anything is wrong.\n\n" +
		"It writes one message with the key \"" + messageKey + "\" to each student's topic, and deletes it at the end.\n" +
		"Kafka deletes messages in order only: behind older messages, it stays for the topic's retention time." +
		"\n\n  enroll check --auth creds/admin\n  enroll check client7 --auth creds/admin --json"
	flags := settings.AddFlags()
	asJSON := pflag.Bool("json", false, "print JSON instead of a table")

	run("check [student=all]", about, func(ctx context.Context, args []string) error {
		began := time.Now()
		found, err := flags.Find()
		if err != nil {
			return err
		}
		a, err := openAdmin(ctx, found)
		if err != nil {
			return err
		}
		defer a.Close()
		c, err := newChecker(a)
		if err != nil {
			return err
		}
		students := c.students
		if args[1] != "all" {
			if students = []string{user(args[1])}; !slices.Contains(c.students, students[0]) {
				return cli.WithHint(fmt.Errorf("%s: there is no such folder", c.class.student(students[0])), "enroll issue makes it")
			}
		}
		findings, err := c.check(ctx, students)
		if err != nil {
			return err
		}
		summary := fmt.Sprintf("%s (%.1f s)", findings.judge(), time.Since(began).Seconds())
		write := findings.writeTable
		if *asJSON {
			write = findings.writeJSON
		}
		if err := write(os.Stdout); err != nil {
			return err
		}
		if !findings.OK {
			return errors.New(summary)
		}
		cli.Say("%s", summary)
		return nil
	})
}

// checker checks whether a class can work.
type checker struct {
	*admin
	students []string // all students of the class
	name     string   // of this run, in the names of its groups: two checks can run at once
	patience time.Duration

	decoding sync.Mutex // while a keystore is decoded: tlsconf limits the time for it
	mu       sync.Mutex
	written  kadm.Offsets // where the messages of this check are
}

func newChecker(a *admin) (*checker, error) {
	students, err := a.class.enrolled("")
	name := strings.ToLower(rand.Text()[:8])
	return &checker{admin: a, students: students, name: name, patience: patience, written: kadm.Offsets{}}, err
}

// check checks the cluster and these students. An error means that the check could not be finished. What
// it finds is in the report.
func (c *checker) check(ctx context.Context, students []string) (*report, error) {
	c.waitForBrokers(ctx)
	metadata, err := c.Metadata(fresh(ctx), c.students...)
	if err != nil {
		return nil, refusal(err, nil)
	}
	found := &report{Students: make([]studentResult, len(students))}
	found.Cluster = slices.Concat(c.certificates(), c.addresses(ctx, metadata), []finding{copies(metadata), c.retention(ctx)})

	late := cli.Grace(ctx, leaveTime/4)
	var done atomic.Int64
	err = each(ctx, studentsAtOnce, len(students), func(ctx context.Context, i int) error {
		found.Students[i] = c.checkStudent(ctx, late, students[i], metadata)
		progress("checked %d of %d students", done.Add(1), len(students))
		return nil
	})
	cli.Bottom("")
	found.Cluster = append(found.Cluster, c.cleanUp(ctx))
	if err != nil {
		return nil, errStopped
	}
	return found, nil
}

// groupOf returns the group that the check joins as a student. Nobody else uses it.
func (c *checker) groupOf(student string) string { return groupPrefix + c.name + "-" + student }

// cleanUp deletes the groups and messages of this check, also after it was stopped. It returns what is
// left, also of an earlier check that was killed.
func (c *checker) cleanUp(ctx context.Context) finding {
	limit := 3 * sessionTime
	if ctx.Err() != nil {
		limit = leaveTime / 2
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	var left []string
	var err error
	for {
		var listed kadm.ListedGroups
		listed, err = c.ListGroups(ctx)
		left = slices.DeleteFunc(listed.Groups(), func(group string) bool { return !strings.HasPrefix(group, groupPrefix) })
		ours := slices.DeleteFunc(slices.Clone(left), func(group string) bool { return !strings.HasPrefix(group, c.groupOf("")) })
		c.DeleteGroups(ctx, ours...)
		// A busy broker can miss that our member leaves. It then deletes the group after sessionTime only.
		if err != nil || len(ours) == 0 || cli.Pause(ctx, 100*time.Millisecond) != nil {
			break
		}
	}
	deleted := c.deleteMessages(ctx)
	switch {
	case err != nil:
		return finding{"traces", wrong, "cannot list the groups: " + brief(err)}
	case len(left) > 0:
		return finding{"traces", note, "groups of an earlier check, or of another one that is running: " + few(left)}
	case deleted < len(c.written):
		return finding{"traces", ok, fmt.Sprintf("deleted all groups and %d of %d messages of this check; the others stay for the retention time",
			deleted, len(c.written))}
	}
	return finding{"traces", ok, fmt.Sprintf("deleted all groups and %d messages of this check", deleted)}
}

// deleteMessages deletes the messages of this check, and returns how many. Kafka deletes all messages up
// to an offset, so a message can be deleted only if it is the first of its partition.
func (c *checker) deleteMessages(ctx context.Context) (deleted int) {
	if len(c.written) == 0 {
		return 0
	}
	starts, err := c.ListStartOffsets(ctx, slices.Collect(maps.Keys(c.written))...)
	if err != nil {
		return 0
	}
	upTo := kadm.Offsets{}
	c.written.Each(func(message kadm.Offset) {
		if start, ok := starts.Lookup(message.Topic, message.Partition); ok && start.Err == nil && start.Offset == message.At {
			upTo.AddOffset(message.Topic, message.Partition, message.At+1, -1)
		}
	})
	responses, _ := c.DeleteRecords(ctx, upTo)
	responses.Each(func(response kadm.DeleteRecordsResponse) {
		if response.Err == nil {
			deleted++
		}
	})
	return deleted
}

// few lists the first of many names.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
