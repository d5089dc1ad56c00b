package tlsconf_test

import (
	"cmp"
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/tlsconf"
)

// Three complete clients to start an assignment from. Copy the body of one into your func main. Use
// your topic instead of client60, and the addresses in your client-ssl.properties.
var (
	topic   = "client60"
	brokers = strings.Split(cmp.Or(os.Getenv("KAFKA_BROKERS"), "localhost:19093,localhost:29093,localhost:39093"), ",")
)

// A producer sends one message to a topic, and waits until the brokers have stored it.
func Example_producer() {
	// Ctrl-C, and SIGTERM, end this context, and then main.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	// Load your keystore and the brokers' authority from the folder auth. cc2023 is the password of
	// the keystore. The function prints warnings.
	credentials, err := tlsconf.Load("auth", "cc2023", func(flaw error) { log.Print(flaw) })
	if err != nil {
		log.Fatal(err)
	}

	// Make a client. It connects when you use it, and logs each broker that it cannot reach.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.DialTLSConfig(credentials),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// Send a message. Messages with the same key are in the same partition, and keep their order.
	message := &kgo.Record{Topic: topic, Key: []byte("fruit"), Value: []byte("cherry")}
	if err := client.ProduceSync(ctx, message).FirstErr(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("partition %d, offset %d\n", message.Partition, message.Offset)

	// Output: partition 4, offset 3
}

// A consumer reads a topic from its oldest message. It reads alone, without a group.
func Example_consumer() {
	// Ctrl-C, and SIGTERM, end this context, and then main.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	// Load your keystore and the brokers' authority from the folder auth. cc2023 is the password of
	// the keystore. The function prints warnings.
	credentials, err := tlsconf.Load("auth", "cc2023", func(flaw error) { log.Print(flaw) })
	if err != nil {
		log.Fatal(err)
	}

	// Make a client. It connects when you use it, and logs each broker that it cannot reach.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.DialTLSConfig(credentials),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // AtEnd: only messages from now on
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// Wait for one message and print it, three times. To read forever, write: for {
	for range 3 {
		fetches := client.PollRecords(ctx, 1)
		if ctx.Err() != nil {
			return
		}
		if err := fetches.Err(); err != nil {
			log.Print(err) // the client tries again
		}
		for _, message := range fetches.Records() {
			fmt.Printf("offset %d: %s\n", message.Offset, message.Value)
		}
	}

	// Output:
	// offset 0: apple
	// offset 1: pear
	// offset 2: plum
}

// A group member shares the partitions of a topic with the other members of its group. It processes the messages
// of a poll, and then commits them once. If it is killed before the commit, the group reads them again.
func Example_groupMember() {
	// Ctrl-C, and SIGTERM, end this context, and then main.
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	// Load your keystore and the brokers' authority from the folder auth. cc2023 is the password of
	// the keystore. The function prints warnings.
	credentials, err := tlsconf.Load("auth", "cc2023", func(flaw error) { log.Print(flaw) })
	if err != nil {
		log.Fatal(err)
	}

	// Make a client. It connects when you use it, and logs each broker that it cannot reach.
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.DialTLSConfig(credentials),
		kgo.WithLogger(kgo.BasicLogger(os.Stderr, kgo.LogLevelWarn, nil)),
		kgo.ConsumeTopics(topic), kgo.ConsumerGroup("client60_group"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // where a new group begins
		kgo.Balancers(kgo.RangeBalancer()),                // the same in all members
		kgo.DisableAutoCommit(),                           // only CommitRecords commits
		kgo.BlockRebalanceOnPoll(),                        // no rebalance before the commit
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseAllowingRebalance() // leaves the group

	// Wait for messages until three are processed. To read until Ctrl-C, write: for {
	processed := 0
	for processed < 3 {
		fetches := client.PollRecords(ctx, 3) // max.poll.records: more in your program, such as 500
		if ctx.Err() != nil {
			return
		}
		if err := fetches.Err(); err != nil {
			log.Print(err) // the next poll tries again
		}
		// Process the messages of this poll, within a few seconds.
		for _, message := range fetches.Records() {
			fmt.Printf("offset %d: %s\n", message.Offset, message.Value)
		}
		processed += fetches.NumRecords()

		// Commit them: the group continues behind them. If a commit fails, messages may come twice.
		if err := client.CommitRecords(context.Background(), fetches.Records()...); err != nil {
			log.Print(err)
		}
		client.AllowRebalance()
	}

	// Output:
	// offset 0: apple
	// offset 1: pear
	// offset 2: plum
}
