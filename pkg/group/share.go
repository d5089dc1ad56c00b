package group

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
)

// Acknowledged prints what became of the message: whether it is accepted, or is delivered again.
func Acknowledged(message *kgo.Record, status kgo.AckStatus, flushed error, refused *error) {
	place, err := placeOf(message), flushed
	if err == nil { // otherwise the callback may still write it
		err = *refused
	}
	switch {
	case errors.Is(err, kerr.InvalidRecordState), err == nil && time.Now().After(message.AcquisitionDeadline()):
		cli.Say("%s: its lock ended, so another member may have it (group.share.record.lock.duration.ms)", place)
	case err != nil:
		cli.Warn(fmt.Errorf("%s may come again: %w", place, cluster.Explain(err, "its acknowledgement")))
	case status == kgo.AckAccept:
		cli.Say("%s is accepted", place)
	default:
		cli.Say("%s is released, so it is delivered again (five times at most)", place)
	}
}

// Joining is for kgo.WithHooks. It prints a line when the member of a share group can get messages.
func Joining(name string) kgo.Hook { return &joining{name: name, fetched: make(map[int32]bool)} }

type joining struct {
	name    string
	mu      sync.Mutex
	member  bool           // a heartbeat has returned the partitions
	fetched map[int32]bool // the brokers that have answered a request for messages since then
	joined  bool
}

// OnBrokerE2E is called after each request. The brokers of a new group find the end of a partition with the
// first request for messages. The client asks them in turn: all have answered when one does it again.
func (j *joining) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, request kgo.BrokerE2E) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.joined || request.Err() != nil:
	case key == kmsg.ShareGroupHeartbeat.Int16():
		j.member = true
	case key == kmsg.ShareFetch.Int16() && j.member:
		if j.fetched[broker.NodeID] {
			j.joined = true
			cli.Say("joined share group %s", j.name)
		}
		j.fetched[broker.NodeID] = true
	}
}
