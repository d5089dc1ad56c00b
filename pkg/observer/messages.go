package observer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

const (
	fetchBytes     = 1 << 20   // fetch.max.bytes
	partitionBytes = 256 << 10 // max.partition.fetch.bytes
	batchBytes     = 8 << 20   // of a decompressed batch
	fetchWait      = time.Second

	valueBytes = 2 << 10 // that a Message has of a value
	keyBytes   = 512     // and of a key

	sampled    = 50   // messages that one update has at most
	farBehind  = 5000 // messages that the consumer is behind a partition's end when it jumps there
	updatePace = 100 * time.Millisecond
)

// reading is what the consumer reads: it starts again when this changes.
type reading struct {
	topicID    [16]byte
	partitions int
}

// readMessages reads the topic while somebody follows: directly, without a group, so that it commits
// nothing. What was there before is not read.
func (o *Observer) readMessages(ctx context.Context) {
	for ctx.Err() == nil {
		now, from, more := o.toRead()
		if len(from) == 0 {
			select {
			case <-more:
			case <-ctx.Done():
			}
			continue
		}
		reading, stop := context.WithCancel(ctx)
		go func() {
			defer stop()
			for next, changed := now, more; next == now; next, _, changed = o.toRead() {
				select {
				case <-changed:
				case <-reading.Done():
					return
				}
			}
		}()
		err := o.readFrom(reading, from)
		stop()
		if err != nil {
			cli.Pause(ctx, time.Second)
		}
	}
}

// toRead returns what to read, and the offsets to start at. If there are none, there is nothing to read
// now. The channel closes when that changes.
func (o *Observer) toRead() (now reading, from map[int32]kgo.Offset, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.viewers) == 0 || !o.exists {
		return reading{}, nil, o.readAgain
	}
	from = make(map[int32]kgo.Offset)
	for n, p := range o.partitions {
		if p.end < 0 {
			return reading{}, nil, o.readAgain
		}
		from[int32(n)] = kgo.NewOffset().At(p.end)
	}
	return reading{o.topicID, len(o.partitions)}, from, o.readAgain
}

// checkReading makes the consumer look whether it reads the right thing. The caller holds the lock.
func (o *Observer) checkReading() {
	close(o.readAgain)
	o.readAgain = make(chan struct{})
}

func (o *Observer) readFrom(ctx context.Context, from map[int32]kgo.Offset) error {
	client, err := kgo.NewClient(append(o.client.Opts(),
		kgo.MaxDecompressBatchBytes(batchBytes),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: from}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(partitionBytes),
		kgo.MaxConcurrentFetches(3), kgo.FetchMaxWait(fetchWait),
	)...)
	if err != nil {
		return err
	}
	defer client.Close()
	next := make(map[int32]int64, len(from))
	for n, offset := range from {
		next[n] = offset.EpochOffset().Offset
	}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		jump := make(map[int32]kgo.EpochOffset)
		many := o.arrived(fetches, next, jump)
		if len(jump) > 0 {
			client.SetOffsets(map[string]map[int32]kgo.EpochOffset{o.topic: jump})
		}
		if many || fetches.NumRecords() == 0 {
			cli.Pause(ctx, updatePace)
		}
	}
}

// arrived takes over the messages: the ends of the partitions, and the newest messages themselves. If
// the consumer is far behind, it jumps. It returns whether there were more than an update has.
func (o *Observer) arrived(fetches kgo.Fetches, next map[int32]int64, jump map[int32]kgo.EpochOffset) (many bool) {
	now := time.Now()
	var records []*kgo.Record
	count := 0
	o.mu.Lock()
	defer o.mu.Unlock()
	fetches.EachPartition(func(fetched kgo.FetchTopicPartition) {
		n := int(fetched.Partition)
		if n >= len(o.partitions) {
			return
		}
		if _, large := errors.AsType[*kgo.ErrDecompressTooLarge](fetched.Err); large {
			end := max(o.partitions[n].end, next[fetched.Partition]+1)
			jump[fetched.Partition] = kgo.EpochOffset{Epoch: -1, Offset: end}
			count += int(end - next[fetched.Partition])
			next[fetched.Partition] = end
			return
		}
		if len(fetched.Records) == 0 {
			return
		}
		p, last := o.partitions[n], fetched.Records[len(fetched.Records)-1]
		end := max(fetched.HighWatermark, last.Offset+1)
		p.seen = now
		if end > p.end && p.setEnd(end, now) {
			o.changed()
			o.active = now
		}
		count += int(last.Offset + 1 - next[fetched.Partition])
		next[fetched.Partition] = last.Offset + 1
		if end-last.Offset > farBehind {
			jump[fetched.Partition] = kgo.EpochOffset{Epoch: -1, Offset: end}
			count += int(end - next[fetched.Partition])
			next[fetched.Partition] = end
		}
		records = append(records, newest(fetched.Records, sampled)...)
	})
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	records = newest(records, sampled)
	for _, record := range records {
		o.newMessages = append(o.newMessages, o.message(record))
	}
	if room := len(o.newMessages) - sampled; room > 0 {
		o.newMessages = newest(o.newMessages, sampled)
		o.skipped += room
	}
	o.skipped += count - len(records)
	if len(records) > 0 {
		o.changed()
	}
	return len(o.newMessages) == sampled
}

// message copies what a Message has of a record. The caller holds the lock.
func (o *Observer) message(record *kgo.Record) Message {
	m := Message{Time: record.Timestamp, Partition: record.Partition, Offset: record.Offset, Holders: make(map[string]int)}
	m.Value, m.Cut = text(record.Value, valueBytes)
	if record.Key != nil {
		key, _ := text(record.Key, keyBytes)
		m.Key = &key
	}
	for _, g := range o.groups {
		if holder := g.holder(int(record.Partition)); holder != nil {
			m.Holders[g.name] = holder.number
		}
	}
	return m
}

// text returns the bytes as text, at most this many, and how many were left out.
func text(bytes []byte, most int) (string, int) {
	kept := bytes
	if len(kept) > most {
		kept = kept[:most]
		for back := 1; back < utf8.UTFMax && !utf8.RuneStart(bytes[len(kept)]); back++ {
			kept = kept[:len(kept)-1] // not in the middle of a letter
		}
	}
	return strings.ToValidUTF8(string(kept), "�"), len(bytes) - len(kept)
}
