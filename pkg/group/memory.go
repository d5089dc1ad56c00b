package group

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/memory"
)

const (
	// fetchBytes is fetch.max.bytes: how much a broker returns at once, still compressed.
	fetchBytes = 2 << 20
	// batchBytes is how large a batch may be when it is decompressed. Producers make batches of 16 kB to
	// 1 MB (batch.size). But a broker limits only the compressed size, and 1 MB can become gigabytes.
	batchBytes = 32 << 20
	// enoughBytes is how much of the decompressed messages may wait for the loop.
	enoughBytes = 12 << 20
)

func newMemory() (*memory.Limit, error) {
	cli.LimitMemory()
	return memory.New(batchBytes, enoughBytes)
}

// OnPollStart is a hook of kgo: the loop has printed the messages of the last poll.
func (m *Member) OnPollStart(context.Context) {
	if m.client.BufferedFetchRecords() == 0 {
		m.memory.Read()
	}
}

// tooLarge is the error of a batch that the program never can read.
func (m *Member) tooLarge(batch *kgo.ErrDecompressTooLarge) error {
	return cli.WithHint(fmt.Errorf("topic %s: partition %d, offset %d: a batch of messages is larger than %d MiB when decompressed",
		m.topic, batch.Partition, batch.Offset, batchBytes>>20),
		"a new group starts behind it: go run ./consumer %s --group NEW_NAME", m.topic)
}
