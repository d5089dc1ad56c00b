// Consumer is one member of a group that shares the partitions of a topic.
//
// Start it twice: each member gets eight of sixteen partitions. A message reaches the member that
// has its partition, and no other. Stop one, and the other takes over. The range strategy assigns
// neighbouring partitions, and members in other languages can use it, too.
//
// Usage:
//
//	go run ./consumergroup/consumer client60 client60_group
package main

import (
	"context"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/display"
	"tkafka/pkg/group"
	"tkafka/pkg/settings"
)

func main() {
	program := cli.New("consumer <topic> [group]",
		"Prints the messages of the partitions that the group assigns to this member.",
		"consumer client60\nconsumer client60 client60_group")
	auth := settings.AddFlags(program.Flags)
	out := display.To(os.Stdout, "partition %p, offset %o, key %k, value %v\n")
	program.Flags.VarP(out, "format", "f", "%p partition, %o offset, %k key, %v value")

	program.Run(func(ctx context.Context, args []string) error {
		topic, name := args[0], "consumer_group_1"
		if len(args) > 1 {
			name = args[1]
		}

		// The folder auth/ has the addresses of the brokers and our keystore. Check both.
		member, err := group.Open(ctx, program, auth, topic, name)
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(append(member.Options(),
			kgo.SeedBrokers(member.Brokers...), // bootstrap.servers
			kgo.DialTLSConfig(member.TLS),      // security.protocol=SSL, ssl.keystore.location
			kgo.ConsumeTopics(topic),
			kgo.ConsumerGroup(name),                         // group.id
			kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), // auto.offset.reset=latest
			kgo.Balancers(kgo.RangeBalancer()),              // partition.assignment.strategy=range
			kgo.AutoCommitMarks(),                           // enable.auto.commit: only marked
			kgo.BlockRebalanceOnPoll(),                      // partitions move in AllowRebalance
			// A rebalance takes all partitions away from all members, and then assigns them anew.
			kgo.OnPartitionsRevoked(func(ctx context.Context, c *kgo.Client, p map[string][]int32) {
				err := c.CommitMarkedOffsets(ctx) // the next member starts at these offsets
				member.Revoked(p, err)
			}),
			kgo.OnPartitionsAssigned(member.Assigned), // prints the partitions that are ours now
		)...)
		if err != nil {
			return err
		}
		defer member.Leave(client) // the other members get our partitions at once

		for {
			fetches := client.PollFetches(ctx) // waits for messages of our partitions
			if err := member.Check(ctx, fetches); err != nil {
				return err
			}
			for message := range fetches.RecordsAll() {
				out.Print(message)
			}
			if err := out.Flush(); err != nil {
				return err // not marked, so the group reads these messages again
			}
			client.MarkCommitRecords(group.Last(fetches)...) // printed, so we may commit them
			client.AllowRebalance()                          // now partitions may move
		}
	})
}
