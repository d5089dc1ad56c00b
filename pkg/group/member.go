// Package group makes a client a well-behaved member of a consumer group: it says which partitions
// it holds, gives them up cleanly, and tells what it waits for.
//
// The line that names the partitions is a promise: a message produced after it was printed is
// received, by this member or by the one that gets the partition after it. See positions.go for
// how it is kept.
package group

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/settings"
)

// commitPause is the time between two attempts to commit while no broker can be reached.
const commitPause = 250 * time.Millisecond

// Member is a member of a consumer group.
type Member struct {
	// Limit is how many messages Poll hands out in all; 0 is no limit, and PollOne has none.
	Limit uint

	program *cli.Program
	cluster *cluster.Cluster

	topic string
	group string

	// What the program chose for its client.
	client     *kgo.Client
	life       context.Context // the client's
	giveUp     func()          // ends it
	latest     bool            // auto.offset.reset
	autoCommit bool            // enable.auto.commit

	handedOut uint
	err       error // why the last Poll ended

	mu         sync.Mutex
	owned      []int32  // what the group assigned to us
	told       []int32  // what the last line said we hold
	settled    bool     // the program is done with all it was handed
	awaited    bool     // a rebalance waits until it is
	leaving    bool     // we are on our way out
	waiting    *waiting // nil while we hold an assignment
	positioned bool     // has held partitions before
	troubled   string   // the last trouble told
}

// Open checks the cluster, the topic and the group, as cluster.Open does, and makes a member of the
// group that is to read the topic. It joins when its Options go to kgo.NewClient, together with
// those that name topic, group, reset policy and balancer.
func Open(ctx context.Context, program *cli.Program, found *settings.Settings, topic, group string) (
	*Member, error,
) {
	here, err := cluster.Open(ctx, program, found, cluster.Needs{Topic: topic, Read: true, Group: group})
	if err != nil {
		return nil, err
	}
	m := &Member{program: program, cluster: here, topic: topic, group: group, settled: true}
	m.life, m.giveUp = context.WithCancel(context.Background())
	return m, nil
}

// Options are the cluster's options and those that make the client a well-behaved member.
//
// Rebalances wait while a message that was handed out is being worked on (kgo.BlockRebalanceOnPoll),
// as they do in the Java client and librdkafka, which rebalance within poll. So a partition is given
// up with everything done on it committed, and the next member does not repeat it.
func (m *Member) Options() []kgo.Opt {
	return append(m.cluster.Options(),
		kgo.SeedBrokers(m.cluster.Brokers...), kgo.DialTLSConfig(m.cluster.TLS),
		kgo.WithHooks(m),
		kgo.WithContext(m.life),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(m.assigned),
		kgo.OnPartitionsRevoked(m.revoked),
		kgo.OnPartitionsLost(m.lost),
		kgo.OnPartitionsCallbackBlocked(m.blocked),
		kgo.AdjustFetchOffsetsFn(m.positions),
		// fetch.max.wait.ms, with the default of the other clients. The client asks each broker
		// for its partitions in one request, and a partition that is ready a moment later than
		// the rest waits for the next one: that would be franz-go's five seconds.
		kgo.FetchMaxWait(500*time.Millisecond),
		// Bounds the memory: one request at a time per broker of three, 5 MiB each.
		kgo.MaxConcurrentFetches(3),
		kgo.FetchMaxBytes(5<<20), // fetch.max.bytes
	)
}

// OnNewClient is kgo's hook: the client exists and has not begun to work.
func (m *Member) OnNewClient(client *kgo.Client) {
	m.client = client
	reset := client.OptValue(kgo.ConsumeResetOffset).(kgo.Offset)
	m.latest = reset.EpochOffset() == kgo.NewOffset().AtEnd().EpochOffset()
	m.autoCommit = !client.OptValue(kgo.DisableAutoCommit).(bool)
	m.wait()
}

// Poll waits for messages and yields those that have arrived, at least one at a time. When the
// loop's body comes to its end, they are dealt with: with automatic commit they count as read from
// then on, and a rebalance that waited for them goes ahead. A body that returns or breaks leaves
// them to be read again.
//
// The loop ends when Limit messages were handed out, when the context ends, or with an error that
// waiting would not mend. Err tells.
func (m *Member) Poll(ctx context.Context, client *kgo.Client) iter.Seq[[]*kgo.Record] {
	return func(yield func([]*kgo.Record) bool) {
		for {
			var messages []*kgo.Record
			if messages, m.err = m.poll(ctx, client, m.left()); m.err != nil {
				return
			}
			m.settle(false)
			m.handedOut += uint(len(messages))
			if !yield(messages) {
				return
			}
			m.settle(true)
		}
	}
}

// PollOne is Poll for one message at a time, without a limit.
func (m *Member) PollOne(ctx context.Context, client *kgo.Client) iter.Seq[*kgo.Record] {
	return func(yield func(*kgo.Record) bool) {
		for {
			messages, err := m.poll(ctx, client, 1)
			if m.err = err; err != nil {
				return
			}
			m.settle(false)
			if !yield(messages[0]) || m.err != nil {
				return
			}
			m.settle(true)
		}
	}
}

// Err returns why the loop over Poll or PollOne ended: cli.ErrDone at Poll's limit, the context's
// error, or what cannot be mended by waiting, in plain words.
func (m *Member) Err() error { return m.err }

// Commit commits exactly this message (kgo.Client.CommitRecords): its partition goes on behind it. While no
// broker can be reached it tries again, until ctx ends; franz-go gives up after half a minute at most.
// The error is a broker's or the last of the connection. What follows from it, NotCommitted tells.
func (m *Member) Commit(ctx context.Context, message *kgo.Record) error {
	_, generation := m.client.GroupMetadata()
	committing := kgo.PreCommitFnContext(ctx, func(commit *kmsg.OffsetCommitRequest) error {
		if commit.Generation != generation { // another member may have the partition by now
			return kerr.IllegalGeneration
		}
		return nil
	})
	for {
		err := m.client.CommitRecords(committing, message)
		if err == nil || isKafka(err) || !pause(ctx, commitPause) {
			return err
		}
	}
}

// NotCommitted tells that a message could not be committed, and what follows from that. If the group
// has gone on without us, the loop goes on with what we get when we are back. Otherwise it ends: the
// commit of a later message would count for this one, too.
func (m *Member) NotCommitted(ctx context.Context, message *kgo.Record, err error) {
	place := fmt.Sprintf("partition %d, offset %d", message.Partition, message.Offset)
	explained := m.explain(err)
	switch {
	case isGone(err):
		m.err = fmt.Errorf("not committed: %w", explained)
	case cluster.IsOut(err):
		m.program.Say("not committed: %v: %s will be read again by whoever has the partition", explained, place)
	case ctx.Err() != nil:
		m.err = cli.Stopped(fmt.Sprintf("stopped while committing: %s may be read again", place))
	default:
		m.err = fmt.Errorf("not committed: %w: %s will be read again", explained, place)
	}
}

// left is how many messages may still be handed out, -1 for all there are.
func (m *Member) left() int {
	if m.Limit == 0 {
		return -1
	}
	return int(m.Limit - m.handedOut)
}

// poll returns at least one message and most at the most. An error that comes beside messages is
// left for the next call, which meets it again.
func (m *Member) poll(ctx context.Context, client *kgo.Client, most int) ([]*kgo.Record, error) {
	if most == 0 {
		return nil, cli.ErrDone
	}
	for {
		client.AllowRebalance()
		fetches := client.PollRecords(ctx, most)
		if messages := fetches.Records(); len(messages) > 0 {
			return messages, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, failed := range fetches.Errors() {
			if err := m.fatal(failed.Err); err != nil {
				return nil, err
			}
		}
	}
}

func (m *Member) settle(settled bool) {
	m.mu.Lock()
	m.settled = settled
	m.mu.Unlock()
}

// fatal returns the error in plain words if waiting will not mend it. Any other is told once; the
// client goes on trying.
func (m *Member) fatal(err error) error {
	switch {
	case isFinal(err):
		return m.explain(err)
	case errors.Is(err, kgo.ErrClientClosed):
		return err
	}
	var kicked *kgo.ErrGroupSession
	if !errors.As(err, &kicked) { // that we are out of the group is told by lost
		m.trouble(m.cluster.Explain(err, "topic "+m.topic).Error())
	}
	return nil
}

// isFinal reports whether waiting will not mend the error.
func isFinal(err error) bool {
	return errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.InconsistentGroupProtocol) ||
		errors.Is(err, kerr.InvalidGroupID) || aboutTopic(err)
}

// aboutTopic reports whether the error is about the topic, be it the answer to a request for the group.
func aboutTopic(err error) bool { return errors.Is(err, kerr.TopicAuthorizationFailed) || isGone(err) }

// isGone reports whether the topic is not there any more.
func isGone(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// explain words an error that came with work on the group.
func (m *Member) explain(err error) error {
	if aboutTopic(err) {
		return m.cluster.Explain(err, "topic "+m.topic)
	}
	return m.cluster.Explain(err, "group "+m.group)
}

// trouble tells something once, until something else is to be told.
func (m *Member) trouble(text string) {
	m.mu.Lock()
	again := m.troubled == text
	m.troubled = text
	m.mu.Unlock()
	if !again {
		m.program.Say("%s", text)
	}
}

// assigned is called at the end of a rebalance with the partitions that were added.
func (m *Member) assigned(ctx context.Context, _ *kgo.Client, added map[string][]int32) {
	m.mu.Lock()
	m.owned = append(m.owned, added[m.topic]...)
	slices.Sort(m.owned)
	nothing := len(m.owned) == 0
	m.mu.Unlock()
	if nothing { // and so nobody will ask for positions
		m.tellNothing(ctx)
	}
}

// revoked is called when a rebalance begins, or when we leave: what is done is committed while the
// partitions are still ours.
func (m *Member) revoked(ctx context.Context, client *kgo.Client, partitions map[string][]int32) {
	m.mu.Lock()
	settled, leaving := m.settled, m.leaving
	m.mu.Unlock()
	if m.autoCommit && settled && len(partitions) > 0 {
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			m.program.Say("could not commit: %v: the messages since the last commit will be read again",
				m.explain(err))
		}
	}
	m.disown(partitions)
	if !leaving {
		m.wait()
	}
}

// lost is called when a session with the group has failed, before OnGroupManageError tells why:
// nothing can be committed any more.
func (m *Member) lost(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	m.disown(partitions)
}

// OnGroupManageError is kgo's hook: it tells what ended a session with the group. The client joins
// again on its own, unless the next Poll ends with the error.
func (m *Member) OnGroupManageError(err error) {
	m.mu.Lock()
	before, leaving := m.told, m.leaving
	m.told = nil
	m.mu.Unlock()
	if len(before) > 0 && !leaving && !isFinal(err) {
		text := "cannot reach the coordinator of group " + m.group + ", and so hold no partition"
		if isKafka(err) {
			text = m.explain(err).Error()
		}
		m.program.Say("%s: partitions %s pass to others unless we are back in time; joining again",
			text, ranges(before))
	}
	m.wait()
}

// isKafka reports whether a broker sent the error.
func isKafka(err error) bool {
	var kafka *kerr.Error
	return errors.As(err, &kafka)
}

// blocked is called when revoked or lost is due and has to wait until the program is done with what it
// was handed.
func (m *Member) blocked(context.Context, *kgo.Client) {
	m.mu.Lock()
	m.awaited = true
	m.mu.Unlock()
}

func (m *Member) disown(partitions map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.awaited = false
	m.owned = slices.DeleteFunc(m.owned, func(partition int32) bool {
		return slices.Contains(partitions[m.topic], partition)
	})
}

// Leave commits what is done and leaves the group, so that the other members get the partitions at
// once. It takes less than cli.LeaveTime; where the cluster does not answer by then, it says what
// follows from that. The client is of no use afterwards.
func (m *Member) Leave(client *kgo.Client) {
	m.mu.Lock()
	m.leaving = true
	rebalancing := m.waiting != nil || m.awaited && !m.settled // what is settled is committed first
	m.mu.Unlock()
	m.stopWaiting()

	ctx, cancel := context.WithTimeout(context.Background(), cli.LeaveTime/2)
	defer cancel()
	left := make(chan error, 1)
	go func() {
		if rebalancing {
			left <- m.leaveNow(ctx)
			return
		}
		client.AllowRebalance()
		left <- client.LeaveGroupContext(ctx) // and no Close, which waits for brokers that do not answer, too
	}()
	var err error
	select {
	case err = <-left:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil && !isKafka(err) { // what a broker has against it is that we are no member any more
		m.program.Say("could not leave group %s, the cluster does not answer: its other members get our"+
			" partitions in 45 s, and what was not committed will be read again", m.group)
	}
}

// leaveNow leaves in the middle of a rebalance, with nothing to commit. The client would wait for
// its end, and that can be 45 seconds, for a lost member. So the client is given up, before we leave
// by a request of our own: told that its member is gone, it would join again as a new one.
func (m *Member) leaveNow(ctx context.Context) error {
	m.giveUp()
	id, _ := m.client.GroupMetadata()
	if id == "" {
		return nil // never been a member
	}
	client, err := m.cluster.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = m.group
	req.MemberID = id // before version 3
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = id
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// NewName returns the name of a group that has never been there before.
func NewName(prefix string) string {
	return prefix + "-" + strings.ToLower(rand.Text()[:12])
}

// Reset returns the position that a reset policy stands for: "earliest" or "latest".
func Reset(policy string) kgo.Offset {
	if policy == "earliest" {
		return kgo.NewOffset().AtStart()
	}
	return kgo.NewOffset().AtEnd()
}
