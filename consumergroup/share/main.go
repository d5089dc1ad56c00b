// Share is a member of a share group (KIP-932): they share the messages, not the partitions.
//
// A broker locks each message for one member. If the member releases it, or its lock ends, it comes
// again, perhaps to another member. More members than partitions help, but the order is lost.
//
//	go run ./consumergroup/share client60 client60_share --fail broken
package main

import (
	"bytes"
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
	program := cli.New("share <topic> [group]", "Prints, stores and accepts each message.",
		"share client60\nshare client60 client60_share --fail broken --times 5")
	auth := settings.AddFlags(program.Flags)
	storeTime := program.TimeFlag("store-time", time.Second, "time to store a message")
	fail := program.Flags.String("fail", "", "a message with this `word` cannot be stored")
	times := program.Flags.Int32("times", 1, "how often it is released, before it is accepted")
	out := display.To(os.Stdout, "partition %p, offset %o, key %k, value %v, delivery %D\n")
	program.Run(func(ctx context.Context, args []string) error {
		topic, name := args[0], "share_group_1"
		if len(args) > 1 {
			name = args[1]
		}
		// The folder auth/ has the addresses of the brokers and our keystore. Check both.
		member, err := group.OpenShare(ctx, program, auth, topic, name)
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(append(member.Options(),
			kgo.SeedBrokers(member.Brokers...), // bootstrap.servers
			kgo.DialTLSConfig(member.TLS),      // security.protocol=SSL, ssl.keystore.location
			kgo.ConsumeTopics(topic),
			kgo.ShareGroup(name),                      // group.id
			kgo.ShareMaxRecords(1),                    // max.poll.records: the rest is for others
			kgo.ShareMaxRecordsStrict(),               // share.acquire.mode=record_limit
			kgo.ShareAckCallback(member.Acknowledged), // the broker has accepted or released it
		)...)
		if err != nil {
			return err
		}
		defer member.Leave(client)                    // releases the message that we hold
		late, stop := cli.Grace(ctx, cli.LeaveTime/4) // to release it after Ctrl-C
		defer stop()
		for {
			fetches := client.PollRecords(ctx, 1) // waits for a message, and locks it for us
			if err := member.Check(ctx, fetches); err != nil {
				return err
			}
			for message := range fetches.RecordsAll() {
				out.Print(message)
				stored := out.Flush()
				if !cli.Pause(ctx, *storeTime) { // as long as a database would take
					stored = ctx.Err()
				}
				failed := *fail != "" && bytes.Contains(message.Value, []byte(*fail))
				status := kgo.AckAccept // nobody gets the message again
				if stored != nil || failed && message.DeliveryCount() <= *times {
					status = kgo.AckRelease // it comes again, perhaps to another member
				}
				message.Ack(status)
				flushed := client.FlushAcks(late) // acknowledge now, and wait for the broker
				if err := member.Answered(message, status, flushed, stored); err != nil {
					return err
				}
			}
		}
	})
}
