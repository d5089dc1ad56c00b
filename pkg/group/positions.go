package group

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// topicOffsets are where to read on, by topic and partition, as kgo.AdjustFetchOffsetsFn has them.
type topicOffsets = map[string]map[int32]kgo.Offset

// lister asks for one offset of each partition of some topics, such as kadm's ListEndOffsets.
type lister func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)

// positions turns what the group has committed into the exact offsets to read from, before the
// first fetch, and then announces the partitions.
//
// Left alone, the client would look up the end of a partition without a committed offset some time
// after it was assigned, and a message produced in between would be "older". And it would commit
// nothing for a partition before the first message: the next member to get it would look up the end
// anew and miss what was produced meanwhile. Here the end is looked up now and, with automatic
// commit, committed now, as the Java client commits each position it holds. Only then do we say
// that the partition is ours.
//
// A committed offset may also be one that the topic does not have any more: retention deletes
// messages, and a topic can be deleted and made anew. Then the reset policy decides.
func (m *Member) positions(ctx context.Context, offsets topicOffsets) (topicOffsets, error) {
	partitions := offsets[m.topic]
	starts, ends, total, err := m.bounds(ctx, partitions)
	if err != nil {
		return nil, err
	}
	fresh := make(map[int32]kgo.EpochOffset)
	committed, vanished, skipped := 0, 0, int64(0)
	for partition, offset := range partitions {
		at, start, end := offset.EpochOffset().Offset, starts[partition], ends[partition]
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
		if err := m.commit(ctx, fresh); err != nil {
			return nil, err
		}
	}
	m.tellPositions(committed, vanished, skipped, len(partitions) == total)
	m.tell(total)
	return offsets, nil
}

// bounds returns the first offset of each of our partitions and the one that its next message will
// get, and how many partitions the topic has. It asks until every one of ours has answered: a
// partition whose broker is lost gets a new leader within seconds.
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
		if fatal := m.fatal(err); fatal != nil {
			return nil, nil, 0, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, 0, ctx.Err()
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// list asks for one offset of each partition, and fails if one of ours has no answer. That others'
// have none, or that a broker which leads none of ours is lost, does not matter.
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

// commit commits the offsets for this generation of the group. After a rebalance that came in
// between, the broker refuses, and so it must: the partitions may be another's.
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

// tellPositions says what the reset policy does and does not do here. That it does nothing for a
// group with committed offsets is told to a member that begins alone: one that joins others goes on
// where they are, and nobody expects otherwise.
func (m *Member) tellPositions(committed, vanished int, skipped int64, alone bool) {
	policy := "earliest"
	if m.latest {
		policy = "latest"
	}
	m.mu.Lock()
	first := !m.positioned
	m.positioned = true
	m.mu.Unlock()
	if committed > 0 && first && alone {
		m.program.Say("group %s goes on at its committed offsets; %s counts only for a group without", m.group, policy)
	}
	if vanished > 0 {
		m.program.Say("%s committed offsets of group %s are not in the topic any more: %s counts there",
			cli.Count(vanished), m.group, policy)
	}
	switch {
	case skipped == 1:
		m.program.Say("latest: 1 older message is skipped")
	case skipped > 1:
		m.program.Say("latest: %s older messages are skipped", cli.Count(skipped))
	}
}

// tell announces the partitions we hold out of all there are.
func (m *Member) tell(total int) {
	waited := m.stopWaiting()
	m.mu.Lock()
	now, before := slices.Clone(m.owned), m.told
	m.told = now
	m.mu.Unlock()
	if slices.Equal(now, before) && !waited {
		return
	}
	line := fmt.Sprintf("assigned %d of %d partitions: %s", len(now), total, ranges(now))
	if gone := without(before, now); len(gone) > 0 {
		line += ", lost " + ranges(gone)
	}
	m.program.Say("%s", line)
}

// tellNothing announces that we are a member without a partition, and why.
func (m *Member) tellNothing(ctx context.Context) {
	waited := m.stopWaiting()
	m.mu.Lock()
	before, first := m.told, m.told == nil
	m.told = []int32{}
	m.mu.Unlock()
	if len(before) == 0 && !first && !waited {
		return
	}
	line := "no partitions" + m.reason(ctx)
	if len(before) > 0 {
		line += ", lost " + ranges(before)
	}
	m.program.Say("%s", line)
}

// reason says why the group had no partition for us, or nothing where the cluster does not answer
// within a second.
//
// Usually there are more members than partitions. But a member can also be left out because others
// read another topic: the one that shares out the partitions may not see ours. That is what happens
// when two students take the same group name on one cluster.
func (m *Member) reason(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	admin := kadm.NewClient(m.client)
	groups, err := admin.DescribeGroups(ctx, m.group)
	if err != nil {
		return ""
	}
	topics, err := admin.ListTopics(ctx, m.topic)
	if err != nil {
		return ""
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
		return fmt.Sprintf(": group %s has members that read %s: take a group name of your own", m.group, strangers)
	case members > partitions && partitions > 0:
		return fmt.Sprintf(": %d members share %d", members, partitions)
	}
	return ""
}

func without(all, some []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(all), func(partition int32) bool {
		return slices.Contains(some, partition)
	})
}

// ranges writes sorted partitions as 0-7,12.
func ranges(partitions []int32) string {
	var text strings.Builder
	for i := 0; i < len(partitions); {
		end := i
		for end+1 < len(partitions) && partitions[end+1] == partitions[end]+1 {
			end++
		}
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprint(&text, partitions[i])
		if end > i {
			fmt.Fprintf(&text, "-%d", partitions[end])
		}
		i = end + 1
	}
	return text.String()
}
