package group

import (
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

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
		cli.Say("%s is released: it is delivered five times at most", place)
	}
}
