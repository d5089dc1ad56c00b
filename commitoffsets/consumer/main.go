// Consumer reads a topic as a group that has never read it before.
//
// The reset policy decides where such a group starts. Earliest is the oldest message that the topic
// still has, and latest is the next message to come. Run it once with each. A group with committed
// offsets continues there, whatever the policy is. So each run uses a new group name.
//
// Usage:
//
//	go run ./commitoffsets/consumer client60 earliest
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
	auth := settings.AddFlags(program.Flags)
	count := program.CountFlag("count", "n", "stop after `N` messages (default: never)")
	out := display.To(os.Stdout, display.Value)
	program.Flags.VarP(out, "format", "f", "%p partition, %o offset, %k key, %v value")

	program.Run(func(ctx context.Context, args []string) error {
		topic, name := args[0], group.NewName("commitoffsets")
		reset := kgo.NewOffset().AtEnd() // the next message to come
		if args[1] == "earliest" {
			reset = kgo.NewOffset().AtStart() // the oldest message that is still there
		}

		// The folder auth/ has the addresses of the brokers and our keystore. Check both.
		member, err := group.Open(ctx, program, auth, topic, name)
		if err != nil {
			return err
		}
		program.Say("new group %s, without committed offsets", name)

		// Make the client, which joins the group. The comments name the options of other clients.
		client, err := kgo.NewClient(append(member.Options(),
			kgo.SeedBrokers(member.Brokers...), // bootstrap.servers
			kgo.DialTLSConfig(member.TLS),      // security.protocol=SSL, ssl.keystore.location
			kgo.ConsumeTopics(topic),
			kgo.ConsumerGroup(name),       // group.id
			kgo.ConsumeResetOffset(reset), // auto.offset.reset=earliest or latest
			kgo.AutoCommitMarks(),         // enable.auto.commit: only marked
			kgo.BlockRebalanceOnPoll(),    // partitions move in AllowRebalance
		)...)
		if err != nil {
			return err
		}
		defer member.Leave(client) // commits what is marked, and leaves the group

		for printed := 0; printed < *count; {
			fetches := client.PollRecords(ctx, *count-printed) // waits for messages
			if err := member.Check(ctx, fetches); err != nil {
				return err
			}
			for message := range fetches.RecordsAll() {
				out.Print(message)
				printed++
			}
			if err := out.Flush(); err != nil {
				return err
			}
			client.MarkCommitRecords(group.Last(fetches)...) // printed: the client may commit them
			client.AllowRebalance()
		}
		return nil
	})
}
