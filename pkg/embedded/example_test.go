package embedded_test

import (
	"context"
	"fmt"
	"log"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/embedded"
)

// Start a cluster, send a message and read it.
func Example() {
	ctx := context.Background()
	cluster, err := embedded.Start(embedded.Config{Topics: []string{"client60"}})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	client, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.Brokers()...),
		kgo.ConsumeTopics("client60"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	message := &kgo.Record{Topic: "client60", Value: []byte("hello")}
	if err := client.ProduceSync(ctx, message).FirstErr(); err != nil {
		log.Fatal(err)
	}
	fetches := client.PollFetches(ctx)
	if err := fetches.Err(); err != nil {
		log.Fatal(err)
	}
	for _, message := range fetches.Records() {
		fmt.Printf("%s at offset %d\n", message.Value, message.Offset)
	}

	// Output: hello at offset 0
}
