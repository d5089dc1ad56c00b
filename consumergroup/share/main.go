// Share is a member of a share group (KIP-932). Its members share the messages, not the partitions.
// A broker locks each message for one member. If the member releases it, or if its lock ends, the
// message comes again. More members than partitions help, but the messages have no order.
//
//	go run ./consumergroup/share client60 client60_share --fail broken
package main

import (
	"bytes"
	"context"
	"time"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/group"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

var (
	flags     = settings.AddFlags() // --brokers, --auth
	storeTime = pflag.Duration("store-time", time.Second, "how long it takes to store a message")
	fail      = pflag.String("fail", "", "a message with this `word` cannot be stored")
)

func main() { cli.Run("<topic> [group=share_group_1]", "Prints and accepts messages.", consume) }

func consume(ctx context.Context, args []string) error {
	topic, name := args[0], args[1]
	out := cli.NewPrinter("partition %p, offset %o, key %k, value %v, delivery %D\n")
	found, err := flags.Find() // your credentials folder, and the addresses of the brokers
	if err != nil {
		return err
	}
	security, err := tlsconf.Load(found.Folder, found.Password, cli.Warn) // for mutual TLS
	if err != nil {
		return found.WithSource(err) // it also names the setting: a flag, a variable, a file
	}

	var refused error             // why a broker has refused our last answer
	client, err := kgo.NewClient( // the comments name the options of other Kafka clients
		kgo.SeedBrokers(found.Brokers...), // bootstrap.servers
		kgo.DialTLSConfig(security),       // security.protocol=SSL, ssl.keystore.location
		kgo.ClientID("share"),             // client.id: the live page shows it
		kgo.AlwaysRetryEOF(),              // try again if a broker closes the connection
		kgo.ConsumeTopics(topic),
		kgo.ShareGroup(name),                   // group.id
		kgo.ShareMaxRecords(1),                 // max.poll.records: lock one message at a time
		kgo.ShareMaxRecordsStrict(),            // share.acquire.mode=record_limit: not a batch
		kgo.FetchMaxWait(200*time.Millisecond), // fetch.max.wait.ms: FlushAcks may wait so long
		kgo.KeepRetryableFetchErrors(),         // so that we notice when somebody deletes the topic
		kgo.ShareAckCallback(func(_ *kgo.Client, r kgo.ShareAckResults) { refused = r.Error() }),
		kgo.WithHooks(cluster.Reporter()), // prints "unreachable" and "joined"
	)
	if err != nil {
		return err
	}
	defer group.Leave(client) // the other members get our messages at once
	if err := cluster.Check(ctx, client, topic); err != nil {
		return found.WithSource(err) // no broker answers, or there is no right to read the topic
	}

	late := cli.Grace(ctx, time.Second) // to release a message after Ctrl-C
	for {
		fetches := client.PollRecords(ctx, 1) // waits for a message, and locks it for us
		if err := cluster.Fatal(ctx, fetches); err != nil {
			return err // Ctrl-C, or a permanent error
		}
		for message := range fetches.RecordsAll() {
			out.Print(message)
			err := out.Flush()
			if err == nil {
				err = cli.Pause(ctx, *storeTime) // stores it
			}
			status := kgo.AckAccept // nobody gets it again
			if err != nil || (*fail != "" && bytes.Contains(message.Value, []byte(*fail))) {
				status = kgo.AckRelease // it comes again, perhaps to another member
			}
			message.Ack(status)
			flushed := client.FlushAcks(late) // waits for the broker, and for the callback
			group.Acknowledged(message, status, flushed, &refused)
			if err != nil {
				return err // Ctrl-C, or output that fails
			}
		}
	}
}
