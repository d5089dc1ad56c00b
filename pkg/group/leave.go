package group

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
)

// Leave commits what is marked, and leaves the group, so that the other members get the partitions at once. It
// takes two seconds at most. Do not use the client after it.
func Leave(client *kgo.Client) {
	client.AllowRebalance()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := client.LeaveGroupContext(ctx)
	if id, _ := client.GroupMetadata(); errors.Is(err, context.DeadlineExceeded) && id != "" {
		// The client waits for the end of a rebalance, up to 45 seconds if a member was killed. It joins no
		// other one. So tell the group that this member is gone.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		request := kmsg.NewPtrLeaveGroupRequest()
		request.Group = client.OptValue(kgo.ConsumerGroup).(string)
		request.MemberID = id // before version 3
		request.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id}}
		_, err = request.RequestWith(ctx, client)
	}
	var kafka *kerr.Error
	if err != nil && !errors.As(err, &kafka) { // a broker only answers that we are not a member any more
		cli.Say("cannot leave the group, because no broker answers; it removes this member after 45 s")
	}
}

// NotCommitted prints that a message is not committed. It returns the error if that ends the loop: Ctrl-C, output
// that fails, or a right that is missing. Otherwise the loop goes on. If the group has removed this member, the client joins it
// again, and the message comes again. If no broker answers, the commit of a later message includes this one.
func NotCommitted(message *kgo.Record, err error) error {
	place := fmt.Sprintf("partition %d, offset %d is not committed and ", message.Partition, message.Offset)
	var output *fs.PathError
	switch {
	case errors.Is(err, context.Canceled):
		cli.Say("%scomes again", place)
		return err
	case errors.As(err, &output):
		return fmt.Errorf("%scomes again: %w", place, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Errorf("%scomes again: %w", place, cluster.Explain(err, "topic "+message.Topic))
	case cluster.IsOut(err):
		cli.Say("%scomes again: the group continues without this member", place)
	default:
		cli.Say("%smay come again: %v", place, cluster.Explain(err, "topic "+message.Topic))
	}
	return nil
}

// Revoked prints the partitions that the group takes away, and why the last commit for them failed.
func Revoked(partitions []int32, err error) {
	if err != nil {
		cli.Say("messages since the last commit come again: %v", cluster.Explain(err, "the group"))
	}
	slices.Sort(partitions)
	if len(partitions) > 0 {
		cli.Say("gave back partitions %s", cli.Ranges(partitions))
	}
}
