// Package group has what a member of a group does besides its loop: it begins, and it leaves.
package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
)

// Begin is for kgo.OnPartitionsAssigned. In each partition without a committed offset it commits where the
// group begins, and then it prints the partitions, as [Print] does. So each message that is produced after this
// line is printed by the group.
//
// Without the commit, a member with auto.offset.reset=latest looks for the end of a partition at each rebalance
// until its first commit there, and skips what came in between. The consumer of Apache Kafka commits this offset, too.
func Begin(ctx context.Context, client *kgo.Client, ours map[string][]int32) {
	topic, last := client.GetConsumeTopics()[0], ""
	for attempt := 1; ; attempt++ {
		err := commitStart(ctx, client, topic, ours[topic])
		if err == nil {
			Print(ctx, client, ours)
			return
		}
		isNew := errors.Is(err, kerr.UnknownTopicOrPartition) && attempt <= 20 // a broker may not know it yet
		if cluster.IsOut(err) || cluster.IsFinal(err) && !isNew {
			return // the group assigns its partitions again, or poll returns the same error
		}
		// For example, a partition has no leader at the moment.
		if text := cluster.Explain(err, "topic "+topic).Error(); text != last && ctx.Err() == nil {
			cli.Say("waiting for the positions of our partitions: %s", text)
			last = text
		}
		if cli.Pause(ctx, time.Second/4) != nil {
			return
		}
	}
}

// commitStart commits where the group begins in each partition without a committed offset. With
// auto.offset.reset=earliest the group begins at the start in any case, and commits nothing.
func commitStart(ctx context.Context, client *kgo.Client, topic string, partitions []int32) error {
	if len(partitions) == 0 || client.OptValue(kgo.ConsumeResetOffset) != kgo.NewOffset().AtEnd() {
		return nil
	}
	admin := kadm.NewClient(client)
	committed, err := admin.FetchOffsetsForTopics(ctx, client.OptValue(kgo.ConsumerGroup).(string), topic)
	if err != nil {
		return err
	}
	starts, err1 := admin.ListStartOffsets(ctx, topic)
	ends, err2 := admin.ListEndOffsets(ctx, topic)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	var before []*kgo.Record // the group begins behind these
	skipped := int64(0)
	for _, partition := range partitions {
		start, end := starts[topic][partition], ends[topic][partition]
		if err := errors.Join(start.Err, end.Err); err != nil {
			return err
		}
		// A committed offset may be outside of the partition. If its messages are deleted (retention), the group
		// continues at the oldest one that is left, so that it skips none.
		begin := end.Offset
		switch at, known := committed.Lookup(topic, partition); {
		case known && at.At >= start.Offset && at.At <= end.Offset:
			continue
		case known && at.At >= 0 && at.At < start.Offset:
			begin = start.Offset
		}
		before = append(before, &kgo.Record{Topic: topic, Partition: partition, LeaderEpoch: -1, Offset: begin - 1})
		skipped += begin - start.Offset
	}
	// It fails if the group has removed this member meanwhile. kadm's commit would not.
	if err := client.CommitRecords(ctx, before...); err != nil {
		return err
	}
	if skipped > 0 {
		cli.Say("latest: the group skips %s older offsets", cli.Count(skipped))
	}
	return nil
}

// Print is for kgo.OnPartitionsAssigned. It prints the partitions that this member has got: "assigned 8 of 16
// partitions: 0-7".
func Print(ctx context.Context, client *kgo.Client, ours map[string][]int32) {
	topic := client.GetConsumeTopics()[0]
	if len(ours[topic]) == 0 {
		cli.Warn(withoutPartitions(ctx, client, topic))
		return
	}
	total := "all"
	if topics, err := kadm.NewClient(client).ListTopics(ctx, topic); err == nil {
		total = fmt.Sprint(len(topics[topic].Partitions))
	}
	cli.Say("assigned %d of %s partitions: %s", len(ours[topic]), total, cli.Ranges(ours[topic]))
}

// withoutPartitions explains why the group has no partition for this member. Usually there are more members
// than partitions. But the others may also read another topic, if two students use one group name.
func withoutPartitions(ctx context.Context, client *kgo.Client, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	name := client.OptValue(kgo.ConsumerGroup).(string)
	groups, _ := kadm.NewClient(client).DescribeGroups(ctx, name)
	for _, member := range groups[name].Members {
		if joined, ok := member.Join.AsConsumer(); ok && !slices.Contains(joined.Topics, topic) {
			return cli.WithHint(fmt.Errorf("no partitions: group %q has members that read %v", name, joined.Topics),
				"choose your own group name")
		}
	}
	if len(groups[name].Members) == 0 {
		return errors.New("no new partitions") // the brokers assign them (KIP-848), and we keep those that we have
	}
	return fmt.Errorf("no partitions: group %q has %d members", name, len(groups[name].Members))
}
