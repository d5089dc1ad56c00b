package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// digest is a number of messages and a checksum of their keys and values. The messages may be in any
// order, because the partitions of a topic have no common order.
type digest struct {
	Count int
	Sum   uint64
}

// add adds a message. Its hash is FNV-1a, and a byte that no text has ends the key.
func (d *digest) add(key, value []byte) {
	const offset, prime = 14695981039346656037, 1099511628211
	hash := uint64(offset)
	for _, b := range key {
		hash = (hash ^ uint64(b)) * prime
	}
	hash = (hash ^ 0xff) * prime
	for _, b := range value {
		hash = (hash ^ uint64(b)) * prime
	}
	d.Count++
	d.Sum += hash
}

// incomplete is a result that is not what was sent.
type incomplete string

func (i incomplete) Error() string { return "incomplete: " + string(i) }

// mustBe returns an error unless the messages are the ones that are wanted.
func (d digest) mustBe(want digest) error {
	switch {
	case d.Count != want.Count:
		return incomplete(cli.Count(d.Count) + " of " + cli.Count(want.Count))
	case d.Sum != want.Sum:
		return incomplete(cli.Count(d.Count) + " messages, but not the same ones")
	}
	return nil
}

// digestFile digests the lines of a file. With keys, a colon ends the key of each line.
func digestFile(path string, keys bool) (d digest, err error) {
	file, err := os.Open(path)
	if err != nil {
		return d, err
	}
	defer file.Close()
	lines := bufio.NewReaderSize(file, 1<<20)
	for {
		value, err := lines.ReadSlice('\n')
		if err == io.EOF && len(value) == 0 {
			return d, nil
		}
		if err != nil && err != io.EOF {
			return d, fmt.Errorf("%s: %w", path, err)
		}
		var key []byte
		if keys {
			key, value, _ = bytes.Cut(value, []byte(":"))
		}
		d.add(key, bytes.TrimSuffix(value, []byte("\n")))
	}
}

// digestTopic digests all messages of a topic.
func digestTopic(ctx context.Context, client *kgo.Client, topic string) (d digest, err error) {
	admin := kadm.NewClient(client)
	starts, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return d, err
	}
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return d, err
	}
	left := make(map[int32]int64) // the end of each partition that is not read yet
	ends.Each(func(end kadm.ListedOffset) {
		if start, _ := starts.Lookup(topic, end.Partition); end.Offset > start.Offset {
			left[end.Partition] = end.Offset
		}
	})
	client.AddConsumeTopics(topic)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return d, err
		}
		for message := range fetches.RecordsAll() {
			d.add(message.Key, message.Value)
			if message.Offset+1 >= left[message.Partition] {
				delete(left, message.Partition)
			}
		}
	}
	return d, nil
}
