// Producer sends each line of standard input to a topic, as one message.
//
// Type a line. The broker answers with the partition and the offset of the message. A topic is a
// set of partitions, and an offset is a position in one of them. A message without a key goes to
// any partition. Messages with the same key stay in one partition, in order.
//
// Usage:
//
//	go run ./producer client60
//	seq 1000 | go run ./producer client60 --key numbers
package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/deliver"
	"tkafka/pkg/settings"
)

func main() {
	program := cli.New("producer <topic>",
		"Sends each line of standard input as one message to the topic.",
		"producer client60\nseq 1000 | producer client60 --key numbers")
	auth := settings.AddFlags(program.Flags)
	key := program.Flags.String("key", "", "the key of every message (default: none)")

	program.Run(func(ctx context.Context, args []string) error {
		topic := args[0]

		// The folder auth/ has the addresses of the brokers and our keystore. Check both.
		here, err := cluster.Open(ctx, program, auth, cluster.Needs{Topic: topic, Write: true})
		if err != nil {
			return err
		}

		input := deliver.Stdin(program, here)

		// Make the client. The comments name the options of other Kafka clients.
		client, err := kgo.NewClient(append(input.Options(),
			kgo.SeedBrokers(here.Brokers...), // bootstrap.servers
			kgo.DialTLSConfig(here.TLS),      // security.protocol=SSL, ssl.keystore.location
			kgo.DefaultProduceTopic(topic),
			kgo.RequiredAcks(kgo.AllISRAcks()), // acks=all: wait for all copies (replicas in sync)
			kgo.MaxBufferedBytes(32<<20),       // buffer.memory: when it is full, Produce waits
			// batch.size: large batches, one partition after the other, are few requests.
			kgo.RecordPartitioner(kgo.UniformBytesPartitioner(1<<20, true, true, nil)),
		)...)
		if err != nil {
			return err
		}
		defer client.Close()

		// After Ctrl-C we read no more lines, and what we have read gets a second to arrive.
		sending, stop := cli.Grace(ctx, time.Second)
		defer stop()

		// Produce puts the message into a buffer and returns. The client sends it together with
		// others, and calls the function when the brokers have the message, or when they refuse it.
		for number, line := range input.Lines(ctx, client) {
			message := &kgo.Record{Value: line}
			if program.Flags.Changed("key") {
				message.Key = []byte(*key)
			}
			client.Produce(sending, message, func(message *kgo.Record, err error) {
				if err == nil && input.Typed {
					program.Say("partition %d, offset %d", message.Partition, message.Offset)
				}
				input.Acknowledged(number, message, err)
			})
		}

		client.Flush(sending) // waits until every message is acknowledged
		return input.Result()
	})
}
