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

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/broker"
)

// membersTimeout is longer than it takes to join a group. It is far shorter than the 45 seconds after
// which a group removes a member that has not left it.
const membersTimeout = 10 * time.Second

func (s *state) send(args []string) {
	var message kgo.Record
	size := 0
	for ; len(args) > 0; args = args[1:] {
		name, value, _ := strings.Cut(args[0], "=")
		if name == "key" {
			message.Key = []byte(value)
		} else if name == "partition" {
			message.Partition = int32(s.number(value))
		} else if name == "size" {
			size = s.number(value)
		} else if name == "header" {
			message.Headers = []kgo.RecordHeader{{Key: value, Value: []byte(value)}}
		} else {
			break
		}
	}
	ctx, cancel := withTimeout()
	defer cancel()
	for _, value := range args {
		next := message
		next.Value = []byte(value + strings.Repeat("x", max(0, size-len(value))))
		s.ts.Check(s.produce(ctx, &next))
	}
}

func (s *state) produce(ctx context.Context, message *kgo.Record) error {
	message.Topic = s.topic
	return s.client.ProduceSync(ctx, message).FirstErr()
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

func (s *state) committed(args []string) {
	ctx, cancel := withTimeout()
	defer cancel()
	var found []string
	s.ts.Check(until(ctx, func() bool {
		offsets, err := s.admin.FetchOffsets(ctx, args[0])
		s.ts.Check(err)
		found = nil
		for _, offset := range offsets.Sorted() {
			if offset.Topic == s.topic {
				found = append(found, fmt.Sprintf("%d:%d\n", offset.Partition, offset.At))
			}
		}
		return len(args) < 2 || len(found) >= s.number(args[1])
	}))
	fmt.Fprint(s.ts.Stdout(), strings.Join(found, "")) // even nothing; otherwise stdout would compare older output
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

func (s *state) join(args []string) {
	options := map[string][]kgo.Opt{
		"share":    {kgo.ShareGroup(args[0])},
		"consumer": {kgo.ConsumerGroup(args[0]), kgo.ServerSideBalancer()},
	}[args[1]]
	member, err := s.environment.client(append(options, kgo.ConsumeTopics(s.topic))...)
	s.ts.Check(err)
	s.ts.Defer(member.Close)
	ctx, cancel := withTimeout()
	defer cancel()
	s.ts.Check(until(ctx, func() bool {
		groups, err := s.admin.ListGroups(ctx)
		return err == nil && groups[args[0]].GroupType == args[1] && groups[args[0]].State != "Empty"
	}))
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
	var ids []string
	for _, member := range groups[group].Members {
		ids = append(ids, member.MemberID)
	}
	return broker.RemoveMembers(ctx, s.client, group, ids...)
}

func (s *state) deleteOwnTopic([]string) {
	ctx, cancel := withTimeout()
	defer cancel()
	deleted, err := s.admin.DeleteTopics(ctx, s.topic)
	s.ts.Check(err)
	s.ts.Check(deleted.Error())
}

// makeTopic makes a topic the one of the script.
func (s *state) makeTopic(args []string) {
	partitions, settings := broker.DefaultPartitions, make(map[string]*string)
	for _, setting := range args[1:] {
		key, value, _ := strings.Cut(setting, "=")
		if key == "partitions" {
			partitions = s.number(value)
		} else {
			settings[key] = &value
		}
	}
	ctx, cancel := withTimeout()
	defer cancel()
	s.ts.Check(createTopic(ctx, s.client, args[0], partitions, settings))
	s.topic = args[0]
	s.topics = append(s.topics, s.topic)
	s.ts.Setenv("TOPIC", s.topic)
}

// createTopic creates a topic if it does not exist, and waits until every broker knows it. The controller knows it
// first, and a client may ask any broker.
func createTopic(ctx context.Context, client *kgo.Client, name string, partitions int, settings map[string]*string) error {
	admin := kadm.NewClient(client)
	// On a busy cluster the client may ask twice. The second answer is that the topic exists.
	if _, err := admin.CreateTopic(ctx, int32(partitions), -1, settings, name); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("cannot create topic %s: %w", name, err)
	}
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return err
	}
	for _, id := range brokers.NodeIDs() {
		err := until(ctx, func() bool {
			request := kmsg.NewPtrMetadataRequest()
			request.Topics = []kmsg.MetadataRequestTopic{{Topic: &name}}
			known, err := request.RequestWith(ctx, client.Broker(int(id)))
			return err == nil && known.Topics[0].ErrorCode == 0 && len(known.Topics[0].Partitions) == partitions
		})
		if err != nil {
			return fmt.Errorf("broker %d does not know topic %s: %w", id, name, err)
		}
	}
	return nil
}

// until asks again and again, because a cluster does not report its changes.
func until(ctx context.Context, holds func() bool) error {
	for !holds() {
		if err := cli.Pause(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func withTimeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), timeout)
}

func (s *state) number(text string) int {
	number, err := strconv.Atoi(text)
	s.ts.Check(err)
	return number
}
