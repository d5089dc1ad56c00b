// Consumer prints every message that reaches a topic from now on.
//
// Started once, it is the only member of its group, simple_consumer, and holds all partitions. A
// new group starts at the end of the topic: older messages are not shown. Its offsets are committed
// from then on, so the next start goes on where this one stopped.
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
	program := cli.New("consumer <topic>",
		"Prints each message that reaches the topic from now on.",
		"consumer client60\nconsumer client60 -n 10 -f 'partition %p, offset %o: %v\\n'")
	flags := settings.AddFlags(program.Flags)
	name := program.Flags.String("group", "simple_consumer", "the group to be a member of")
	count := program.Flags.UintP("count", "n", 0, "stop after `N` messages (default: never)")
	out := display.To(os.Stdout, display.Value)
	program.Flags.VarP(out, "format", "f", "how to print a message, as kcat does: %p %o %k %v")

	program.Run(func(ctx context.Context, args []string) error {
		topic := args[0]
		found, err := flags.Find()
		if err != nil {
			return err
		}
		member, err := group.Open(ctx, program, found, topic, *name)
		if err != nil {
			return err
		}
		member.Limit = *count
		client, err := kgo.NewClient(append(member.Options(),
			kgo.ConsumeTopics(topic),
			kgo.ConsumerGroup(*name),                        // group.id
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
