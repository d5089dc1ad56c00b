// Consumer is one member of a group that shares the partitions of a topic.
//
// Start it twice: each member gets eight of sixteen partitions. A message reaches the member that
// has its partition, and no other. Stop one, and the other takes over.
//
//	go run ./consumergroup/consumer client60 client60_members
package main

import (
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
	flags  = settings.AddFlags() // --brokers, --auth
	format = pflag.StringP("format", "f",
		`partition %p, offset %o, key %k, value %v\n`, cli.Formats)
)

func main() {
	cli.Run("<topic> [group=consumer_group_1]", "Prints the messages of its partitions.", consume)
}

func consume(ctx context.Context, args []string) error {
	topic, name, out := args[0], args[1], cli.NewPrinter(*format)
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
		kgo.ConsumerGroup(name),                         // group.id
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), // auto.offset.reset=latest
		kgo.Balancers(kgo.RangeBalancer()),              // partition.assignment.strategy=range
		kgo.FetchMaxWait(500*time.Millisecond),          // fetch.max.wait.ms, if nothing is new
		kgo.HeartbeatInterval(500*time.Millisecond),     // heartbeat.interval.ms, by default 3 s
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),    // isolation.level=read_committed
		kgo.AutoCommitMarks(),                           // enable.auto.commit: only what is marked
		kgo.BlockRebalanceOnPoll(),                      // no rebalance before AllowRebalance
		// A rebalance takes all partitions away from all members, and then assigns them again.
		kgo.OnPartitionsRevoked(
			func(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
				err := client.CommitMarkedOffsets(ctx) // the next member continues at these offsets
				group.Revoked(revoked[topic], err)     // prints the partitions that we had
			}),
		kgo.OnPartitionsLost(group.Lost),      // if the group has removed us
		kgo.OnPartitionsAssigned(group.Begin), // commits where we begin, and prints it
		kgo.WithHooks(cluster.Reporter()),     // prints which brokers are unreachable
	)
	if err != nil {
		return err
	}
	defer group.Leave(client) // the other members get our partitions at once
	if err := cluster.Check(ctx, client, topic); err != nil {
		return found.WithSource(err) // no broker answers, or there is no right to read the topic
	}

	for {
		fetches := client.PollFetches(ctx) // waits for messages of our partitions
		if err := cluster.Fatal(ctx, fetches); err != nil {
			return err // Ctrl-C, or a permanent error
		}
		for message := range fetches.RecordsAll() {
			out.Print(message)
		}
		if err := out.Flush(); err != nil {
			return err // not marked, so the group reads these messages again
		}
		client.MarkCommitRecords(fetches.Records()...) // printed: the client commits them soon
		client.AllowRebalance()                        // partitions may move now
	}
}
