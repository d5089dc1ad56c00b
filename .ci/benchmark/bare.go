package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// bare is a client that uses franz-go and none of our packages, apart from the credentials. It is a
// process of its own, as our programs are: its processor time and memory can be measured, too. And it
// keeps the memory of its parent small, with which the peak of each child begins.
func bare(args []string) error {
	mode, topic, rest := args[0], args[1], args[2:]
	found, err := settings.InFolder(os.Getenv("KAFKA_AUTH"))
	if err != nil {
		return err
	}
	cluster, err := connection(found)
	if err != nil {
		return err
	}
	// Keep these options equal to those of producer/main.go, cluster.Options and deliver.Input.Options.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.Metadata.Int16(), 9)
	versions.SetMaxKeyVersion(kmsg.Produce.Int16(), 12)
	ours := append(cluster,
		kgo.DefaultProduceTopic(topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.MaxBufferedBytes(32<<20),
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(1<<20, true, true, nil)),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.DisableClientMetrics(),
		kgo.MetadataMinAge(250*time.Millisecond),
		kgo.MaxVersions(versions),
	)
	lines := func(key func(int) []byte) messages { return readLines(os.Stdin, key) }
	switch mode {
	case "produce":
		return produce(ours, lines(nil))
	case "produce-defaults":
		return produce(append(cluster, kgo.DefaultProduceTopic(topic)), lines(nil))
	case "produce-keyed":
		return produce(ours, lines(func(number int) []byte { return strconv.AppendInt(nil, int64(number), 10) }))
	case "produce-spread": // the same number of messages in each partition
		return produce(append(ours, kgo.RecordPartitioner(kgo.RoundRobinPartitioner())), lines(nil))
	case "produce-equal":
		return produce(append(ours, kgo.ProducerBatchCompression(kgo.ZstdCompression())), equal(rest[0]))
	case "produce-sync":
		return produceSync(ours)
	case "consume":
		return consume(append(cluster, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(rest[0])), rest[1])
	case "digest":
		return printDigest(append(cluster, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())), topic)
	}
	return fmt.Errorf("bare: no mode %s", mode)
}

// connection returns the options that connect a client to the cluster.
func connection(found *settings.Settings) ([]kgo.Opt, error) {
	options := []kgo.Opt{kgo.SeedBrokers(found.Brokers...), kgo.ClientID("bench")}
	if !found.TLS {
		return options, nil
	}
	config, err := tlsconf.Load(found.Folder, found.Password, nil)
	return append(options, kgo.DialTLSConfig(config)), err
}

// messages calls send with each message.
type messages func(send func(*kgo.Record)) error

// readLines makes a message of each line. Without a function for it, a message has no key.
func readLines(in io.Reader, key func(number int) []byte) messages {
	return func(send func(*kgo.Record)) error {
		lines := bufio.NewReaderSize(in, 64<<10)
		for number := 0; ; number++ {
			line, err := lines.ReadBytes('\n')
			if len(line) > 0 {
				message := &kgo.Record{Value: bytes.TrimSuffix(line, []byte("\n"))}
				if key != nil {
					message.Key = key(number)
				}
				send(message)
			}
			if err == io.EOF {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
}

// equal makes messages of 1,000 equal bytes.
func equal(count string) messages {
	return func(send func(*kgo.Record)) error {
		value := bytes.Repeat([]byte("x"), 1000)
		n, err := strconv.Atoi(count)
		for range n {
			send(&kgo.Record{Value: value})
		}
		return err
	}
}

func produce(options []kgo.Opt, all messages) error {
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	sent, delivered := int64(0), atomic.Int64{}
	var failure atomic.Pointer[error]
	err = all(func(message *kgo.Record) {
		sent++
		client.Produce(context.Background(), message, func(_ *kgo.Record, err error) {
			if err != nil {
				failure.CompareAndSwap(nil, &err)
				return
			}
			delivered.Add(1)
		})
	})
	if err != nil {
		return err
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	if delivered.Load() < sent {
		return fmt.Errorf("%d of %d messages delivered: %w", delivered.Load(), sent, *failure.Load())
	}
	return nil
}

func produceSync(options []kgo.Opt) error {
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	return readLines(os.Stdin, nil)(func(message *kgo.Record) {
		if err := client.ProduceSync(context.Background(), message).FirstErr(); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("partition %d, offset %d\n", message.Partition, message.Offset)
	})
}

func consume(options []kgo.Opt, count string) error {
	left, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(options, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		return err
	}
	defer client.Close() // leaves the group
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	for left > 0 {
		fetches := client.PollRecords(context.Background(), left)
		if err := fetches.Err(); err != nil {
			return err
		}
		for message := range fetches.RecordsAll() {
			out.Write(message.Value)
			out.WriteByte('\n')
			left--
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	return client.CommitUncommittedOffsets(context.Background())
}

func printDigest(options []kgo.Opt, topic string) error {
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	d, err := digestTopic(context.Background(), client, topic)
	if err != nil {
		return err
	}
	_, err = fmt.Println(d.Count, d.Sum)
	return err
}
