// Producer sends each line of standard input to a topic, with the key 0, 1, 2 and so on.
//
// The key decides the partition: its hash, modulo the number of partitions. Different keys spread
// the messages over the partitions, and so over the members of a group. Messages with the same key
// would always be in one partition, in order.
//
// Usage:
//
//	seq 100 | go run ./consumergroup/producer client60
package main

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/deliver"
	"tkafka/pkg/settings"
)

func main() {
	program := cli.New("producer <topic>",
		"Sends each line of standard input to the topic, with a key that grows by one.",
		"seq 100 | producer client60")
	auth := settings.AddFlags(program.Flags)

	program.Run(func(ctx context.Context, args []string) error {
		topic := args[0]

		// The folder auth/ has the addresses of the brokers and our keystore. Check both.
		here, err := cluster.Open(ctx, program, auth, cluster.Needs{Topic: topic, Write: true})
		if err != nil {
			return err
		}
		input := deliver.Stdin(program, here)
		client, err := kgo.NewClient(append(input.Options(),
			kgo.SeedBrokers(here.Brokers...), // bootstrap.servers
			kgo.DialTLSConfig(here.TLS),      // security.protocol=SSL, ssl.keystore.location
			kgo.DefaultProduceTopic(topic),
			kgo.RequiredAcks(kgo.AllISRAcks()), // acks=all: wait for all copies (replicas in sync)
			kgo.MaxBufferedBytes(32<<20),       // buffer.memory: when it is full, Produce waits
		)...)
		if err != nil {
			return err
		}
		defer client.Close()

		// After Ctrl-C we read no more lines, and what we have read gets a second to arrive.
		sending, stop := cli.Grace(ctx, time.Second)
		defer stop()

		key := 0
		for number, line := range input.Lines(ctx, client) {
			message := &kgo.Record{Key: []byte(strconv.Itoa(key)), Value: line}
			key++
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
