package memory

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A batch that is too large is never decompressed. When enough messages wait, no batch is, until they
// are read.
func TestLimit(t *testing.T) {
	const batchBytes, enoughBytes = 1 << 20, 3 << 20
	limit, err := New(batchBytes, enoughBytes)
	if err != nil {
		t.Fatal(err)
	}
	compressor, err := kgo.DefaultCompressor(kgo.ZstdCompression())
	if err != nil {
		t.Fatal(err)
	}
	decompress := func(size int) error {
		batch, codec := compressor.Compress(new(bytes.Buffer), make([]byte, size))
		if codec != kgo.CodecZstd {
			t.Fatalf("codec %d", codec)
		}
		plain, err := limit.Decompress(batch, codec)
		if err == nil && len(plain) != size {
			t.Errorf("%d bytes, not %d", len(plain), size)
		}
		if err == nil {
			limit.OnFetchBatchRead(kgo.BrokerMetadata{}, "topic", 0, kgo.FetchBatchMetrics{NumRecords: 1, UncompressedBytes: size})
		}
		return err
	}
	if err := decompress(2 * batchBytes); err == nil || errors.Is(err, ErrFull) {
		t.Errorf("a batch of 2 MiB: %v", err)
	}
	for range 2 {
		for range enoughBytes / batchBytes {
			if err := decompress(batchBytes); err != nil {
				t.Fatal(err)
			}
		}
		if err := decompress(1); !errors.Is(err, ErrFull) {
			t.Errorf("when enough messages wait: %v", err)
		}
		limit.Read()
	}
}
