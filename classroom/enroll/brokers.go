package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// brokers asks each broker, at the address that it advertises to students.
func (c *checker) brokers(ctx context.Context, metadata kadm.Metadata) (findings []finding) {
	for _, broker := range metadata.Brokers {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		_, err := c.raw.Broker(int(broker.NodeID)).Request(ctx, kmsg.NewPtrApiVersionsRequest())
		address := net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
		result := ok
		if err != nil {
			result, address = wrong, address+": "+brief(err)
		}
		findings = append(findings, finding{fmt.Sprintf("broker %d", broker.NodeID), result, address})
	}
	return findings
}

// replicas checks whether each partition has a leader and all its replicas. A topic that does not exist is
// a problem of its student.
func replicas(metadata kadm.Metadata) finding {
	all, result := 0, ok
	var behind []string
	for _, topic := range metadata.Topics.Sorted() {
		for _, partition := range topic.Partitions.Sorted() {
			all++
			if partition.Leader < 0 || partition.Err != nil || len(partition.ISR) < len(partition.Replicas) {
				behind = append(behind, fmt.Sprintf("%s/%d", topic.Topic, partition.Partition))
			}
		}
	}
	if len(behind) > 0 {
		result = wrong
	}
	return finding{"replicas", result, fmt.Sprintf("%s of %s partitions have a leader and all replicas; the others: %s",
		cli.Count(all-len(behind)), cli.Count(all), cmp.Or(few(behind), "none"))}
}

// retention checks how long the topics keep messages (retention.ms): all equally long, and not for ever.
func (c *checker) retention(ctx context.Context) finding {
	described, err := c.DescribeTopicConfigs(ctx, c.students...)
	if err != nil {
		return finding{"retention", wrong, brief(err)}
	}
	result, times := ok, make(map[string]bool)
	for _, topic := range described {
		for _, config := range topic.Configs {
			if millis, err := strconv.Atoi(config.MaybeValue()); config.Key == "retention.ms" && err == nil {
				times[(time.Duration(millis) * time.Millisecond).String()] = true // -1ms is for ever
			}
		}
	}
	if len(times) != 1 || times["-1ms"] {
		result = wrong
	}
	return finding{"retention", result, "messages are kept for " + strings.Join(slices.Sorted(maps.Keys(times)), ", ")}
}
