// Consumercommit prints one message at a time, stores it, and only then commits it. So it stores a
// message at least once: if the program stops before it commits, the message comes again.
//
//	go run ./commitoffsets/consumercommit client60 client60_group --store-time 5s
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
	flags     = settings.AddFlags() // --brokers, --auth
	storeTime = pflag.Duration("store-time", 10*time.Second, "how long it takes to store a message")
)

func main() { cli.Run("<topic> <group>", "Prints, stores and commits each message.", consume) }

func consume(ctx context.Context, args []string) error {
	topic, name, out := args[0], args[1], cli.NewPrinter("%v\n")
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
		kgo.ClientID("consumercommit"),    // client.id: the live page shows it
		kgo.AlwaysRetryEOF(),              // try again if a broker closes the connection
		kgo.ConsumeTopics(topic),
		kgo.ConsumerGroup(name),                           // group.id
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // auto.offset.reset=earliest
		kgo.Balancers(kgo.RangeBalancer()),                // partition.assignment.strategy=range
		kgo.FetchMaxWait(500*time.Millisecond),            // fetch.max.wait.ms, if nothing is new
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),      // isolation.level=read_committed
		kgo.DisableAutoCommit(),                           // enable.auto.commit=false
		kgo.BlockRebalanceOnPoll(),                        // no rebalance while we store
		kgo.OnPartitionsAssigned(group.Begin),             // prints our partitions
		kgo.WithHooks(cluster.Reporter()),                 // prints which brokers are unreachable
	)
	if err != nil {
		return err
	}
	defer group.Leave(client) // the other members get our partitions at once
	if err := cluster.Check(ctx, client, topic); err != nil {
		return found.WithSource(err) // no broker answers, or there is no right to read the topic
	}

	for {
		fetches := client.PollRecords(ctx, 1) // waits for one message
		if err := cluster.Fatal(ctx, fetches); err != nil {
			return err // Ctrl-C, or a permanent error
		}
		for message := range fetches.RecordsAll() {
			if err := store(ctx, out, message); err != nil {
				return group.NotStored(message, err) // the group reads it again
			}
			if err := client.CommitRecords(ctx, message); err == nil {
				out.Println("Message committed")
			} else if fatal := group.NotCommitted(message, err); fatal != nil {
				return fatal
			}
		}
		client.AllowRebalance() // partitions may move now
	}
}

// store prints the message and takes some time, as a database does.
func store(ctx context.Context, out *cli.Printer, message *kgo.Record) error {
	out.Print(message)
	out.Println("Start Storing") // writes both lines
	if err := cli.Pause(ctx, *storeTime); err != nil {
		return err
	}
	return out.Println("End Storing") // or the first error of out
}
