// Consumer prints the messages of a topic, from now on.
//
// As the only member of its group, simple_consumer, it reads all partitions. A new group
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

func main() { cli.Run("<topic>", "Prints the messages of a topic, from now on.", consume) }

func consume(ctx context.Context, args []string) error {
	topic, out := args[0], cli.NewPrinter(*format)
	found, err := flags.Find() // your credentials folder, and the addresses of the brokers
	if err != nil {
		return err
	}
	security, err := tlsconf.Load(found.Folder, found.Password, cli.Warn) // for mutual TLS
	if err != nil {
		return found.WithSource(err) // it also names the setting: a flag, a variable, a file
	}

	client, err := kgo.NewClient( // the comments name the options of other Kafka clients
		kgo.SeedBrokers(found.Brokers...), // bootstrap.servers
		kgo.DialTLSConfig(security),       // security.protocol=SSL, ssl.keystore.location
		kgo.ClientID("consumer"),          // client.id: the live page shows it
		kgo.AlwaysRetryEOF(),              // try again if a broker closes the connection
		kgo.ConsumeTopics(topic),
		kgo.ConsumerGroup(*name),                        // group.id
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), // auto.offset.reset=latest
		kgo.Balancers(kgo.RangeBalancer()),              // partition.assignment.strategy=range
		kgo.FetchMaxWait(500*time.Millisecond),          // fetch.max.wait.ms, if nothing is new
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),    // isolation.level=read_committed
		kgo.AutoCommitMarks(),                           // enable.auto.commit: only what is marked
		kgo.BlockRebalanceOnPoll(),                      // no rebalance before AllowRebalance
		kgo.OnPartitionsRevoked(group.Revoke),           // commits what is marked
		kgo.OnPartitionsLost(group.Lost),                // if the group has removed us
		kgo.OnPartitionsAssigned(group.Begin),           // commits where we begin, and prints it
		kgo.WithHooks(cluster.Reporter()),               // prints which brokers are unreachable
	)
	if err != nil {
		return err
	}
	defer group.Leave(client) // commits what is marked, and leaves the group
	if err := cluster.Check(ctx, client, topic); err != nil {
		return found.WithSource(err) // no broker answers, or there is no right to read the topic
	}

	for printed := 0; printed < *count; {
		fetches := client.PollRecords(ctx, *count-printed) // waits; at most so many messages
		if err := cluster.Fatal(ctx, fetches); err != nil {
			return err // Ctrl-C, or a permanent error
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
