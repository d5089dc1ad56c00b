package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// offsetsTopic is where brokers keep what groups have committed. They make it when somebody asks for
// the first group.
const offsetsTopic = "__consumer_offsets"

// settle waits until the brokers have done what they were told. The controller acknowledges new
// topics and rights at once; then each broker opens its copies of the partitions, one after another,
// which for 300 topics takes a minute on two cores. Until then students would meet
// UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED and NOT_COORDINATOR.
//
// It waits no longer when nothing has changed for as long as the checker has patience, and reports
// whether nothing is missing.
func (c *checker) settle(ctx context.Context, whom []string) bool {
	groups := c.groupsOf(whom)
	all := c.admin.outstanding(ctx, c.students, groups)
	if all == 0 {
		return true
	}
	c.program.Say("the brokers still have %s steps to do for topics, rights and groups, as for a while after enroll apply: waiting for them",
		cli.Count(all))
	shown := newProgress(c.program, "steps", all)
	defer shown.end()
	pause := c.patience / 3 // between two looks, each of which costs the brokers some of their time
	last, changed := all, time.Now()
	for last > 0 && time.Since(changed) < c.patience {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(pause):
		}
		// The number can grow, too: a leader takes followers that are busy for lost.
		if left := c.admin.outstanding(ctx, c.students, groups); left != last {
			shown.set(all - left)
			last, changed = left, time.Now()
		}
	}
	return last == 0
}

// outstanding counts what the brokers still have to do for these topics and groups: to hear of a
// partition, to open a copy, to catch up with its leader, to hear of a right that another broker knows
// of, and to find who coordinates a group.
func (a *admin) outstanding(ctx context.Context, topics, groups []string) int {
	brokers, err := a.ListBrokers(ctx)
	if err != nil {
		return 0 // the checks that follow have the words for it
	}
	copies, rights := make([]int, len(brokers)), make([]int, len(brokers))
	all := 0
	for _, coordinator := range a.FindGroupCoordinators(ctx, groups...) {
		if coordinator.Err != nil {
			all++
		}
	}
	topics = append(slices.Clone(topics), offsetsTopic)
	var asking sync.WaitGroup
	for i, id := range brokers.NodeIDs() {
		broker := a.raw.Broker(int(id))
		asking.Go(func() { copies[i] = outstandingAt(ctx, broker, id, topics) })
		asking.Go(func() {
			known, _ := rightsKnownTo(ctx, broker, nil)
			rights[i] = len(known)
		})
	}
	asking.Wait()
	for i := range brokers {
		all += copies[i] + slices.Max(rights) - rights[i]
	}
	return all
}

// outstandingAt counts the copies that one broker has still to hear of, to open or to bring up to
// date. A broker that does not answer lacks everything.
func outstandingAt(ctx context.Context, broker *kgo.Broker, id int32, topics []string) int {
	everything := len(topics) * partitions
	which := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = kmsg.StringPtr(name)
		which.Topics = append(which.Topics, topic)
	}
	known, err := which.RequestWith(ctx, broker)
	if err != nil {
		return everything
	}
	stored, err := kmsg.NewPtrDescribeLogDirsRequest().RequestWith(ctx, broker)
	if err != nil {
		return everything
	}
	type copy struct {
		topic     string
		partition int32
	}
	open := make(map[copy]bool)
	for _, dir := range stored.Dirs {
		for _, topic := range dir.Topics {
			for _, partition := range topic.Partitions {
				open[copy{topic.Topic, partition.Partition}] = true
			}
		}
	}
	left := 0
	for _, topic := range known.Topics {
		if topic.ErrorCode != 0 {
			if *topic.Topic != offsetsTopic { // the embedded brokers have none
				left += partitions
			}
			continue
		}
		for _, partition := range topic.Partitions {
			if slices.Contains(partition.Replicas, id) && !open[copy{*topic.Topic, partition.Partition}] {
				left++
			}
			if partition.Leader == id {
				left += len(partition.Replicas) - len(partition.ISR)
			}
		}
	}
	return left
}
