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

	groupPrefix  = "enroll-check-" // of each group that a check makes
	messageKey   = "enroll check"  // of the message that a check writes to each student's topic
	messageValue = "this message tests the topic, please ignore it"
)

func check() {
	program := cli.New("enroll check [student]",
		"Logs in as each student. The student must be able to use the own topic and to join a group,\n"+
			"but not to use another student's topic. Also checks the brokers: their addresses and\n"+
			"certificates, the copies of the topics, and how long the topics keep messages.\n"+
			"Ends with status 1 if anything is wrong.\n\n"+
			"It writes one message with the key \""+messageKey+"\" to each student's topic, and deletes it at the end.\n"+
			"Kafka deletes messages in order only: behind older messages, it stays for the topic's retention time.",
		"enroll check --auth creds/admin\nenroll check client7 --auth creds/admin --json")
	auth := settings.AddFlags(program.Flags)
	asJSON := program.Flags.Bool("json", false, "print JSON instead of a table")

	run(program, func(ctx context.Context, args []string) error {
		began := time.Now()
		a, err := openAdmin(ctx, program, auth)
		if err != nil {
			return err
		}
		defer a.Close()
		c, err := newChecker(a, program)
		if err != nil {
			return err
		}
		students := c.students
		if len(args) > 1 {
			if students = []string{user(args[1])}; !slices.Contains(c.students, students[0]) {
				return cli.WithHint(fmt.Errorf("%s: there is no such folder", c.class.student(students[0])), "enroll issue makes it")
			}
		}
		found, err := c.check(ctx, students)
		if err != nil {
			return err
		}
		summary := fmt.Sprintf("%s (%.1f s)", found.judge(), time.Since(began).Seconds())
		write := found.writeTable
		if *asJSON {
			write = found.writeJSON
		}
		if err := write(os.Stdout); err != nil {
			return err
		}
		if !found.OK {
			return errors.New(summary)
		}
		program.Say("%s", summary)
		return nil
	})
}

// checker checks whether a class can work.
type checker struct {
	*admin
	program  *cli.Program
	students []string // all students of the class
	name     string   // of this run, in the names of its groups: two checks can run at once
	patience time.Duration

	decoding sync.Mutex // while a keystore is decoded: tlsconf limits the time for it
	mu       sync.Mutex
	written  kadm.Offsets // where the messages of this check are
}

func newChecker(a *admin, program *cli.Program) (*checker, error) {
	if a.here.TLS == nil {
		return nil, errors.New("security.protocol=PLAINTEXT: without certificates the brokers cannot distinguish students")
	}
	students, err := a.class.enrolled(program, "")
	name := strings.ToLower(rand.Text()[:8])
	return &checker{admin: a, program: program, students: students, name: name, patience: patience, written: kadm.Offsets{}}, err
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

	late, stop := cli.Grace(ctx, cli.LeaveTime/4)
	defer stop()
	var done atomic.Int64
	err = each(ctx, studentsAtOnce, len(students), func(ctx context.Context, i int) error {
		found.Students[i] = c.checkStudent(ctx, late, students[i], metadata)
		progress(c.program, "checked %d of %d students", done.Add(1), len(students))
		return nil
	})
	c.program.Bottom("")
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
		limit = cli.LeaveTime / 2
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
		if err != nil || len(ours) == 0 || !cli.Pause(ctx, 100*time.Millisecond) {
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
