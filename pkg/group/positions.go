package group

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/display"
)

// topicOffsets are the offsets to read from, by topic and partition, as in kgo.AdjustFetchOffsetsFn.
type topicOffsets = map[string]map[int32]kgo.Offset

// lister asks for one offset of each partition, as kadm's ListEndOffsets does.
type lister func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)

// positions finds the exact offset to read from in each partition, before the first fetch. Then it
// prints the line with the partitions.
//
// By default, the client looks up the end of a partition some time after the assignment, if the group
// has committed no offset for it. A message that is produced in between counts as older. And the
// client commits nothing for a partition before its first message: the next member that gets the
// partition looks up the end again, and misses the messages in between. So positions looks up the
// end now and, with automatic commit, commits it now. The Java client commits each position, too.
//
// After a session that failed, the partitions may come back to us. Then we continue behind what we have
// printed, even if we could not commit it any more: nobody reads it twice.
//
// The topic may not have a committed offset any more: retention deletes messages, and a topic can be
// deleted and created again. Then the reset policy decides.
func (m *Member) positions(ctx context.Context, offsets topicOffsets) (topicOffsets, error) {
	partitions := offsets[m.topic]
	if err := m.look(ctx); isAnew(err) != nil {
		return nil, err // the next poll returns it, and Check starts anew
	}
	starts, ends, total, err := m.bounds(ctx, partitions)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	marked := m.marked
	m.marked = nil
	m.mu.Unlock()
	fresh := make(map[int32]kgo.EpochOffset)
	committed, vanished, skipped := 0, 0, int64(0)
	for partition, offset := range partitions {
		at, start, end := offset.EpochOffset().Offset, starts[partition], ends[partition]
		if printed, ok := marked[partition]; ok && printed > at && start <= printed && printed <= end {
			partitions[partition] = kgo.NewOffset().At(printed)
			fresh[partition] = kgo.EpochOffset{Epoch: -1, Offset: printed}
			committed++
			continue
		}
		if start <= at && at <= end {
			committed++
			continue
		}
		if at >= 0 {
			vanished++
		}
		if at = start; m.latest {
			at = end
			skipped += end - start
		}
		partitions[partition] = kgo.NewOffset().At(at)
		fresh[partition] = kgo.EpochOffset{Epoch: -1, Offset: at}
	}
	if m.autoCommit && len(fresh) > 0 {
		for err = m.commit(ctx, fresh); err != nil; err = m.commit(ctx, fresh) {
			if err = m.confirm(ctx, err); err != errNotYet || !cli.Pause(ctx, retryPause) {
				return nil, err
			}
		}
	}
	m.printPositions(committed, vanished, skipped, len(partitions) == total)
	m.printPartitions(total)
	return offsets, nil
}

// bounds returns the start and end offset of each of our partitions, and the number of partitions of
// the topic. It asks until it has all of ours: if a broker is unreachable, its partitions get new
// leaders within seconds.
func (m *Member) bounds(ctx context.Context, partitions map[int32]kgo.Offset) (
	starts, ends map[int32]int64, total int, err error,
) {
	admin := kadm.NewClient(m.client)
	for {
		starts, total, err = m.list(ctx, admin.ListStartOffsets, partitions)
		if err == nil {
			ends, total, err = m.list(ctx, admin.ListEndOffsets, partitions)
		}
		if err == nil || ctx.Err() != nil {
			return starts, ends, total, err
		}
		if fatal := m.fatal(ctx, err); fatal != nil {
			return nil, nil, 0, fatal
		}
		if !cli.Pause(ctx, retryPause) {
			return nil, nil, 0, ctx.Err()
		}
	}
}

// list asks for one offset of each partition. It fails if there is no answer for one of ours. The
// other partitions do not matter.
func (m *Member) list(ctx context.Context, ask lister, partitions map[int32]kgo.Offset) (
	offsets map[int32]int64, total int, err error,
) {
	listed, asking := ask(ctx, m.topic)
	offsets = make(map[int32]int64)
	for partition, offset := range listed[m.topic] {
		_, ours := partitions[partition]
		switch {
		case partition < 0: // an error of the topic
			return nil, 0, offset.Err
		case offset.Err == nil:
			offsets[partition] = offset.Offset
		case ours:
			err = offset.Err
		}
		total++
	}
	for partition := range partitions {
		if _, ok := offsets[partition]; !ok && err == nil {
			if err = asking; err == nil {
				err = fmt.Errorf("no answer about partition %d", partition)
			}
		}
	}
	return offsets, total, err
}

// commit commits the offsets in this generation of the group. After another rebalance the broker
// refuses them, because another member may have the partitions.
func (m *Member) commit(ctx context.Context, offsets map[int32]kgo.EpochOffset) (err error) {
	all := map[string]map[int32]kgo.EpochOffset{m.topic: offsets}
	done := func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, failed error) {
		err = failed
		if err != nil {
			return
		}
		for _, topic := range resp.Topics {
			for _, partition := range topic.Partitions {
				if failed := kerr.ErrorForCode(partition.ErrorCode); failed != nil {
					err = failed
				}
			}
		}
	}
	m.client.CommitOffsetsSync(ctx, all, done)
	return err
}

// printPositions explains the reset policy. For a group with committed offsets it has no effect. Only
// a member that starts alone prints this: nobody expects it for one that joins others.
func (m *Member) printPositions(committed, vanished int, skipped int64, alone bool) {
	policy := "earliest"
	if m.latest {
		policy = "latest"
	}
	m.mu.Lock()
	first := !m.positioned
	m.positioned = true
	m.mu.Unlock()
	if committed > 0 && first && alone {
		m.program.Say("group %s continues at its committed offsets", m.group)
	}
	if vanished > 0 {
		m.program.Say("committed offsets that the topic does not have any more: %d; %q applies there", vanished, policy)
	}
	switch {
	case skipped == 1:
		m.program.Say("latest: 1 older message is skipped")
	case skipped > 1:
		m.program.Say("latest: %s older messages are skipped", cli.Count(skipped))
	}
}

// Assigned matches the line with the partitions of a member: their number, the number of all
// partitions of the topic, and which they are, such as 0-7.
var Assigned = regexp.MustCompile(`assigned (?P<count>\d+) of (?P<total>\d+) partitions: (?P<partitions>\d+(?:[,-]\d+)*)`)

// printPartitions prints the partitions that we have.
func (m *Member) printPartitions(total int) {
	waited := m.stopWaiting()
	m.mu.Lock()
	now, before := slices.Clone(m.owned), m.printed
	m.printed = now
	m.mu.Unlock()
	if slices.Equal(now, before) && !waited {
		return
	}
	line := fmt.Sprintf("assigned %d of %d partitions: %s", len(now), total, display.Ranges(now))
	if gone := without(before, now); len(gone) > 0 {
		line += ", lost " + display.Ranges(gone)
	}
	m.program.Say("%s", line)
}

// printNothing prints that we are a member without a partition, and why.
func (m *Member) printNothing(ctx context.Context) {
	waited := m.stopWaiting()
	m.mu.Lock()
	before, first := m.printed, m.printed == nil
	m.printed = []int32{}
	m.mu.Unlock()
	if len(before) == 0 && !first && !waited {
		return
	}
	line := "no partitions"
	if len(before) > 0 {
		line += ", lost " + display.Ranges(before)
	}
	m.program.Report(m.withReason(ctx, line))
}

// withReason adds to the line why the group has no partition for us, unless the cluster does not answer
// within a second.
//
// Usually there are more members than partitions. But a member can also get none because the others
// read another topic: the member that assigns the partitions may have no right to see ours. This
// happens when two students use the same group name on one cluster.
func (m *Member) withReason(ctx context.Context, line string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	admin := kadm.NewClient(m.client)
	groups, err := admin.DescribeGroups(ctx, m.group)
	if err != nil {
		return errors.New(line)
	}
	topics, err := admin.ListTopics(ctx, m.topic)
	if err != nil {
		return errors.New(line)
	}
	members, strangers := 0, ""
	for _, member := range groups[m.group].Members {
		joined, ok := member.Join.AsConsumer()
		if ok && !slices.Contains(joined.Topics, m.topic) {
			strangers = strings.Join(joined.Topics, ", ")
		} else {
			members++
		}
	}
	partitions := len(topics[m.topic].Partitions)
	switch {
	case strangers != "":
		return cli.WithHint(fmt.Errorf("%s: group %s has members that read %s", line, m.group, strangers),
			"choose your own group name")
	case members > partitions && partitions > 0:
		return fmt.Errorf("%s: %d members share %d", line, members, partitions)
	}
	return errors.New(line)
}

func without(all, some []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(all), func(partition int32) bool {
		return slices.Contains(some, partition)
	})
}
