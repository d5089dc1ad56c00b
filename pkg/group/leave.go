package group

import (
	"context"
	"errors"
	"fmt"
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
		// other one. So report to the group that this member is gone.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		request := kmsg.NewPtrLeaveGroupRequest()
		request.Group = client.OptValue(kgo.ConsumerGroup).(string)
		request.MemberID = id // before version 3
		request.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id}}
		_, err = request.RequestWith(ctx, client)
	}
	// If a broker answers with an error, we are not a member any more.
	if _, answered := errors.AsType[*kerr.Error](err); err != nil && !answered {
		cli.Say("cannot leave the group, because no broker answers; it removes this member later (session.timeout.ms)")
	}
}

// NotStored returns the error that ends the program, because Ctrl-C or output that fails has stopped it. After
// Ctrl-C, which is no error, it prints that the message comes again.
func NotStored(message *kgo.Record, err error) error {
	err = fmt.Errorf("%s is not committed and comes again: %w", placeOf(message), err)
	if errors.Is(err, context.Canceled) {
		cli.Say("%s is not committed and comes again", placeOf(message))
	}
	return err
}

// NotCommitted prints that the commit of a message failed. It returns the error if that ends the loop: Ctrl-C, or a
// right that is missing. Otherwise the loop continues. If the group has removed this member, the client joins it
// again, and the message comes again. If no broker answers, the commit of a later message includes this one.
func NotCommitted(message *kgo.Record, err error) error {
	reason := cluster.Explain(err, "topic "+message.Topic)
	switch {
	case errors.Is(err, context.Canceled):
		cli.Say("%s may come again, because no broker has answered to its commit", placeOf(message))
		return err
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Errorf("%s is not committed and comes again: %w", placeOf(message), reason)
	case cluster.IsOut(err):
		cli.Say("%s is not committed and comes again: the group continues without this member", placeOf(message))
	default:
		cli.Say("%s may come again, because its commit failed: %v", placeOf(message), reason)
	}
	return nil
}

func placeOf(message *kgo.Record) string {
	return fmt.Sprintf("partition %d, offset %d", message.Partition, message.Offset)
}

// Revoked prints the partitions that the group takes away, and why the last commit for them failed.
func Revoked(partitions []int32, err error) {
	deleted := errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
	if err != nil && !deleted { // no message of a deleted topic comes again
		cli.Say("messages since the last commit come again: %v", cluster.Explain(err, "the group"))
	}
	if len(partitions) > 0 {
		cli.Say("gave back partitions %s", cli.Ranges(partitions))
	}
}

// Revoke is for kgo.OnPartitionsRevoked. It commits what is marked. If that fails, such as when the group has removed
// this member, it prints that messages come again.
func Revoke(ctx context.Context, client *kgo.Client, _ map[string][]int32) {
	Revoked(nil, client.CommitMarkedOffsets(ctx))
}

// Lost is for kgo.OnPartitionsLost: the group has removed this member, or no broker has answered for too long. It
// prints that messages come again.
func Lost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	for _, partitions := range lost {
		cli.Say("lost partitions %s: messages since the last commit come again", cli.Ranges(partitions))
	}
}
