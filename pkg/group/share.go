package group

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

const (
	// shareDescribeTime limits the questions about a share group before the member joins it.
	shareDescribeTime = 2 * time.Second
	// deliveryLimit is how often the brokers deliver a message by default. Only an administrator can ask
	// for the limit.
	deliveryLimit = 5 // group.share.delivery.count.limit
)

// ShareMember is a member of a share group (KIP-932). A broker gives it messages and keeps a lock for
// each, until the member accepts or releases it.
type ShareMember struct {
	*Member
	fresh   bool           // the group is new
	joined  bool           // the brokers share their messages with us
	fetched map[int32]bool // the brokers that have answered a request for messages since the last heartbeat
	refused error          // why the last acknowledgement failed
}

// OpenShare checks the cluster, the topic and the group, as Open does. It also refuses a cluster that has
// no share groups, and the name of a consumer group.
func OpenShare(ctx context.Context, program *cli.Program, found *settings.Settings, topic, group string) (
	*ShareMember, error,
) {
	m, err := Open(ctx, program, found, topic, group)
	if err != nil {
		return nil, err
	}
	m.sharing = true
	s := &ShareMember{Member: m}
	return s, s.check(ctx)
}

// check asks the cluster about the share group, and reports that it is a new one.
func (s *ShareMember) check(ctx context.Context) error {
	client, err := s.cluster.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	if s.fresh, err = CheckShare(ctx, client, s.group); s.fresh {
		s.program.Say("new share group %s: by default it starts at the end of the topic (share.auto.offset.reset=latest)", s.group)
	}
	return err
}

// CheckShare reports whether the share group is new. It fails if the cluster has no share groups, or if the
// group is of another type: then the client would try for ever to join it. If the cluster does not answer
// in time, to join the group will show more.
func CheckShare(ctx context.Context, client *kgo.Client, group string) (fresh bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, shareDescribeTime)
	defer cancel()
	admin := kadm.NewClient(client)
	versions, err := admin.ApiVersions(ctx)
	if err != nil {
		return false, nil
	}
	for _, broker := range versions {
		if _, known := broker.KeyMaxVersion(kmsg.ShareGroupHeartbeat.Int16()); broker.Err == nil && !known {
			return false, cli.WithHint(errors.New("this cluster has no share groups: they need Kafka 4.2 or newer"),
				"try a cluster that has them: go run ./classroom/cluster")
		}
	}
	groups, err := admin.DescribeShareGroups(ctx, group)
	if err == nil {
		err = groups[group].Err
	}
	switch {
	case errors.Is(err, kerr.UnsupportedVersion):
		return false, shareProblem(err, group)
	case !errors.Is(err, kerr.GroupIDNotFound):
		return false, nil
	}
	if kind := typeOf(ctx, client, group); kind != "" && kind != shareType {
		return false, cli.WithHint(fmt.Errorf("group %s is a consumer group", group), "choose another name for the share group")
	}
	return true, nil
}

const shareType = "share"

// typeOf returns the type of a group (KIP-848), or "" if there is no such group or no answer.
func typeOf(ctx context.Context, client *kgo.Client, group string) string {
	groups, err := kadm.NewClient(client).ListGroups(ctx)
	if err != nil {
		return ""
	}
	return groups[group].GroupType
}

// shareProblem returns an error that only a member of a share group gets, or nil.
func shareProblem(err error, group string) error {
	switch {
	case errors.Is(err, kerr.UnsupportedVersion):
		return cli.WithHint(errors.New("share groups are off on this cluster (share.version=0)"),
			"ask the staff to type: kafka-features.sh --bootstrap-server HOST:PORT upgrade --feature share.version=1")
	case errors.Is(err, kerr.GroupMaxSizeReached):
		return cli.WithHint(fmt.Errorf("group %s has all the members that it can have (group.share.max.size)", group),
			"choose another name")
	}
	return nil
}

// Options are the options that every member of a share group needs.
func (s *ShareMember) Options() []kgo.Opt {
	return append(s.cluster.Options(),
		kgo.WithHooks(s),
		kgo.WithContext(s.life),
		kgo.KeepRetryableFetchErrors(), // as in Options of a Member
		// The client asks one broker after the other, so that it gets one message at a time.
		kgo.FetchMaxWait(200*time.Millisecond),  // fetch.max.wait.ms
		kgo.FetchMaxBytes(fetchBytes),           // fetch.max.bytes
		kgo.MaxDecompressBatchBytes(batchBytes), // see memory.go
		// A broker releases the messages of a connection that is closed. By default the client closes one
		// after 20 seconds without a request, although it may still store a message.
		kgo.ConnIdleTimeout(9*time.Minute), // connections.max.idle.ms
	)
}

// OnBrokerE2E is a hook of kgo: a broker has answered. The heartbeat returns the partitions of the member.
// The brokers of a new group find the end of a partition with the first request for messages. The client
// asks the brokers in turn, so all have done so when one of them answers for the second time.
func (s *ShareMember) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, answer kgo.BrokerE2E) {
	s.mu.Lock()
	before := s.joined
	switch {
	case s.joined || answer.Err() != nil:
	case key == kmsg.ShareGroupHeartbeat.Int16():
		s.fetched = make(map[int32]bool)
	case key == kmsg.ShareFetch.Int16() && s.fetched != nil:
		s.joined = !s.fresh || s.fetched[broker.NodeID]
		s.fetched[broker.NodeID] = true
	}
	joined := s.joined && !before
	s.mu.Unlock()
	if joined {
		s.stopWaiting()
		s.program.Say("joined share group %s", s.group)
	}
}

// Check is Check of a Member. In a topic that was created anew, the group is new, too.
func (s *ShareMember) Check(ctx context.Context, fetches kgo.Fetches) error {
	s.mu.Lock()
	before := s.topicID
	s.mu.Unlock()
	err := s.Member.Check(ctx, fetches)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topicID != before {
		s.fresh, s.joined, s.fetched = true, false, nil
	}
	return err
}

// Acknowledged is for kgo.ShareAckCallback: the broker has answered what we have accepted or released.
func (s *ShareMember) Acknowledged(_ *kgo.Client, results kgo.ShareAckResults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = results.Error()
}

// Answered reports what became of the message. Flushed is the error of client.FlushAcks. Stored is why
// the message is not stored: Answered returns it, because it ends the program.
func (s *ShareMember) Answered(message *kgo.Record, status kgo.AckStatus, flushed, stored error) error {
	s.mu.Lock()
	refused := s.refused
	s.refused = nil
	s.mu.Unlock()
	at := place(message)
	if refused == nil {
		refused = flushed
	}
	switch {
	case errors.Is(refused, kerr.InvalidRecordState), refused == nil && time.Now().After(message.AcquisitionDeadline()):
		s.program.Say("%s: its lock ended before we acknowledged it, so another member may have it (group.share.record.lock.duration.ms)", at)
	case refused != nil:
		s.program.Report(fmt.Errorf("%s may come again, because its lock ends within %.0f s (group.share.record.lock.duration.ms): %w",
			at, time.Until(message.AcquisitionDeadline()).Seconds(), s.explain(refused)))
	case status == kgo.AckAccept:
		s.program.Say("%s is accepted", at)
	case message.DeliveryCount() >= deliveryLimit:
		s.program.Say("%s is released: after %d deliveries, the brokers give it up by default (group.share.delivery.count.limit=%d)",
			at, message.DeliveryCount(), deliveryLimit)
	default:
		s.program.Say("%s is released, and comes again at once", at)
	}
	return stored
}
