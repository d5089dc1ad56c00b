package testbed

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
)

// membersTimeout is longer than it takes to join a group. It is far shorter than the 45 seconds after
// which a group removes a member that has not left it.
const membersTimeout = 10 * time.Second

func (s *state) send(args []string) {
	var key []byte
	partition := 0
	for ; len(args) > 0; args = args[1:] {
		name, value, _ := strings.Cut(args[0], "=")
		if name == "key" {
			key = []byte(value)
		} else if name == "partition" {
			partition = s.number(value)
		} else {
			break
		}
	}
	ctx, cancel := withTimeout()
	defer cancel()
	for _, value := range args {
		s.ts.Check(s.produce(ctx, int32(partition), key, value))
	}
}

func (s *state) produce(ctx context.Context, partition int32, key []byte, value string) error {
	message := &kgo.Record{Topic: s.topic, Partition: partition, Key: key, Value: []byte(value)}
	return s.client.ProduceSync(ctx, message).FirstErr()
}

func (s *state) sendZeros(args []string) {
	ctx, cancel := withTimeout()
	defer cancel()
	value := make([]byte, s.number(args[1]))
	client, err := s.embedded.Client(
		kgo.ProducerBatchCompression(kgo.ZstdCompression()),
		kgo.ProducerBatchMaxBytes(int32(len(value))+1<<10),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)
	s.ts.Check(err)
	defer client.Close()
	for i := range s.number(args[0]) {
		message := &kgo.Record{Topic: s.topic, Partition: int32(i % embedded.DefaultPartitions), Value: value}
		s.ts.Check(client.ProduceSync(ctx, message).FirstErr())
	}
}

func (s *state) messages(args []string) {
	formatter, err := kgo.NewRecordFormatter(append(args, "%v\n")[0])
	s.ts.Check(err)
	ctx, cancel := withTimeout()
	defer cancel()
	ends, err := s.admin.ListEndOffsets(ctx, s.topic)
	s.ts.Check(err)
	s.ts.Check(ends.Error())
	var all []byte
	for _, end := range ends.Offsets().Sorted() { // one partition after the other
		s.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: {end.Partition: kgo.NewOffset().AtStart()}})
		for next := int64(0); next < end.At; {
			fetches := s.client.PollFetches(ctx)
			s.ts.Check(fetches.Err())
			for _, message := range fetches.Records() {
				all = formatter.AppendRecord(all, message)
				next = message.Offset + 1
			}
		}
		s.client.RemoveConsumePartitions(map[string][]int32{s.topic: {end.Partition}})
	}
	s.ts.Stdout().Write(all)
}

func (s *state) arrived(args []string) {
	want, have := int64(s.number(args[0])), int64(0)
	ctx, cancel := withTimeout()
	defer cancel()
	err := until(ctx, func() bool {
		ends, err := s.admin.ListEndOffsets(ctx, s.topic)
		have = 0
		ends.Each(func(end kadm.ListedOffset) { have += max(end.Offset, 0) })
		return err == nil && have >= want
	})
	if err != nil {
		s.ts.Fatalf("topic %s has %d messages", s.topic, have)
	}
}

func (s *state) limit(args []string) {
	ctx, cancel := withTimeout()
	defer cancel()
	const setting = "max.message.bytes"
	config := kadm.AlterConfig{Op: kadm.SetConfig, Name: setting, Value: &args[0]}
	altered, err := s.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{config}, s.topic)
	s.ts.Check(err)
	for _, topic := range altered {
		s.ts.Check(topic.Err)
	}
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, s.topic
	resource.ConfigNames = []string{setting}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, resource)
	s.ts.Check(untilAllBrokersKnow(ctx, s.client, "the limit", func(broker *kgo.Broker) bool {
		resp, err := req.RequestWith(ctx, broker)
		return err == nil && len(resp.Resources) == 1 && len(resp.Resources[0].Configs) == 1 &&
			resp.Resources[0].Configs[0].Value != nil && *resp.Resources[0].Configs[0].Value == args[0]
	}))
}

func (s *state) committed(args []string) {
	ctx, cancel := withTimeout()
	defer cancel()
	offsets, err := s.admin.FetchOffsets(ctx, args[0])
	s.ts.Check(err)
	out := s.ts.Stdout() // even with nothing to print; otherwise stdout would compare older output
	for _, offset := range offsets.Sorted() {
		if offset.Topic == s.topic {
			fmt.Fprintf(out, "%d:%d\n", offset.Partition, offset.At)
		}
	}
}

func (s *state) reset(args []string) {
	ctx, cancel := withTimeout()
	defer cancel()
	offsets := make(kadm.Offsets)
	offsets.AddOffset(s.topic, int32(s.number(args[1])), int64(s.number(args[2])), -1)
	s.ts.Check(s.admin.CommitAllOffsets(ctx, args[0], offsets))
}

func (s *state) members(args []string) {
	want, have := s.number(args[1]), 0
	ctx, cancel := context.WithTimeout(context.Background(), membersTimeout)
	defer cancel()
	err := until(ctx, func() bool {
		groups, err := s.admin.DescribeGroups(ctx, args[0])
		group := groups[args[0]]
		have = len(group.Members)
		known := group.Err == nil || errors.Is(group.Err, kerr.GroupIDNotFound) // the latter from Kafka 4 on
		return err == nil && known && have == want
	})
	if err != nil {
		s.ts.Fatalf("group %s has %d members, not %d, after %v", args[0], have, want, membersTimeout)
	}
}

func (s *state) evict(args []string) {
	ctx, cancel := withTimeout()
	defer cancel()
	s.ts.Check(s.removeMembers(ctx, args[0]))
}

// removeMembers removes all members of a group as if they had left it themselves.
func (s *state) removeMembers(ctx context.Context, group string) error {
	groups, err := s.admin.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	for _, member := range groups[group].Members {
		leaving := kmsg.NewLeaveGroupRequestMember()
		leaving.MemberID = member.MemberID
		req.Members = append(req.Members, leaving)
	}
	resp, err := req.RequestWith(ctx, s.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func (s *state) createTopic(args []string) { s.ts.Check(s.makeTopic(args[0])) }

func (s *state) deleteOwnTopic([]string) {
	ctx, cancel := withTimeout()
	defer cancel()
	deleted, err := s.admin.DeleteTopics(ctx, s.topic)
	s.ts.Check(err)
	s.ts.Check(deleted.Error())
}

// recreateTopic creates the topic again, as soon as the cluster has deleted it.
func (s *state) recreateTopic(args []string) {
	partitions := embedded.DefaultPartitions
	if len(args) > 0 {
		partitions = s.number(args[0])
	}
	s.deleteOwnTopic(nil)
	ctx, cancel := withTimeout()
	defer cancel()
	var created kadm.CreateTopicResponse
	s.ts.Check(until(ctx, func() bool {
		var err error
		created, err = s.admin.CreateTopic(ctx, int32(partitions), -1, nil, s.topic)
		return err == nil
	}))
	s.ts.Check(awaitTopic(ctx, s.client, s.topic, created.ID, partitions))
	s.client.PurgeTopicsFromClient(s.topic) // it would refuse the new topic
}

func (s *state) makeTopic(name string) error {
	ctx, cancel := withTimeout()
	defer cancel()
	return MakeTopic(ctx, s.client, name, embedded.DefaultPartitions)
}

// MakeTopic creates a topic if it does not exist, and waits until every broker knows it. The
// controller knows it first, and a client may ask any broker.
func MakeTopic(ctx context.Context, client *kgo.Client, name string, partitions int) error {
	// On a busy cluster the client may ask twice. The second answer is that the topic exists.
	created, err := kadm.NewClient(client).CreateTopic(ctx, int32(partitions), -1, nil, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("cannot create topic %s: %w", name, err)
	}
	return awaitTopic(ctx, client, name, created.ID, partitions)
}

// awaitTopic waits until every broker knows the topic. If the ID is zero, any topic with the name counts.
// Otherwise a broker that still has a deleted one would take messages, and lose them.
func awaitTopic(ctx context.Context, client *kgo.Client, name string, id kadm.TopicID, partitions int) error {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(name)
	req.Topics = append(req.Topics, topic)
	return untilAllBrokersKnow(ctx, client, "topic "+name, func(broker *kgo.Broker) bool {
		known, err := req.RequestWith(ctx, broker)
		return err == nil && known.Topics[0].ErrorCode == 0 && len(known.Topics[0].Partitions) == partitions &&
			(id == kadm.TopicID{} || id == known.Topics[0].TopicID)
	})
}

// untilAllBrokersKnow waits until each broker knows something that was changed on the cluster.
func untilAllBrokersKnow(ctx context.Context, client *kgo.Client, what string, knows func(*kgo.Broker) bool) error {
	brokers, err := kadm.NewClient(client).ListBrokers(ctx)
	if err != nil {
		return err
	}
	for _, id := range brokers.NodeIDs() {
		broker := client.Broker(int(id))
		if err := until(ctx, func() bool { return knows(broker) }); err != nil {
			return fmt.Errorf("broker %d does not know %s: %w", id, what, err)
		}
	}
	return nil
}

// until asks again and again, because a cluster does not report its changes.
func until(ctx context.Context, holds func() bool) error {
	for !holds() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

func (s *state) number(text string) int {
	number, err := strconv.Atoi(text)
	s.ts.Check(err)
	return number
}
