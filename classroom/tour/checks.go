package main

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"tkafka/pkg/group"
)

// A check compares what the programs have printed, the places of the messages in the topic, and the
// committed offsets. It returns nil, or what differs from the tutorial.

// printedExactly checks that each message was printed once, and nothing else.
func printedExactly(printed, messages []string) error {
	if err := printedOnce(printed, messages); err != nil {
		return err
	}
	for _, line := range printed {
		if !slices.Contains(messages, line) {
			return fmt.Errorf("%q was printed, but should not be", line)
		}
	}
	return nil
}

// printedOnce checks that each message was printed once. Other lines may be between them.
func printedOnce(printed, messages []string) error {
	times := make(map[string]int)
	for _, line := range printed {
		times[line]++
	}
	for _, message := range messages {
		if n := times[message]; n == 0 {
			return fmt.Errorf("%q is missing", message)
		} else if n > 1 {
			return fmt.Errorf("%q was printed %d times", message, n)
		}
	}
	return nil
}

// inOrder checks that the messages of each partition were printed in the order of their offsets.
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

// messageCommitted is the line that consumercommit prints after each commit.
const messageCommitted = "Message committed"

// reading is a message that consumercommit has read.
type reading struct {
	message   string
	committed bool
}

// parseReadings finds the messages and the commits in the output of consumercommit.
func parseReadings(printed []string, places map[string]place) ([]reading, error) {
	var all []reading
	for _, line := range printed {
		if _, ok := places[line]; ok {
			all = append(all, reading{message: line})
		} else if line == messageCommitted {
			if len(all) == 0 || all[len(all)-1].committed {
				return nil, errors.New("a message was committed that the tour did not send")
			}
			all[len(all)-1].committed = true
		}
	}
	return all, nil
}

// stoppedBetween checks the first run of consumercommit: it committed one message, was stopped while
// it stored a second one, and the committed offsets of the group agree with that. It returns both.
func stoppedBetween(printed []string, places map[string]place, committed map[int32]int64) (done, again string, err error) {
	run, err := parseReadings(printed, places)
	if err != nil {
		return "", "", err
	}
	if len(run) != 2 || !run[0].committed || run[1].committed {
		return "", "", fmt.Errorf("consumercommit should read two messages and commit the first; it printed %q", printed)
	}
	done, again = run[0].message, run[1].message
	if at := places[done]; committed[at.partition] <= at.offset {
		return "", "", fmt.Errorf("%q is not committed: partition %d has the committed offset %d", done, at.partition, committed[at.partition])
	}
	if at := places[again]; committed[at.partition] > at.offset {
		return "", "", fmt.Errorf("%q is committed: partition %d has the committed offset %d", again, at.partition, committed[at.partition])
	}
	return done, again, nil
}

// reportedPlace checks that consumercommit reported the place of a message.
func reportedPlace(reported []string, at place) error {
	want := fmt.Sprintf("partition %d, offset %d", at.partition, at.offset)
	if !regexp.MustCompile(want + `\b`).MatchString(strings.Join(reported, "\n")) {
		return fmt.Errorf("%s is missing in %q", want, reported)
	}
	return nil
}

// readAgain checks the second run: the message came again, before all others of its partition.
func readAgain(printed []string, again string, places map[string]place) error {
	run, err := parseReadings(printed, places)
	if err != nil {
		return err
	}
	for _, r := range run {
		if r.message == again {
			return nil
		}
		if places[r.message].partition == places[again].partition {
			return fmt.Errorf("%q came before %q, in the same partition", r.message, again)
		}
	}
	return fmt.Errorf("%q did not come again", again)
}

// readOnce checks over both runs that each message was committed once, and only one was read twice.
func readOnce(first, second []string, again string, places map[string]place) error {
	times, commits := make(map[string]int), make(map[string]int)
	for _, printed := range [][]string{first, second} {
		run, err := parseReadings(printed, places)
		if err != nil {
			return err
		}
		for _, r := range run {
			times[r.message]++
			if r.committed {
				commits[r.message]++
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

// committedAll checks that the committed offsets are behind all messages.
func committedAll(committed map[int32]int64, places map[string]place) error {
	for _, message := range texts(places) {
		if at := places[message]; committed[at.partition] <= at.offset {
			return fmt.Errorf("partition %d has the committed offset %d, and %q is at %d",
				at.partition, committed[at.partition], message, at.offset)
		}
	}
	return nil
}

// noPartitions begins the line of a member that has none.
const noPartitions = "no partitions"

// parseAssignment reads the partitions of a member from a line such as "assigned 8 of 16 partitions:
// 0-7, lost 8-15".
func parseAssignment(line string) (partitions []int32, ok bool) {
	if strings.HasPrefix(line, noPartitions) {
		return nil, true
	}
	found := group.Assigned.FindStringSubmatch(line)
	if found == nil {
		return nil, false
	}
	part := func(name string) string { return found[group.Assigned.SubexpIndex(name)] }
	count, err := strconv.ParseInt(part("count"), 10, 32)
	for span := range strings.SplitSeq(part("partitions"), ",") {
		from, to, isRange := strings.Cut(span, "-")
		if !isRange {
			to = from
		}
		first, err1 := strconv.ParseInt(from, 10, 32)
		last, err2 := strconv.ParseInt(to, 10, 32)
		if err = errors.Join(err, err1, err2); err != nil || last-first >= count {
			return nil, false
		}
		for partition := first; partition <= last; partition++ {
			partitions = append(partitions, int32(partition))
		}
	}
	return partitions, int64(len(partitions)) == count
}

// shared checks that each partition has one member, and that the members have equally many, give or
// take one.
func shared(partitions int, members ...[]int32) error {
	times := make(map[int32]int)
	least, most := partitions, 0
	for _, member := range members {
		least, most = min(least, len(member)), max(most, len(member))
		for _, partition := range member {
			times[partition]++
		}
	}
	for partition := range int32(partitions) {
		if n := times[partition]; n != 1 {
			return fmt.Errorf("partition %d has %d members", partition, n)
		}
	}
	if len(times) > partitions {
		return fmt.Errorf("the members have %d partitions, and the topic has %d", len(times), partitions)
	}
	if most-least > 1 {
		return fmt.Errorf("one member has %d partitions and another one %d", most, least)
	}
	return nil
}

// message is a message as consumergroup/consumer prints it.
type message struct {
	partition  int32
	key, value string
}

var messageLine = regexp.MustCompile(`^partition (\d+), offset \d+, key (.*), value (.*)$`)

// parseMessages reads what members have printed.
func parseMessages(members ...[]string) ([]message, error) {
	var all []message
	for _, line := range slices.Concat(members...) {
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

// reachedOne checks that each value was printed once, by one of the members, and nothing else.
func reachedOne(values []string, members ...[]string) error {
	messages, err := parseMessages(members...)
	if err != nil {
		return err
	}
	var printed []string
	for _, m := range messages {
		printed = append(printed, m.value)
	}
	return printedExactly(printed, values)
}

// inPartitionsOf checks that a member printed only messages of its partitions.
func inPartitionsOf(printed []string, member []int32) error {
	messages, err := parseMessages(printed)
	for _, m := range messages {
		if !slices.Contains(member, m.partition) {
			return fmt.Errorf("%q of partition %d reached a member that does not have this partition", m.value, m.partition)
		}
	}
	return err
}

// reachedNone checks that a member printed none of the values.
func reachedNone(values, printed []string) error {
	messages, err := parseMessages(printed)
	for _, m := range messages {
		if slices.Contains(values, m.value) {
			return fmt.Errorf("%q reached the member that had left", m.value)
		}
	}
	return err
}

// keysCount checks that the values have the keys 0, 1, 2 and so on.
func keysCount(values []string, members ...[]string) error {
	messages, err := parseMessages(members...)
	for _, m := range messages {
		if n := slices.Index(values, m.value); n >= 0 && m.key != strconv.Itoa(n) {
			return fmt.Errorf("%q has the key %s", m.value, m.key)
		}
	}
	return err
}

// sameKeySamePartition checks that all messages with the same key are in the same partition.
func sameKeySamePartition(members ...[]string) error {
	messages, err := parseMessages(members...)
	if err != nil {
		return err
	}
	partitions := make(map[string]int32)
	for _, m := range messages {
		if other, known := partitions[m.key]; known && other != m.partition {
			return fmt.Errorf("key %s is in partition %d and in partition %d", m.key, other, m.partition)
		}
		partitions[m.key] = m.partition
	}
	if len(partitions) == len(messages) {
		return errors.New("no key came twice")
	}
	return nil
}

// delivery is a message as a member of a share group prints it.
type delivery struct {
	place string // partition 5, offset 3
	value string
	count int
}

var (
	deliveryLine = regexp.MustCompile(`^(partition \d+, offset \d+), key .*, value (.*), delivery (\d+)$`)
	acceptedLine = regexp.MustCompile(`^(partition \d+, offset \d+) is accepted$`)
)

// deliveries reads what a member of a share group has printed.
func deliveries(printed []string) (all []delivery, err error) {
	for _, line := range printed {
		found := deliveryLine.FindStringSubmatch(line)
		if found == nil {
			return nil, fmt.Errorf("a member of the share group printed %q", line)
		}
		count, err := strconv.Atoi(found[3])
		if err != nil {
			return nil, err
		}
		all = append(all, delivery{found[1], found[2], count})
	}
	return all, nil
}

// values returns the values of the messages.
func values(all []delivery) (values []string) {
	for _, d := range all {
		values = append(values, d.value)
	}
	return values
}

// accepted returns the places of the messages that a member has accepted.
func accepted(reported []string) (places []string) {
	for _, line := range reported {
		if found := acceptedLine.FindStringSubmatch(line); found != nil {
			places = append(places, found[1])
		}
	}
	return places
}

// acceptedOnce checks that the first member accepted each of the messages, once, and the second member
// accepted none.
func acceptedOnce(messages, printed, first, second []string) error {
	all, err := deliveries(printed)
	if err != nil {
		return err
	}
	if places := accepted(second); len(places) > 0 {
		return fmt.Errorf("member 2 accepted %s", places[0])
	}
	valueAt := make(map[string]string)
	for _, d := range all {
		valueAt[d.place] = d.value
	}
	var values []string
	for _, place := range accepted(first) {
		values = append(values, valueAt[place])
	}
	return printedExactly(values, messages)
}

// deliveredAgain checks that the brokers delivered these messages twice, and all others once.
func deliveredAgain(twice []string, members ...[]string) error {
	all, err := deliveries(slices.Concat(members...))
	if err != nil {
		return err
	}
	counts := make(map[string][]int)
	for _, d := range all {
		counts[d.value] = append(counts[d.value], d.count)
	}
	for _, value := range slices.Sorted(maps.Keys(counts)) {
		want := []int{1}
		if slices.Contains(twice, value) {
			want = []int{1, 2}
		}
		slices.Sort(counts[value])
		if !slices.Equal(counts[value], want) {
			return fmt.Errorf("%q came with the delivery counts %d, not %d", value, counts[value], want)
		}
	}
	return nil
}
