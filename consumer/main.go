// Consumer prints every message that reaches a topic from now on.
//
// It is the only member of its group, simple_consumer, and so it reads all partitions. A new group
// starts at the end of the topic and skips older messages. The group commits its offsets, so the
// next start continues where this one stopped.
//
// Usage:
//
//	go run ./consumer client60
//	go run ./consumer client60 -n 10 -f 'partition %p, offset %o: %v\n'
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
	auth := settings.AddFlags(program.Flags)
	name := program.Flags.String("group", "simple_consumer", "the consumer group to join")
	count := program.CountFlag("count", "n", "stop after `N` messages (default: never)")
	out := display.To(os.Stdout, display.Value)
	program.Flags.VarP(out, "format", "f", "%p partition, %o offset, %k key, %v value")

	program.Run(func(ctx context.Context, args []string) error {
		topic := args[0]

		// The folder auth/ has the addresses of the brokers and our keystore. Check both.
		member, err := group.Open(ctx, program, auth, topic, *name)
		if err != nil {
			return err
		}

		// Make the client, which joins the group. The comments name the options of other clients.
		// member.Options() has the options that are not the lesson.
		client, err := kgo.NewClient(append(member.Options(),
			kgo.SeedBrokers(member.Brokers...), // bootstrap.servers
			kgo.DialTLSConfig(member.TLS),      // security.protocol=SSL, ssl.keystore.location
			kgo.ConsumeTopics(topic),
			kgo.ConsumerGroup(*name),                        // group.id
			kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), // auto.offset.reset=latest
			kgo.AutoCommitMarks(),                           // enable.auto.commit: only marked
			kgo.BlockRebalanceOnPoll(),                      // partitions move in AllowRebalance
		)...)
		if err != nil {
			return err
		}
		defer member.Leave(client) // commits what is marked, and leaves the group

		for printed := 0; printed < *count; {
			// Wait for messages. There may be many at once: take no more than we will print.
			fetches := client.PollRecords(ctx, *count-printed)
			if err := member.Check(ctx, fetches); err != nil {
				return err // Ctrl-C, or an error that does not go away with time
			}
			for message := range fetches.RecordsAll() {
				out.Print(message)
				printed++
			}
			if err := out.Flush(); err != nil {
				return err // not marked, so the group reads these messages again
			}
			// They are printed. Mark the last one of each partition: this includes all before it.
			client.MarkCommitRecords(group.Last(fetches)...) // committed every 5 seconds
			client.AllowRebalance()
		}
		return nil
	})
}
