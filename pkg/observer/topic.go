package observer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// goneTime is how long no broker must know the topic until it counts as deleted. A broker that has just
// started knows no topic for a moment.
const goneTime = time.Second

// partition is the log of a partition.
type partition struct {
	leader     int32
	start, end int64     // -1: not known yet
	seen       time.Time // when a fetch returned the end
	asked      time.Time // when the end was last asked for
	meter      *meter
}

// setEnd sets a newer end, and counts the messages.
func (p *partition) setEnd(end int64, now time.Time) (changed bool) {
	if p.end >= 0 && end > p.end {
		p.meter.add(p.asked, now, end-p.end)
	}
	changed, p.end, p.asked = p.end != end, end, now
	return changed
}

// metadata is the answer about the topic.
type metadata struct {
	id      [16]byte
	leaders []int32 // by partition
	err     error   // of the topic
}

// askTopic asks for the topic's ID and the leaders. It returns nil if nobody answers.
func (o *Observer) askTopic(ctx context.Context, p *problems) *metadata {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(o.topic)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(ctx, o.asker)
	if err == nil && len(resp.Topics) != 1 {
		err = errors.New("no answer about the topic")
	}
	if err != nil {
		p.add("the cluster", err)
		return nil
	}
	found := resp.Topics[0]
	answer := &metadata{id: found.TopicID, err: kerr.ErrorForCode(found.ErrorCode)}
	if errors.Is(answer.err, kerr.LeaderNotAvailable) {
		answer.err = nil
	}
	answer.leaders = make([]int32, len(found.Partitions))
	for _, partition := range found.Partitions {
		if n := int(partition.Partition); n >= 0 && n < len(answer.leaders) {
			answer.leaders[n] = partition.Leader
		}
	}
	return answer
}

const (
	timestampEnd   = -1
	timestampStart = -2
)

// askOffsets asks the leaders for the start or the end of each partition. It returns -1 where there is no
// answer.
func (o *Observer) askOffsets(ctx context.Context, p *problems, leaders []int32, timestamp int64) []int64 {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	offsets := make([]int64, len(leaders))
	byLeader := make(map[int32]*kmsg.ListOffsetsRequestTopic)
	for n, leader := range leaders {
		offsets[n] = -1
		if leader < 0 {
			p.add("topic "+o.topic, fmt.Errorf("partition %d has no leader", n))
			continue
		}
		topic := byLeader[leader]
		if topic == nil {
			topic = &kmsg.ListOffsetsRequestTopic{Topic: o.topic}
			byLeader[leader] = topic
		}
		asked := kmsg.NewListOffsetsRequestTopicPartition()
		asked.Partition, asked.Timestamp = int32(n), timestamp
		topic.Partitions = append(topic.Partitions, asked)
	}
	var all sync.WaitGroup
	for leader, topic := range byLeader {
		all.Go(func() {
			req := kmsg.NewPtrListOffsetsRequest()
			req.ReplicaID = -1
			req.Topics = []kmsg.ListOffsetsRequestTopic{*topic}
			resp, err := o.asker.Broker(int(leader)).Request(ctx, req)
			if err != nil {
				p.add(fmt.Sprintf("broker %d", leader), err)
				return
			}
			for _, topic := range resp.(*kmsg.ListOffsetsResponse).Topics {
				for _, partition := range topic.Partitions {
					if err := kerr.ErrorForCode(partition.ErrorCode); err != nil {
						p.add("topic "+o.topic, err)
					} else if n := int(partition.Partition); n >= 0 && n < len(offsets) {
						offsets[n] = partition.Offset // each goroutine has its own partitions
					}
				}
			}
		})
	}
	all.Wait()
	return offsets
}

// applyTopic compares the answer with what was known. The caller holds the lock. It returns whether
// offsets of before mean nothing now.
func (o *Observer) applyTopic(m *metadata, p *problems, now time.Time) (anew bool) {
	switch {
	case m == nil:
		return false
	case unknownTopic(m.err):
		if o.unknownSince.IsZero() {
			o.unknownSince = now
		}
		if o.exists && now.Sub(o.unknownSince) >= goneTime {
			o.exists, o.partitions = false, nil
			o.record(Event{Time: now, Kind: TopicGone, Text: "topic " + o.topic + " was deleted"})
			o.changed()
		}
		return true
	case m.err != nil:
		p.add("topic "+o.topic, m.err)
		return false
	}
	o.unknownSince = time.Time{}
	before, existed := o.topicID, o.exists
	o.exists, o.topicID = true, m.id
	switch none := [16]byte{}; {
	case before != none && before != m.id, before == none && !existed && o.started:
		anew = true
		o.anew++
		o.partitions = nil
		o.record(Event{Time: now, Kind: TopicAnew, Text: "topic " + o.topic + " was made again: its offsets start at 0"})
	case !existed && o.started:
		o.record(Event{Time: now, Kind: Back, Text: "topic " + o.topic + " is there again"})
	}
	for len(o.partitions) < len(m.leaders) {
		fresh := &partition{start: -1, end: -1, asked: now, meter: newMeter(rateSeconds+1, now)}
		if o.started && (anew || existed) { // all its messages arrive while we watch
			fresh.start, fresh.end = 0, 0
		}
		o.partitions = append(o.partitions, fresh)
		o.changed()
	}
	for n, leader := range m.leaders {
		if o.partitions[n].leader != leader {
			o.partitions[n].leader = leader
			o.changed()
		}
	}
	return anew
}

// applyOffsets takes over the starts and ends. Either may be nil. The caller holds the lock.
func (o *Observer) applyOffsets(starts, ends []int64, asked, now time.Time) {
	for n, p := range o.partitions {
		if n < len(starts) && starts[n] >= 0 && starts[n] != p.start {
			p.start = starts[n]
			o.changed()
		}
		if n >= len(ends) || ends[n] < 0 {
			continue
		}
		// A fetch may have returned a newer end meanwhile. Only then is a lower one no news.
		if ends[n] >= p.end || p.seen.Before(asked) {
			if p.setEnd(ends[n], now) {
				o.changed()
				o.active = now
			}
		}
	}
}
