// Consumer reads a topic as a group that has never read it before.
//
// Where such a group starts is the reset policy: earliest is the oldest message that the topic
// still has, latest the next one to come. Run it once with each. The policy says nothing about a
// group with committed offsets, which goes on there; so each run takes a group name of its own.
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
	program := cli.New("consumer <topic> earliest|latest",
		"Prints each message of the topic, from the oldest or from now on.",
		"consumer client60 earliest")
	flags := settings.AddFlags(program.Flags)
	count := program.Flags.UintP("count", "n", 0, "stop after `N` messages (default: never)")
	out := display.To(os.Stdout, display.Value)

	program.Run(func(ctx context.Context, args []string) error {
		topic, start, name := args[0], args[1], group.NewName("commitoffsets")
		found, err := flags.Find()
		if err != nil {
			return err
		}
		member, err := group.Open(ctx, program, found, topic, name)
		if err != nil {
			return err
		}
		program.Say("group %s, which has never read before", name)
		member.Limit = *count
		client, err := kgo.NewClient(append(member.Options(),
			kgo.ConsumeTopics(topic),
			kgo.ConsumerGroup(name),                    // group.id
			kgo.ConsumeResetOffset(group.Reset(start)), // auto.offset.reset=earliest or latest
			kgo.Balancers(kgo.RangeBalancer()),         // partition.assignment.strategy=range
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
