package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// addresses connects to every address that clients may be told: those to start from, and those that
// the brokers name for themselves.
func (c *checker) addresses(ctx context.Context, metadata kadm.Metadata) []finding {
	var findings []finding
	for _, broker := range metadata.Brokers {
		address := net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
		findings = append(findings, finding{What: fmt.Sprintf("broker %d", broker.NodeID), Detail: address})
	}
	for _, address := range c.brokers {
		if !slices.ContainsFunc(findings, func(f finding) bool { return f.Detail == address }) {
			findings = append(findings, finding{What: "bootstrap", Detail: address})
		}
	}
	var dials sync.WaitGroup
	for i := range findings {
		dials.Go(func() { findings[i] = c.connect(ctx, findings[i]) })
	}
	dials.Wait()
	return findings
}

// connect completes the finding about the address in its detail.
func (c *checker) connect(ctx context.Context, f finding) finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: c.tls}
	conn, err := dialer.DialContext(ctx, "tcp", f.Detail)
	if err != nil {
		f.Result = wrong
		f.Detail += ": " + brief(err)
		return f
	}
	defer conn.Close()
	until := validity(conn.(*tls.Conn).ConnectionState().PeerCertificates[0])
	f.Result = until.result
	f.Detail += ": " + until.String()
	return f
}

// mostApart is how far a broker's clock may be from ours. By their clocks the brokers date what
// arrives and forget what is old, and messages dated an hour ahead they refuse
// (message.timestamp.after.max.ms).
const mostApart = 10 * time.Second

// roundTrip sends a message through each broker and reads it back, by way of a topic that is made
// for that and deleted afterwards. Its messages bear the time of the broker that took them
// (message.timestamp.type), which is how one can tell what a broker's clock shows.
func (c *checker) roundTrip(ctx context.Context, metadata kadm.Metadata) []finding {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	topic := tracePrefix + c.mark
	copies := replicasOn(len(metadata.Brokers))
	var clocks finding
	err := c.makeRoundTripTopic(ctx, topic, metadata.Brokers, copies)
	if err == nil {
		defer c.deleteTopic(ctx, topic) // cleanUp tells if it is still there
		clocks, err = c.send(ctx, topic, metadata.Brokers)
	}
	if err != nil {
		return []finding{{What: "messages", Result: wrong, Detail: brief(err)}}
	}
	return []finding{{What: "messages", Result: ok,
		Detail: fmt.Sprintf("written and read through %d brokers, kept by %d", len(metadata.Brokers), copies)}, clocks}
}

// makeRoundTripTopic makes a topic whose partition i is led by the i-th broker.
func (c *checker) makeRoundTripTopic(ctx context.Context, name string, brokers kadm.BrokerDetails, copies int) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic = name
	topic.NumPartitions, topic.ReplicationFactor = -1, -1 // as assigned
	for i := range brokers {
		assignment := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		assignment.Partition = int32(i)
		for copy := range copies {
			assignment.Replicas = append(assignment.Replicas, brokers[(i+copy)%len(brokers)].NodeID)
		}
		topic.ReplicaAssignment = append(topic.ReplicaAssignment, assignment)
	}
	setting := kmsg.NewCreateTopicsRequestTopicConfig()
	setting.Name, setting.Value = "message.timestamp.type", kmsg.StringPtr("LogAppendTime")
	topic.Configs = append(topic.Configs, setting)

	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, c.admin.raw)
	if err != nil {
		return err
	}
	for _, made := range resp.Topics {
		if err := refused(made.ErrorCode, made.ErrorMessage); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) deleteTopic(ctx context.Context, topic string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	c.admin.DeleteTopics(ctx, topic)
}

// send writes and reads a message through each broker, one after the other.
func (c *checker) send(ctx context.Context, topic string, brokers kadm.BrokerDetails) (clocks finding, err error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(c.brokers...),
		kgo.DialTLSConfig(c.tls),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.UnknownTopicRetries(-1), // the brokers learn of the topic one after another
	)
	if err != nil {
		return finding{}, err
	}
	defer client.Close()
	ahead := make([]time.Duration, len(brokers))
	for i, broker := range brokers {
		partition := int32(i)
		sent := time.Now()
		message := &kgo.Record{Topic: topic, Partition: partition, Value: []byte("written by enroll check")}
		if err := client.ProduceSync(ctx, message).FirstErr(); err != nil {
			return finding{}, fmt.Errorf("writing through broker %d: %w", broker.NodeID, err)
		}
		acknowledged := time.Now()
		client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}})
		read := client.PollRecords(ctx, 1)
		if err := read.Err(); err != nil {
			return finding{}, fmt.Errorf("reading through broker %d: %w", broker.NodeID, err)
		}
		client.RemoveConsumePartitions(map[string][]int32{topic: {partition}})
		for _, message := range read.Records() {
			const byBroker = 1
			if message.Attrs.TimestampType() != byBroker {
				return finding{What: "clocks", Result: skipped, Detail: "these brokers do not date messages"}, nil
			}
			ahead[i] = apart(message.Timestamp, sent, acknowledged)
		}
	}
	return judgeClocks(brokers, ahead), nil
}

// judgeClocks is given how far the clock of the i-th broker is ahead of ours.
func judgeClocks(brokers kadm.BrokerDetails, ahead []time.Duration) finding {
	f := finding{What: "clocks", Result: ok}
	var said []string
	for i, broker := range brokers {
		if ahead[i].Abs() > mostApart {
			f.Result = wrong
		}
		said = append(said, fmt.Sprintf("broker %d %s", broker.NodeID, aheadOrBehind(ahead[i])))
	}
	f.Detail = strings.Join(said, ", ")
	return f
}

// apart is how far a clock is ahead at least, if it showed a time between our sending and hearing
// of it; less than zero is behind.
func apart(shown, sent, heard time.Time) time.Duration {
	switch {
	case shown.After(heard):
		return shown.Sub(heard)
	case shown.Before(sent.Truncate(time.Millisecond)): // brokers count milliseconds
		return shown.Sub(sent)
	}
	return 0
}

func aheadOrBehind(off time.Duration) string {
	switch off = off.Round(time.Millisecond); {
	case off > 0:
		return off.String() + " ahead of us"
	case off < 0:
		return (-off).String() + " behind us"
	}
	return "like ours"
}

// copies looks at where the students' messages are kept. A topic that is missing is for the visits.
func (c *checker) copies(_ context.Context, metadata kadm.Metadata) []finding {
	var topics, leaderless, behind []string
	for _, topic := range metadata.Topics.Sorted() {
		if topic.Err != nil {
			continue
		}
		topics = append(topics, topic.Topic)
		for _, partition := range topic.Partitions.Sorted() {
			name := fmt.Sprintf("%s/%d", topic.Topic, partition.Partition)
			switch {
			case partition.Leader < 0 || partition.Err != nil:
				leaderless = append(leaderless, name)
			case len(partition.ISR) < len(partition.Replicas):
				behind = append(behind, name)
			}
		}
	}
	f := finding{What: "copies", Result: ok, Detail: fmt.Sprintf("all partitions of %d topics have all of theirs", len(topics))}
	switch {
	case len(topics) == 0:
		f.Result, f.Detail = skipped, "there is no topic"
	case len(leaderless) > 0:
		f.Result, f.Detail = wrong, fmt.Sprintf("partitions without a leader, which stand still: %d, %s", len(leaderless), few(leaderless))
	case len(behind) > 0:
		f.Result, f.Detail = wrong, fmt.Sprintf("partitions that lack a copy, since a broker is away or behind: %d, %s", len(behind), few(behind))
	}
	return []finding{f}
}

// retention looks at how long the students' messages are kept: for all equally long, and not for ever.
func (c *checker) retention(ctx context.Context, metadata kadm.Metadata) []finding {
	const setting = "retention.ms"
	f := finding{What: "retention", Result: ok}
	req := kmsg.NewPtrDescribeConfigsRequest()
	for _, topic := range metadata.Topics.Sorted() {
		if topic.Err == nil {
			resource := kmsg.NewDescribeConfigsRequestResource()
			resource.ResourceType = kmsg.ConfigResourceTypeTopic
			resource.ResourceName = topic.Topic
			resource.ConfigNames = []string{setting}
			req.Resources = append(req.Resources, resource)
		}
	}
	if len(req.Resources) == 0 {
		f.Result, f.Detail = skipped, "there is no topic"
		return []finding{f}
	}
	resp, err := req.RequestWith(ctx, c.admin.raw)
	if err != nil {
		f.Result, f.Detail = wrong, brief(err)
		return []finding{f}
	}
	topicsBy := make(map[time.Duration][]string)
	for _, resource := range resp.Resources {
		if err := refused(resource.ErrorCode, resource.ErrorMessage); err != nil {
			f.Result, f.Detail = wrong, resource.ResourceName+": "+brief(err)
			return []finding{f}
		}
		for _, config := range resource.Configs {
			if config.Name == setting && config.Value != nil {
				millis, err := strconv.ParseInt(*config.Value, 10, 64)
				if err != nil {
					millis = -1
				}
				kept := time.Duration(millis) * time.Millisecond
				topicsBy[kept] = append(topicsBy[kept], resource.ResourceName)
			}
		}
	}
	return []finding{judgeRetention(topicsBy)}
}

// judgeRetention is given the topics that keep their messages for each time; below zero is for ever.
func judgeRetention(topicsBy map[time.Duration][]string) finding {
	f := finding{What: "retention", Result: ok}
	times := slices.SortedFunc(maps.Keys(topicsBy), func(a, b time.Duration) int {
		return cmp.Or(cmp.Compare(len(topicsBy[b]), len(topicsBy[a])), cmp.Compare(a, b))
	})
	var said []string
	for i, kept := range times {
		text := "kept for " + kept.String()
		if kept < 0 {
			f.Result = wrong
			text = "kept for ever, until the disks are full"
		}
		if i > 0 { // the fewest are the exceptions
			f.Result = wrong
			text += ": " + few(topicsBy[kept])
		}
		said = append(said, text)
	}
	f.Detail = "messages are " + strings.Join(said, "; ")
	return f
}
