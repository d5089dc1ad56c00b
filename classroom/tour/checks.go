package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The checks look at what the programs have printed, from their start to their end, and at where the
// messages are in the topic. They return nil or what is not as the tutorial says.

// printedExactly checks that each of the messages was printed once, and nothing else.
func printedExactly(printed, messages []string) error {
	if err := printedAll(printed, messages); err != nil {
		return err
	}
	for _, line := range printed {
		if !slices.Contains(messages, line) {
			return fmt.Errorf("%q was printed, and should not have been", line)
		}
	}
	return nil
}

// printedAll checks that each of the messages was printed once, among others or not.
func printedAll(printed, messages []string) error {
	times := make(map[string]int)
	for _, line := range printed {
		times[line]++
	}
	for _, message := range messages {
		switch n := times[message]; n {
		case 0:
			return fmt.Errorf("%q is missing", message)
		case 1:
		default:
			return fmt.Errorf("%q was printed %d times", message, n)
		}
	}
	return nil
}

// inOrder checks that messages of the same partition were printed in the order of their offsets.
func inOrder(printed []string, places map[string]place) error {
	last := make(map[int32]string)
	for _, line := range printed {
		at, ok := places[line]
		if !ok {
			continue
		}
		if before, ok := last[at.partition]; ok && places[before].offset >= at.offset {
			return fmt.Errorf("in partition %d, %q came after %q", at.partition, line, before)
		}
		last[at.partition] = line
	}
	return nil
}

// storing is how far a message came with consumercommit.
type storing struct {
	message           string
	stored, committed bool
}

// parseStoring reads what consumercommit printed: for each message its value, Start Storing, End
// Storing and Message committed. Only for the last message may some be missing.
func parseStoring(printed []string) ([]storing, error) {
	var all []storing
	for len(printed) > 0 {
		steps := printed[:min(4, len(printed))]
		printed = printed[len(steps):]
		for i, want := range []string{"Start Storing", "End Storing", "Message committed"} {
			if i+1 < len(steps) && steps[i+1] != want {
				return nil, fmt.Errorf("%q was printed instead of %q, after message %q", steps[i+1], want, steps[0])
			}
		}
		all = append(all, storing{steps[0], len(steps) > 2, len(steps) > 3})
	}
	return all, nil
}

// interrupted checks the first run of consumercommit: it committed a message and was stopped while
// it stored the next, and the group has committed the one and not the other. It returns both.
func interrupted(printed []string, places map[string]place, committed map[int32]int64) (done, again string, err error) {
	run, err := parseStoring(printed)
	if err != nil {
		return "", "", err
	}
	if len(run) != 2 || !run[0].committed || run[1].stored {
		return "", "", fmt.Errorf("it should have committed one message and been stopped while it stored the next, and printed %q", printed)
	}
	done, again = run[0].message, run[1].message
	for _, message := range []string{done, again} {
		if _, ok := places[message]; !ok {
			return "", "", fmt.Errorf("%q is not a message of this tour", message)
		}
	}
	if at := places[done]; committed[at.partition] <= at.offset {
		return "", "", fmt.Errorf("%q is not committed: partition %d goes on at offset %d", done, at.partition, committed[at.partition])
	}
	if at := places[again]; committed[at.partition] > at.offset {
		return "", "", fmt.Errorf("%q is committed: partition %d goes on at offset %d", again, at.partition, committed[at.partition])
	}
	return done, again, nil
}

// saidWhere checks that consumercommit, when it was stopped, named the place of the message.
func saidWhere(said []string, at place) error {
	want := fmt.Sprintf("partition %d, offset %d ", at.partition, at.offset)
	for _, line := range said {
		if strings.Contains(line, want) && strings.Contains(line, "read again") {
			return nil
		}
	}
	return fmt.Errorf("it said nothing of %s", strings.TrimSpace(want))
}

// readAgain checks the second run: the message that was being stored came again, and as the first
// of its partition.
func readAgain(printed []string, again string, places map[string]place) error {
	run, err := parseStoring(printed)
	if err != nil {
		return err
	}
	for _, s := range run {
		if s.message == again {
			return nil
		}
		if places[s.message].partition == places[again].partition {
			return fmt.Errorf("%q came before it, in the same partition", s.message)
		}
	}
	return fmt.Errorf("%q did not come again", again)
}

// readOnce checks over both runs that everything was committed once, and only what was being stored
// was read twice.
func readOnce(first, second []string, again string, places map[string]place) error {
	times, commits := make(map[string]int), make(map[string]int)
	for _, printed := range [][]string{first, second} {
		run, err := parseStoring(printed)
		if err != nil {
			return err
		}
		for _, s := range run {
			times[s.message]++
			if s.committed {
				commits[s.message]++
			}
		}
	}
	for _, message := range texts(places) {
		want := 1
		if message == again {
			want = 2
		}
		if times[message] != want || commits[message] != 1 {
			return fmt.Errorf("%q was read %d times and committed %d times", message, times[message], commits[message])
		}
	}
	return nil
}

// committedAll checks that the group goes on behind all messages.
func committedAll(committed map[int32]int64, places map[string]place) error {
	for _, message := range texts(places) {
		if at := places[message]; committed[at.partition] <= at.offset {
			return fmt.Errorf("partition %d goes on at offset %d, and %q is at %d",
				at.partition, committed[at.partition], message, at.offset)
		}
	}
	return nil
}

// assignment is what a member of a group said it holds.
type assignment struct {
	partitions []int32
	total      int
}

var assignedLine = regexp.MustCompile(`^assigned (\d+) of (\d+) partitions: ([\d,-]*\d)(, lost .*)?$`)

// parseAssignment reads a line such as "assigned 8 of 16 partitions: 0-7, lost 8-15".
func parseAssignment(line string) (assignment, bool) {
	if strings.HasPrefix(line, "no partitions") {
		return assignment{}, true
	}
	found := assignedLine.FindStringSubmatch(line)
	if found == nil {
		return assignment{}, false
	}
	var a assignment
	a.total, _ = strconv.Atoi(found[2])
	for part := range strings.SplitSeq(found[3], ",") {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseInt(from, 10, 32)
		last, err2 := strconv.ParseInt(to, 10, 32)
		if errors.Join(err1, err2) != nil || last-first > int64(a.total) {
			return assignment{}, false
		}
		for partition := first; partition <= last; partition++ {
			a.partitions = append(a.partitions, int32(partition))
		}
	}
	return a, found[1] == strconv.Itoa(len(a.partitions))
}

// sharedOut checks that each partition is with one member, and that none has two more than another.
func sharedOut(partitions int, members ...assignment) error {
	holders := make(map[int32]int)
	least, most := partitions, 0
	for _, member := range members {
		least, most = min(least, len(member.partitions)), max(most, len(member.partitions))
		for _, partition := range member.partitions {
			holders[partition]++
		}
	}
	for partition := range int32(partitions) {
		if n := holders[partition]; n != 1 {
			return fmt.Errorf("partition %d is with %d members", partition, n)
		}
	}
	if len(holders) > partitions {
		return fmt.Errorf("%d partitions are shared, and the topic has %d", len(holders), partitions)
	}
	if most-least > 1 {
		return fmt.Errorf("one member holds %d partitions and another %d", most, least)
	}
	return nil
}

// message is a message as consumergroup/consumer prints it.
type message struct {
	partition  int32
	key, value string
}

var messageLine = regexp.MustCompile(`^partition (\d+), offset \d+, key (.*), value (.*)$`)

func parseMessages(printed []string) ([]message, error) {
	var all []message
	for _, line := range printed {
		found := messageLine.FindStringSubmatch(line)
		if found == nil {
			return nil, fmt.Errorf("a member printed %q", line)
		}
		partition, err := strconv.ParseInt(found[1], 10, 32)
		if err != nil {
			return nil, err
		}
		all = append(all, message{int32(partition), found[2], found[3]})
	}
	return all, nil
}

// reachedOne checks that each of the values was printed by one member, once, and nothing else was.
func reachedOne(values []string, members ...[]string) error {
	var printed []string
	for _, lines := range members {
		messages, err := parseMessages(lines)
		if err != nil {
			return err
		}
		for _, m := range messages {
			printed = append(printed, m.value)
		}
	}
	return printedExactly(printed, values)
}

// reachedHolder checks that what a member printed was in its partitions.
func reachedHolder(printed []string, holds assignment) error {
	messages, err := parseMessages(printed)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if !slices.Contains(holds.partitions, m.partition) {
			return fmt.Errorf("%q of partition %d reached a member that does not hold it", m.value, m.partition)
		}
	}
	return nil
}

// reachedNone checks that a member printed none of the values.
func reachedNone(values, printed []string) error {
	messages, err := parseMessages(printed)
	if err != nil {
		return err
	}
	for _, m := range messages {
		if slices.Contains(values, m.value) {
			return fmt.Errorf("%q reached the member that had left", m.value)
		}
	}
	return nil
}

// keysGrow checks that the first of the values had the key 0, and each next one the next.
func keysGrow(values []string, members ...[]string) error {
	for _, lines := range members {
		messages, err := parseMessages(lines)
		if err != nil {
			return err
		}
		for _, m := range messages {
			if n := slices.Index(values, m.value); n >= 0 && m.key != strconv.Itoa(n) {
				return fmt.Errorf("%q has the key %s", m.value, m.key)
			}
		}
	}
	return nil
}

// sameKeySamePartition checks that messages with the same key met in the same partition.
func sameKeySamePartition(members ...[]string) error {
	partitions := make(map[string]int32)
	again := 0
	for _, lines := range members {
		messages, err := parseMessages(lines)
		if err != nil {
			return err
		}
		for _, m := range messages {
			other, known := partitions[m.key]
			if known && other != m.partition {
				return fmt.Errorf("key %s was in partition %d and in partition %d", m.key, other, m.partition)
			}
			if known {
				again++
			}
			partitions[m.key] = m.partition
		}
	}
	if again == 0 {
		return errors.New("no key came twice")
	}
	return nil
}
