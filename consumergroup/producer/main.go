// Producer sends each line of standard input to a topic, with the key 0, 1, 2 and so on.
//
// The key decides the partition: its hash, modulo the number of partitions. So the messages are
// spread over all members of a consumer group, and those with the same key would always meet in the
// same partition, in order.
package main

import (
	"context"
	"strconv"

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
	flags := settings.AddFlags(program.Flags)

	program.Run(func(ctx context.Context, args []string) error {
		topic := args[0]
		found, err := flags.Find()
		if err != nil {
			return err
		}
		here, err := cluster.Open(ctx, program, found, cluster.Needs{Topic: topic, Write: true})
		if err != nil {
			return err
		}
		client, err := kgo.NewClient(append(here.Options(),
			kgo.SeedBrokers(here.Brokers...), kgo.DialTLSConfig(here.TLS),
			kgo.DefaultProduceTopic(topic),
			kgo.RequiredAcks(kgo.AllISRAcks()), // acks=all: every replica in sync has the message
			kgo.MaxBufferedBytes(64<<20),       // buffer.memory: a fast pipe waits for the brokers
		)...)
		if err != nil {
			return err
		}
		defer client.Close()

		next := 0
		return deliver.Lines(ctx, program, here, client, func(message *kgo.Record) {
			message.Key = strconv.AppendInt(nil, int64(next), 10)
			next++
		})
	})
}
