package cluster

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

var reported string // the last error that Fatal reported

// Fatal returns the error that ends a consumer: the end of ctx, or an error that does not go away with time.
// The client tries again after other errors: Fatal prints those that are not expected, once, and waits 250 ms.
func Fatal(ctx context.Context, fetches kgo.Fetches) error {
	for _, failed := range fetches.Errors() {
		_, inGroup := errors.AsType[*kgo.ErrGroupSession](failed.Err)
		_, isAnswer := errors.AsType[*kerr.Error](failed.Err)
		if ctx.Err() != nil || inGroup && !isAnswer {
			continue // the Reporter reports a coordinator that does not answer
		}
		err := Explain(failed.Err, "topic "+failed.Topic)
		if inGroup {
			err = Explain(failed.Err, "the group")
		}
		if IsFinal(err) {
			return err
		}
		if reported != err.Error() && !kerr.IsRetriable(err) {
			reported = err.Error()
			cli.Warn(err)
		}
	}
	if fetches.NumRecords() > 0 {
		reported = ""
		return nil // print them first: the next poll returns the end of ctx again
	}
	if len(fetches.Errors()) > 0 {
		return cli.Pause(ctx, time.Second/4) // the client would try again at once
	}
	return ctx.Err()
}

// IsFinal reports whether an error does not go away with time.
func IsFinal(err error) bool {
	return slices.ContainsFunc([]error{
		kgo.ErrClientClosed, kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed,
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidTopicException, kerr.InvalidGroupID,
		kerr.InconsistentGroupProtocol, kerr.GroupMaxSizeReached, kerr.UnsupportedVersion,
	}, func(final error) bool { return errors.Is(err, final) })
}
