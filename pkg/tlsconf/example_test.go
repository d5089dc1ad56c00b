package tlsconf_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/tlsconf"
)

// Three complete clients to start an assignment from. Copy the body of one into your func main. Use
// your topic instead of client60, and the addresses in your client-ssl.properties.
var brokers = []string{"localhost:19093", "localhost:29093", "localhost:39093"}

// A producer sends one message to a topic, and waits until the brokers have stored it.
func Example_producer() {
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
	message := &kgo.Record{Topic: "client60", Key: []byte("fruit"), Value: []byte("cherry")}
	if err := client.ProduceSync(context.Background(), message).FirstErr(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("partition %d, offset %d\n", message.Partition, message.Offset)

	// Output: partition 4, offset 3
}

// A consumer reads a topic from its oldest message. It reads alone, without a group.
func Example_consumer() {
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
		kgo.ConsumeTopics("client60"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // AtEnd: only messages from now on
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	// Wait for one message and print it, three times. To read forever, write: for {
	for range 3 {
		fetches := client.PollRecords(context.Background(), 1)
		if err := fetches.Err(); err != nil {
			log.Fatal(err)
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

// A group member shares the partitions of a topic with the other members of its group. It commits
// each message after it has processed it. If it stops before the commit, the group reads the message
// again.
func Example_groupMember() {
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
		kgo.ConsumeTopics("client60"), kgo.ConsumerGroup("client60_group"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), // where a new group begins
		kgo.DisableAutoCommit(),                           // only CommitRecords commits
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close() // leaves the group

	// Wait for one message, three times. To read forever, write: for {
	for range 3 {
		fetches := client.PollRecords(context.Background(), 1)
		if err := fetches.Err(); err != nil {
			log.Fatal(err)
		}
		for _, message := range fetches.Records() {
			// Process the message.
			fmt.Printf("offset %d: %s\n", message.Offset, message.Value)
			// Commit it: the group continues at the next message.
			if err := client.CommitRecords(context.Background(), message); err != nil {
				log.Fatal(err)
			}
		}
	}

	// Output:
	// offset 0: apple
	// offset 1: pear
	// offset 2: plum
}
