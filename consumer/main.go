// Consumer prints every message that reaches a topic from now on.
//
// It is the only member of its group, simple_consumer, and so it reads all partitions. A new group
// starts at the end of the topic and skips older messages. The group commits its offsets, so the
// next start continues where this one stopped.
//
//	go run ./consumer client60 -n 10 -f 'partition %p, offset %o: %v\n'
package main

import (
	"context"
	"math"
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
	flags  = settings.AddFlags() // --brokers, --auth
	name   = pflag.String("group", "simple_consumer", "the consumer group to join")
	count  = pflag.IntP("count", "n", math.MaxInt, "stop after `N` messages")
	format = pflag.StringP("format", "f", `%v\n`, cli.Formats)
)

func main() { cli.Run("<topic>", "Prints each message that reaches a topic from now on.", consume) }

func consume(ctx context.Context, args []string) error {
	topic, out := args[0], cli.NewPrinter(ctx, *format)
	found, err := flags.Find() // your credentials folder, and the addresses of the brokers
	if err != nil {
		return err
	}
	security, err := tlsconf.Load(found.Folder, found.Password, cli.Warn) // mutual TLS
	if err != nil {
		return found.WithSource(err)
	}

	client, err := kgo.NewClient( // joins the group; the comments name the options elsewhere
		kgo.SeedBrokers(found.Brokers...), // bootstrap.servers
		kgo.DialTLSConfig(security),       // security.protocol=SSL, ssl.keystore.location
		kgo.ClientID("consumer"),          // client.id: the live page shows it
		kgo.AlwaysRetryEOF(),              // retries, also while a broker starts or stops
		kgo.ConsumeTopics(topic),
		kgo.ConsumerGroup(*name),                        // group.id
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), // auto.offset.reset=latest
		kgo.Balancers(kgo.RangeBalancer()),              // partition.assignment.strategy=range
		kgo.FetchMaxWait(500*time.Millisecond),          // fetch.max.wait.ms: new partitions wait
		kgo.AutoCommitMarks(),                           // enable.auto.commit: only what is marked
		kgo.BlockRebalanceOnPoll(),                      // partitions move only in AllowRebalance
		kgo.OnPartitionsLost(group.Lost),                // without a commit, so messages come again
		kgo.OnPartitionsAssigned(group.Begin),           // commits where a new group begins
		kgo.WithHooks(cluster.Reporter()),               // prints which brokers are unreachable
	)
	if err != nil {
		return err
	}
	defer group.Leave(client) // commits what is marked, and leaves the group
	if err := cluster.Check(ctx, client, topic); err != nil {
		return found.WithSource(err) // no broker answers, or we may not read the topic
	}

	for printed := 0; printed < *count; {
		fetches := client.PollRecords(ctx, *count-printed) // waits for messages, at most so many
		if err := cluster.Fatal(ctx, fetches); err != nil {
			return err // Ctrl-C, or an error that does not go away with time
		}
		for message := range fetches.RecordsAll() {
			out.Print(message)
			printed++
		}
		if err := out.Flush(); err != nil {
			return err // not marked, so the group reads these messages again
		}
		client.MarkCommitRecords(fetches.Records()...) // printed: the client commits them soon
		client.AllowRebalance()                        // partitions may move now
	}
	return nil
}
