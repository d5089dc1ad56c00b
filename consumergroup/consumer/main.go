// Consumer is one member of a group that shares the partitions of a topic.
//
// Start it twice: each member holds eight of sixteen partitions, and a message reaches the one that
// holds its partition, never both. Stop one, and the other takes over. The range strategy gives
// each member neighbouring partitions, and members written in other languages share them by it too.
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
		"Prints the messages of the partitions that the group gives to this member.",
		"consumer client60\nconsumer client60 another_group")
	flags := settings.AddFlags(program.Flags)
	out := display.To(os.Stdout, "partition %p, offset %o, key %k, value %v\n")

	program.Run(func(ctx context.Context, args []string) error {
		topic, name := args[0], "consumer_group_1"
		if len(args) > 1 {
			name = args[1]
		}
		found, err := flags.Find()
		if err != nil {
			return err
		}
		member, err := group.Open(ctx, program, found, topic, name)
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(append(member.Options(),
			kgo.ConsumeTopics(topic),
			kgo.ConsumerGroup(name),                         // group.id
			kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), // auto.offset.reset=latest
			kgo.Balancers(kgo.RangeBalancer()),              // partition.assignment.strategy=range
		)...)
		if err != nil {
			return err
		}
		defer member.Leave(client)

		for messages := range member.Poll(ctx, client) {
			if err := out.Print(messages...); err != nil {
				return err
			}
		}
		return member.Err()
	})
}
