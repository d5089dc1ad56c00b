package embedded

import (
	"context"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Retention limits what the topics keep. Beyond a limit, the cluster deletes the oldest messages. Both
// limits must be set.
type Retention struct {
	Bytes int64         // of all topics together, as they are stored
	Age   time.Duration // of a message (log.retention.ms)
}

const (
	// kfake frees memory by segments. A partition can have one that is not full.
	segmentBytes = 256 << 10
	// How many bytes of requests arrive until the size is checked.
	checkBytes = 8 << 20
	// How often the age is checked. Real brokers check every five minutes
	// (log.retention.check.interval.ms).
	checkInterval = time.Minute
)

// options set the age. kfake knows the size of a partition, but no size for all topics.
func (r Retention) options() kfake.Opt {
	return kfake.BrokerConfigs(map[string]string{
		"log.retention.ms":  strconv.FormatInt(r.Age.Milliseconds(), 10),
		"log.segment.bytes": strconv.Itoa(segmentBytes),
	})
}

// retainer applies a Retention while a cluster runs.
type retainer struct {
	Retention
	cluster *Cluster
	topics  *kadm.Client

	arrivedBytes atomic.Int64
	grown        chan struct{}
	stop         context.CancelFunc
	stopped      chan struct{}
}

func (c *Cluster) startRetainer(retention Retention) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &retainer{
		Retention: retention,
		cluster:   c,
		topics:    kadm.NewClient(client),
		grown:     make(chan struct{}, 1),
		stop:      cancel,
		stopped:   make(chan struct{}),
	}
	for _, l := range c.listeners {
		l.arrived = r.arrived
	}
	c.retainer = r
	go r.run(ctx)
	return nil
}

// arrived counts the bytes of requests. Any goroutine may call it.
func (r *retainer) arrived(n int) {
	if r.arrivedBytes.Add(int64(n)) >= checkBytes {
		r.arrivedBytes.Store(0)
		select {
		case r.grown <- struct{}{}:
		default:
		}
	}
}

func (r *retainer) run(ctx context.Context) {
	defer close(r.stopped)
	defer r.topics.Close()
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	reported := false
	for {
		select {
		case <-r.grown:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if r.apply(ctx) && !reported {
			r.cluster.say("the oldest messages are deleted: the topics of this cluster keep %d MiB", r.Bytes>>20)
			reported = true
		}
	}
}

func (r *retainer) close() {
	r.stop()
	<-r.stopped
}

// apply deletes the messages beyond the limits. It returns true if it deleted messages because of the
// size.
func (r *retainer) apply(ctx context.Context) bool {
	r.cluster.kfake.ApplyRetention()
	topics, err := r.topics.ListTopics(ctx)
	if err != nil {
		return false // the brokers are killed, so nothing arrives
	}
	type partition struct {
		topic string
		*kfake.PartitionInfo
		cut bool
	}
	var partitions []*partition
	var sum int64
	for _, topic := range topics.Names() {
		for _, info := range r.cluster.kfake.PartitionInfos(topic) {
			partitions = append(partitions, &partition{topic: topic, PartitionInfo: info})
			sum += info.NumBytes
		}
	}
	deleted := false
	for sum > r.Bytes {
		largest := slices.MaxFunc(partitions, func(a, b *partition) int { return int(a.NumBytes - b.NumBytes) })
		// The messages of a partition have about the same size.
		share := min(segmentBytes, largest.NumBytes)
		messages := largest.HighWatermark - largest.LogStartOffset
		largest.LogStartOffset += (messages*share + largest.NumBytes - 1) / largest.NumBytes
		largest.NumBytes -= share
		largest.cut = true
		sum -= share
	}
	for _, p := range partitions {
		if p.cut && r.cluster.kfake.DeleteRecords(p.topic, p.Partition, p.LogStartOffset) == nil {
			deleted = true
		}
	}
	return deleted
}
