// Producer sends each line of standard input to a topic, as one message.
//
// Type a line, and the broker's answer says which partition took it and at which offset: a topic is
// a handful of logs, and an offset is the place in one of them. A message without a key goes to
// whichever partition the client fills at the moment; messages with the same key always go to the
// same one, and only there do they keep their order.
package main

import (
	"context"

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
	flags := settings.AddFlags(program.Flags)
	key := program.Flags.String("key", "", "the key of every message (default: none)")

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

		return deliver.Lines(ctx, program, here, client, func(message *kgo.Record) {
			if program.Flags.Changed("key") {
				message.Key = []byte(*key)
			}
		})
	})
}
