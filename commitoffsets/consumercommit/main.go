// Consumercommit prints one message at a time, stores it, and only then commits it. Stop it before
// it commits and start it again: the message comes again. So each is stored at least once.
//
//	go run ./commitoffsets/consumercommit client60 client60_group --store-time 5s
package main

import (
	"context"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/display"
	"tkafka/pkg/group"
	"tkafka/pkg/settings"
)

func main() {
	program := cli.New("consumercommit <topic> <group>", "Prints, stores and commits each message.",
		"consumercommit client60 client60_group --store-time 5s")
	auth := settings.AddFlags(program.Flags)
	storeTime := program.TimeFlag("store-time", 10*time.Second, "time to store a message")
	out := display.To(os.Stdout, display.Value)

	program.Run(func(ctx context.Context, args []string) error {
		topic, name := args[0], args[1]
		// The folder auth/ has the addresses of the brokers and our keystore. Check both.
		member, err := group.Open(ctx, program, auth, topic, name)
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(append(member.Options(),
			kgo.SeedBrokers(member.Brokers...), // bootstrap.servers
			kgo.DialTLSConfig(member.TLS),      // security.protocol=SSL, ssl.keystore.location
			kgo.ConsumeTopics(topic),
			kgo.ConsumerGroup(name),                           // group.id
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // auto.offset.reset=earliest
			kgo.DisableAutoCommit(),                           // enable.auto.commit=false
			kgo.BlockRebalanceOnPoll(),                        // partitions move in AllowRebalance
		)...)
		if err != nil {
			return err
		}
		defer member.Leave(client)
		for {
			fetches := client.PollRecords(ctx, 1) // waits for one message
			if err := member.Check(ctx, fetches); err != nil {
				return err
			}
			for message := range fetches.RecordsAll() {
				if err := store(ctx, out, message, *storeTime); err != nil {
					return member.NotCommitted(message, err) // it will be read again
				}
				// Commit the message. Retry calls commit again until a broker answers.
				commit := func(c context.Context) error { return client.CommitRecords(c, message) }
				committed, err := member.Retry(ctx, message, commit)
				if committed {
					out.Line("Message committed")
				} else if err != nil {
					return err
				}
			}
			client.AllowRebalance()
		}
	})
}

// store prints the message and takes some time, as a database does.
func store(ctx context.Context, out *display.Printer, message *kgo.Record, t time.Duration) error {
	out.Print(message)
	out.Line("Start Storing")
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(t):
		return out.Line("End Storing")
	}
}
