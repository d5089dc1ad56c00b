// Producer sends each line of standard input to a topic, as one message.
//
// Type a line. The broker answers with the partition and the offset of the message. A topic is a
// set of partitions, and an offset is a position in one of them. A message without a key goes to
// any partition. Messages with the same key stay in one partition, in order.
//
//	go run ./producer client60
//	seq 1000 | go run ./producer client60 --key numbers
package main

import (
	"context"
	"time"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

var (
	flags = settings.AddFlags() // --brokers, --auth
	key   = pflag.String("key", "", "the key of every message (otherwise they have no key)")
)

func main() { cli.Run("<topic>", "Sends each line of standard input as one message.", produce) }

func produce(ctx context.Context, args []string) error {
	topic := args[0]
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
		kgo.ClientID("producer"),          // client.id: the live page shows it
		kgo.AlwaysRetryEOF(),              // try again if a broker closes the connection
		kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),                // acks=all: all copies that are in sync
		kgo.RecordDeliveryTimeout(2*time.Minute),          // delivery.timeout.ms
		kgo.MetadataMinAge(250*time.Millisecond),          // retry.backoff.ms, to find new leaders
		kgo.MaxBufferedBytes(32<<20),                      // buffer.memory: 32 MB may wait
		kgo.ProducerBatchCompression(kgo.NoCompression()), // compression.type=none
		// batch.size: without a key, 1 MB goes to one partition, and the next 1 MB to another one.
		// true: prefer one where little waits. true, nil: a key decides, by Kafka's hash, murmur2.
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(1<<20, true, true, nil)),
		kgo.WithHooks(cluster.Reporter()), // prints which brokers are unreachable
	)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := cluster.Check(ctx, client, topic); err != nil {
		return found.WithSource(err) // no broker answers, or no right to write to the topic
	}

	// Produce puts a message into a buffer and returns. The client sends it with others, and calls
	// the function when the brokers have stored it, or when they refuse it.
	answers, sent := cluster.NewAnswers(client), 0 // counts what is delivered, and what is sent
	late := cli.Grace(ctx, time.Second)            // a context that ends a second after Ctrl-C
	for number, line := range cli.Lines(ctx) {     // until Ctrl-D or Ctrl-C
		message := &kgo.Record{Value: line}
		if *key != "" {
			message.Key = []byte(*key)
		}
		client.Produce(late, message, func(message *kgo.Record, err error) {
			if err == nil && cli.Typing {
				cli.Say("partition %d, offset %d", message.Partition, message.Offset)
			}
			answers.Add(number, message, err)
		})
		sent++
		if cli.Typing {
			client.Flush(late) // send it now, and wait for the answer before the next line
		}
	}
	client.Flush(late) // wait for all answers
	return answers.Result(sent)
}
