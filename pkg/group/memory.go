package group

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

const (
	// fetchBytes is fetch.max.bytes: how much a broker returns at once, still compressed.
	fetchBytes = 2 << 20
	// batchBytes is how large a batch may be when it is decompressed. Producers make batches of 16 kB to
	// 1 MB (batch.size). But a broker limits only the compressed size, and 1 MB can become gigabytes.
	batchBytes = 32 << 20
	// enoughBytes is how much of the decompressed messages may wait for the loop.
	enoughBytes = 12 << 20
	// recordBytes is what the client needs for a message besides its key and value.
	recordBytes = 200
)

// errFull is the error of a batch that is not decompressed now. The client fetches it again.
var errFull = errors.New("the messages before it are not printed yet")

// memory bounds the memory for messages. The client limits only what it fetches, and 1 MB of equal
// messages can be 10 GB when they are decompressed. It decompresses all batches that it has fetched, and
// keeps those before the first error. So memory refuses to decompress when there is enough.
type memory struct {
	kgo.Decompressor
	used atomic.Int64
}

func newMemory() (*memory, error) {
	cli.LimitMemory()
	// The client makes a decompressor that obeys this option, but only for itself.
	client, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(batchBytes))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return &memory{Decompressor: client.OptValue(kgo.WithDecompressor).(kgo.Decompressor)}, nil
}

// Decompress is called for each batch that is compressed.
func (m *memory) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if m.used.Load() > enoughBytes {
		return nil, errFull
	}
	return m.Decompressor.Decompress(src, codec)
}

// OnFetchBatchRead is a hook of kgo: a batch is decompressed.
func (m *memory) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, batch kgo.FetchBatchMetrics) {
	m.used.Add(int64(batch.UncompressedBytes + recordBytes*batch.NumRecords))
}

// OnPollStart is a hook of kgo: the loop has printed the messages of the last poll.
func (m *Member) OnPollStart(context.Context) {
	if m.client.BufferedFetchRecords() == 0 {
		m.memory.used.Store(0)
	}
}

// tooLarge is the error of a batch that the program never can read.
func (m *Member) tooLarge(batch *kgo.ErrDecompressTooLarge) error {
	return cli.WithHint(fmt.Errorf("topic %s: partition %d, offset %d: a batch of messages is larger than %d MiB when decompressed",
		m.topic, batch.Partition, batch.Offset, batchBytes>>20),
		"a new group starts behind it: go run ./consumer %s --group NEW_NAME", m.topic)
}
