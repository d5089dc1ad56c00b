package observer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

const (
	keptMessages = 100
	keptValue    = 512 // bytes that a Message has of a value
	keptKey      = 128 // and of a key
	farBehind    = 5000
)

// readOptions are the options of a client that reads without a group, so it commits nothing.
var readOptions = []kgo.Opt{
	kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
	kgo.FetchMaxBytes(1 << 20), kgo.FetchMaxPartitionBytes(256 << 10), kgo.MaxDecompressBatchBytes(8 << 20),
}

// reader has the messages that have arrived since the last round.
type reader struct {
	follows int // partitions

	mu       sync.Mutex
	messages []Message
}

// follow begins to read new partitions where they end in the picture. So no later message is missing.
func (r *reader) follow(client *kgo.Client, topic Topic) {
	ends := make(map[int32]kgo.Offset)
	for ; r.follows < len(topic.Partitions); r.follows++ {
		ends[int32(r.follows)] = kgo.NewOffset().At(topic.Partitions[r.follows].End)
	}
	if len(ends) > 0 {
		client.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic.Name: ends})
	}
}

// run reads until ctx ends. If it is far behind, or a batch is too large, it continues at the end of the partition.
func (r *reader) run(ctx context.Context, client *kgo.Client) {
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		jump := make(map[string]map[int32]kgo.EpochOffset)
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			_, large := errors.AsType[*kgo.ErrDecompressTooLarge](p.Err)
			if last := len(p.Records) - 1; large || last >= 0 && p.HighWatermark-p.Records[last].Offset > farBehind {
				jump[p.Topic] = map[int32]kgo.EpochOffset{p.Partition: {Epoch: -1, Offset: p.HighWatermark}}
			}
		})
		if len(jump) > 0 {
			client.SetOffsets(jump)
		}
		r.add(fetches.Records())
		if fetches.NumRecords() == 0 {
			cli.Pause(ctx, 100*time.Millisecond) // an error comes again at once
		}
	}
}

func (r *reader) add(records []*kgo.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, record := range newest(records, keptMessages) {
		at := record.Timestamp
		if now := time.Now(); at.After(now) || at.UnixMilli() < 0 { // a producer may set any time, also the year 9999
			at = now
		}
		m := Message{Time: at, Partition: record.Partition, Offset: record.Offset, Holders: make(map[string]int)}
		m.Value, m.Cut = text(record.Value, keptValue)
		if record.Key != nil {
			key, _ := text(record.Key, keptKey)
			m.Key = &key
		}
		r.messages = append(r.messages, m)
	}
	r.messages = newest(r.messages, keptMessages)
}

// take returns the messages that have arrived since it was last called.
func (r *reader) take() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.messages
	slices.SortStableFunc(taken, func(a, b Message) int { return a.Time.Compare(b.Time) }) // the brokers answer in any order
	r.messages = nil
	return taken
}

// text returns the bytes as text, at most this many, and how many were left out.
func text(bytes []byte, most int) (string, int) {
	kept := min(len(bytes), most)
	for back := 1; back < utf8.UTFMax && kept < len(bytes) && !utf8.RuneStart(bytes[kept]); back++ {
		kept-- // not in the middle of a letter
	}
	return strings.ToValidUTF8(string(bytes[:kept]), "�"), len(bytes) - kept
}

// newest returns the last elements, at most this many.
func newest[E any](all []E, most int) []E { return all[max(0, len(all)-most):] }
