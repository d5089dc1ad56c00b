// Consumercommit prints one message at a time, stores it, and only then commits it.
//
// Storing stands for a database that must have the message before the group may forget it. Stop the
// program before "End Storing", start it again with the same group, and the message comes again: at
// least once, never lost. Stop it after "Message committed", and the next one comes.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/display"
	"tkafka/pkg/group"
	"tkafka/pkg/settings"
	"tkafka/pkg/storage"
)

func main() {
	program := cli.New("consumercommit <topic> <group>", "Prints, stores and commits each message.",
		"consumercommit client60 my_group --store-time 5s")
	flags, out := settings.AddFlags(program.Flags), display.To(os.Stdout, display.Value)
	database := storage.AddFlag(program.Flags, os.Stdout)
	program.Run(func(ctx context.Context, args []string) error {
		topic, name, oldest, late := args[0], args[1], kgo.NewOffset().AtStart(), cli.Grace(ctx, cli.LeaveTime/4)
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
			kgo.ConsumerGroup(name),            // group.id
			kgo.ConsumeResetOffset(oldest),     // auto.offset.reset=earliest
			kgo.DisableAutoCommit(),            // enable.auto.commit=false
			kgo.Balancers(kgo.RangeBalancer()), // partition.assignment.strategy=range
		)...)
		if err != nil {
			return err
		}
		defer member.Leave(client)

		for message := range member.PollOne(ctx, client) {
			if err := out.Print(message); err != nil {
				return err
			}
			if err := database.Store(ctx, message); err != nil {
				return err
			}
			if err := member.Commit(late, message); err != nil {
				member.NotCommitted(ctx, message, err)
				continue // with the next message, if the group still has us
			}
			fmt.Println("Message committed")
		}
		return member.Err()
	})
}
