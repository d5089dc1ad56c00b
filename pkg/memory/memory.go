// Package memory bounds the memory of a client for the messages that it has fetched.
//
// The client limits only what it fetches, and 1 MB of equal messages can be 10 GB when they are
// decompressed. It decompresses all batches that it has fetched, and keeps those before the first error.
// So a Limit refuses to decompress when there is enough.
package memory

import (
	"errors"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordBytes is what the client needs for a message besides its key and value.
const recordBytes = 200

// ErrFull is the error of a batch that is not decompressed now. The client fetches it again.
var ErrFull = errors.New("the messages before it are not read yet")

// Limit is a decompressor with limits. Give it to kgo.WithDecompressor and to kgo.WithHooks.
type Limit struct {
	kgo.Decompressor
	enough int64
	used   atomic.Int64
}

// New returns a limit. A batch may have batchBytes when it is decompressed. When enoughBytes of messages
// wait to be read, no other batch is decompressed.
func New(batchBytes, enoughBytes int) (*Limit, error) {
	// The client makes a decompressor that obeys this option, but only for itself.
	client, err := kgo.NewClient(kgo.MaxDecompressBatchBytes(batchBytes))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return &Limit{Decompressor: client.OptValue(kgo.WithDecompressor).(kgo.Decompressor), enough: int64(enoughBytes)}, nil
}

// Decompress is called for each batch that is compressed.
func (l *Limit) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if l.used.Load() > l.enough {
		return nil, ErrFull
	}
	return l.Decompressor.Decompress(src, codec)
}

// OnFetchBatchRead is a hook of kgo: a batch is decompressed.
func (l *Limit) OnFetchBatchRead(_ kgo.BrokerMetadata, _ string, _ int32, batch kgo.FetchBatchMetrics) {
	l.used.Add(int64(batch.UncompressedBytes + recordBytes*batch.NumRecords))
}

// Read records that no message waits any more.
func (l *Limit) Read() { l.used.Store(0) }
