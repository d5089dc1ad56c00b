// Package group does the work of a group member that is not part of the lesson: it checks the group,
// prints which partitions the member has, explains errors, and leaves the group in time.
//
// The line with the assigned partitions is a promise: every message that is produced after it is
// received, by this member or by the next one that gets the partition. See positions.go.
package group

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/display"
	"tkafka/pkg/memory"
	"tkafka/pkg/settings"
	"tkafka/pkg/terminal"
)

// Member is a member of a consumer group.
type Member struct {
	Brokers []string    // for kgo.SeedBrokers
	TLS     *tls.Config // for kgo.DialTLSConfig

	program *cli.Program
	cluster *cluster.Cluster

	topic string
	group string

	memory     *memory.Limit
	client     *kgo.Client
	life       context.Context       // the client's
	giveUp     func()                // ends it
	silence    atomic.Pointer[error] // why giveUp was called, if no broker answers
	latest     bool                  // auto.offset.reset
	autoCommit bool                  // enable.auto.commit
	sharing    bool                  // of a share group

	mu         sync.Mutex
	topicID    topicID         // of the topic that the client reads
	goneSince  time.Time       // since then, the metadata is without the topic
	owned      []int32         // the partitions that the group assigned to us
	marked     map[int32]int64 // behind the messages that we printed and could not commit
	printed    []int32         // the partitions in the last line that we printed
	blocked    bool            // a rebalance waits for client.AllowRebalance
	leaving    bool            // the program leaves the group
	leave      sync.Once       // leaves it
	waiting    *waiting        // nil while we have an assignment
	positioned bool            // has had partitions before
	troubled   string          // the last trouble that we printed
}

// Open checks the cluster, the topic and the group, as cluster.Open does. It also refuses an empty group
// name, and a closed standard output: what nobody can read must not be committed. The member joins the
// group when its Options go into kgo.NewClient.
func Open(ctx context.Context, program *cli.Program, found *settings.Settings, topic, group string) (
	*Member, error,
) {
	if strings.TrimSpace(group) == "" {
		return nil, &cli.Misuse{Problem: "group is empty"}
	}
	if terminal.Closed(os.Stdout) {
		return nil, cli.WithHint(errors.New("standard output is closed, or it is /dev/null opened for reading and writing"),
			"to discard the messages, use >/dev/null")
	}
	here, err := cluster.Open(ctx, program, found, cluster.Needs{Topic: topic, Read: true, Group: group})
	if err != nil {
		return nil, err
	}
	m := &Member{Brokers: here.Brokers, TLS: here.TLS, program: program, cluster: here, topic: topic, group: group,
		topicID: here.TopicID}
	if m.memory, err = newMemory(); err != nil {
		return nil, err
	}
	m.life, m.giveUp = context.WithCancel(context.Background())
	context.AfterFunc(ctx, func() { m.leaveStuck(ctx) })
	here.OnSilence(func(err error) {
		m.silence.Store(&err)
		m.giveUp() // ends a poll or a commit that waits
	})
	return m, nil
}

// Options are the options that every member needs. The program's own options come after them, and
// replace them.
func (m *Member) Options() []kgo.Opt {
	return append(m.cluster.Options(),
		kgo.WithHooks(m, m.memory),
		kgo.WithContext(m.life),
		kgo.OnPartitionsAssigned(m.Assigned),
		kgo.OnPartitionsRevoked(m.revoked),
		kgo.OnPartitionsLost(m.lost),
		kgo.OnPartitionsCallbackBlocked(m.callbackBlocked),
		kgo.AdjustFetchOffsetsFn(m.positions),
		kgo.KeepRetryableFetchErrors(), // Check wants to see at once that a broker does not know the topic
		// partition.assignment.strategy: the default of other clients, so that they can share our groups.
		kgo.Balancers(kgo.RangeBalancer()),
		// A member learns of a rebalance with its next heartbeat. With three seconds, the default of other
		// clients, a lesson waits too long. A class of 300 with two members each sends 1,200 heartbeats a
		// second, which is little for three brokers. session.timeout.ms stays 45 seconds.
		kgo.HeartbeatInterval(500*time.Millisecond), // heartbeat.interval.ms
		// fetch.max.wait.ms, as in other clients. The client asks each broker for its partitions in
		// one request. A partition that is ready a moment later waits for the next request: that
		// would be up to the five seconds of franz-go's default.
		kgo.FetchMaxWait(500*time.Millisecond),
		// These bound the memory: one request at a time for each of three brokers. See memory.go.
		kgo.MaxConcurrentFetches(3),
		kgo.FetchMaxBytes(fetchBytes), // fetch.max.bytes
		kgo.WithDecompressor(m.memory),
	)
}

// OnNewClient is a hook of kgo: the client exists and has not joined the group yet.
func (m *Member) OnNewClient(client *kgo.Client) {
	m.mu.Lock()
	m.client = client
	m.mu.Unlock()
	reset := client.OptValue(kgo.ConsumeResetOffset).(kgo.Offset)
	m.latest = reset.EpochOffset() == kgo.NewOffset().AtEnd().EpochOffset()
	m.autoCommit = !client.OptValue(kgo.DisableAutoCommit).(bool)
	m.wait()
}

// Check returns the error that ends a consumer's loop: the end of ctx, or an error that does not go
// away with time. It reports other errors once, and the client tries again. A poll that has messages
// passes, because the next poll returns the error again.
func (m *Member) Check(ctx context.Context, fetches kgo.Fetches) error {
	failures := fetches.Errors()
	for _, failed := range failures {
		if large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](failed.Err); ok { // it comes once
			return m.tooLarge(large)
		}
		if loss, ok := errors.AsType[*kgo.ErrDataLoss](failed.Err); ok { // it comes once, too
			m.program.Say("partition %d: the cluster has lost messages; we had read up to offset %d, and continue at offset %d",
				loss.Partition, loss.ConsumedTo, loss.ResetTo)
		}
	}
	if fetches.NumRecords() > 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if silence := m.silence.Load(); silence != nil {
		return *silence
	}
	for _, failed := range failures {
		_, lost := errors.AsType[*kgo.ErrDataLoss](failed.Err)
		switch {
		case lost, errors.Is(failed.Err, memory.ErrFull):
			return nil // it is reported, or there is memory again
		case kerr.IsRetriable(failed.Err) && !isGone(failed.Err):
			continue // the client knows what to do
		}
		err := m.fatal(ctx, failed.Err)
		if created := isAnew(err); created != nil {
			m.startAnew(ctx, created)
			break // the other errors are about the old topic
		} else if err != nil {
			return m.explain(err)
		}
	}
	cli.Pause(ctx, retryPause) // the client itself would try again at once
	return ctx.Err()
}

// Last returns the last message of each partition. A mark or a commit of it includes all messages
// before it.
func Last(fetches kgo.Fetches) (last []*kgo.Record) {
	fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
		if n := len(partition.Records); n > 0 {
			last = append(last, partition.Records[n-1])
		}
	})
	return last
}

// Retry commits the message, and repeats it until a broker answers: franz-go itself gives up after half
// a minute at most. After the end of ctx, there is half a second left. Commit calls CommitRecords.
//
// Retry reports whether the message is committed. It is not if the group has removed this member, or if
// the topic was deleted and created anew. Retry prints that, and the loop continues with the messages
// that the member gets next. Any other failure is an error that ends the loop: the commit of a later
// message would include this one.
func (m *Member) Retry(ctx context.Context, message *kgo.Record, commit func(context.Context) error) (
	committed bool, err error,
) {
	late, stop := cli.Grace(ctx, cli.LeaveTime/4)
	defer stop()
	_, generation := m.client.GroupMetadata()
	committing := kgo.PreCommitFnContext(late, func(request *kmsg.OffsetCommitRequest) error {
		if request.Generation != generation { // another member may have the partition now
			return kerr.IllegalGeneration
		}
		return nil
	})
	attempt := func() error {
		// Brokers before Kafka 4.2 commit by the name of the topic. The offset must not count for a topic
		// that was created anew.
		err := m.look(late)
		if err == nil {
			err = commit(committing)
		}
		return m.confirm(late, err)
	}
	err = attempt()
	for err != nil && !isAnswer(err) && m.silence.Load() == nil && cli.Pause(late, retryPause) {
		err = attempt()
	}
	silence := m.silence.Load()
	switch {
	case err == nil:
		return true, nil
	case isAnew(err) != nil:
		m.program.Say("%s is not committed: the topic of this message was deleted", place(message))
		return false, nil
	case cluster.IsOut(err):
		m.program.Say("%s is not committed and comes again: %v", place(message), m.explain(err))
		return false, nil
	case isGone(err):
		return false, fmt.Errorf("%s is not committed: %w", place(message), m.explain(err))
	case silence != nil && !isAnswer(err):
		return false, fmt.Errorf("%s may be read again: %w", place(message), *silence)
	case late.Err() != nil:
		return false, cli.Stopped("stopped while committing: " + place(message) + " may be read again")
	}
	return false, m.NotCommitted(message, m.explain(err))
}

// NotCommitted adds to an error that the message is not committed. A signal to stop is a clean end.
func (m *Member) NotCommitted(message *kgo.Record, err error) error {
	if errors.Is(err, context.Canceled) {
		return cli.Stopped(place(message) + " is not committed and comes again")
	}
	return fmt.Errorf("%s is not committed and comes again: %w", place(message), err)
}

func place(message *kgo.Record) string {
	return fmt.Sprintf("partition %d, offset %d", message.Partition, message.Offset)
}

// fatal returns the error if it does not go away with time. It reports any other error once.
func (m *Member) fatal(ctx context.Context, err error) error {
	err = m.confirm(ctx, err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case isFinal(err), isAnew(err) != nil, errors.Is(err, kgo.ErrClientClosed):
		return err
	}
	var session *kgo.ErrGroupSession
	switch ended := errors.As(err, &session); {
	case ended && m.sharing: // the client tries again itself if that can help
		return err
	case err != errNotYet && !ended: // OnGroupManageError reports it
		m.trouble(m.cluster.Explain(err, "topic "+m.topic))
	}
	return nil
}

// isFinal reports whether the error does not go away with time.
func isFinal(err error) bool {
	return errors.Is(err, kerr.GroupAuthorizationFailed) || errors.Is(err, kerr.InconsistentGroupProtocol) ||
		errors.Is(err, kerr.InvalidGroupID) || aboutTopic(err)
}

// isAnswer reports whether the error is the answer of a broker.
func isAnswer(err error) bool {
	var kafka *kerr.Error
	return errors.As(err, &kafka) || isAnew(err) != nil
}

// explain explains an error of work with the group.
func (m *Member) explain(err error) error {
	if aboutTopic(err) {
		return m.cluster.Explain(err, "topic "+m.topic)
	}
	if problem := shareProblem(err, m.group); m.sharing && problem != nil {
		return problem
	}
	return m.cluster.Explain(err, "group "+m.group)
}

// trouble reports the error, unless it was the last one that it reported.
func (m *Member) trouble(err error) {
	m.mu.Lock()
	again := m.troubled == err.Error()
	m.troubled = err.Error()
	m.mu.Unlock()
	if !again {
		m.program.Report(err)
	}
}

// revoked is the callback of a member, unless its program has its own.
func (m *Member) revoked(ctx context.Context, client *kgo.Client, revoked map[string][]int32) {
	var err error
	if m.autoCommit && len(revoked) > 0 {
		err = client.CommitMarkedOffsets(ctx)
	}
	m.Revoked(revoked, err)
}

// Assigned is for kgo.OnPartitionsAssigned: at the end of a rebalance, these partitions are added. The
// line about them comes as soon as the offsets to read from are known.
func (m *Member) Assigned(ctx context.Context, _ *kgo.Client, added map[string][]int32) {
	m.mu.Lock()
	m.owned = append(m.owned, added[m.topic]...)
	slices.Sort(m.owned)
	nothing := len(m.owned) == 0
	m.mu.Unlock()
	if nothing {
		m.printNothing(ctx)
	}
}

// Revoked is for kgo.OnPartitionsRevoked: at the start of a rebalance, and when the member leaves, these
// partitions are taken away. It reports the error of the last commit for them, if there is one.
func (m *Member) Revoked(revoked map[string][]int32, committing error) {
	if committing != nil && !isGone(committing) { // nobody reads them again if the topic is gone
		m.program.Report(fmt.Errorf("messages since the last commit will be read again: %w", m.explain(committing)))
	}
	m.disown(revoked)
	m.mu.Lock()
	leaving := m.leaving
	m.mu.Unlock()
	if !leaving {
		m.wait()
	}
}

// lost is called when a session with the group has failed. Nothing can be committed any more. So positions
// needs to know what is marked, which means printed. After it, kgo calls OnGroupManageError with the reason.
func (m *Member) lost(_ context.Context, client *kgo.Client, partitions map[string][]int32) {
	m.mu.Lock()
	for partition, marked := range client.MarkedOffsets()[m.topic] {
		if m.marked == nil {
			m.marked = make(map[int32]int64)
		}
		m.marked[partition] = marked.Offset
	}
	m.mu.Unlock()
	m.disown(partitions)
}

// OnGroupManageError is a hook of kgo: it reports what ended a session with the group. The client
// joins again, unless the next poll returns an error that ends the program.
func (m *Member) OnGroupManageError(err error) {
	m.mu.Lock()
	before, leaving := m.printed, m.leaving
	m.printed = nil
	m.mu.Unlock()
	switch {
	case len(before) == 0 || leaving || isFinal(err) || isAnew(err) != nil: // Check returns it
	case cluster.IsOut(err):
		m.program.Say("%v: partitions %s are not ours any more; rejoining", m.explain(err), display.Ranges(before))
	case isAnswer(err):
		m.program.Say("%v; rejoining", m.explain(err))
	default:
		m.program.Say("the coordinator of group %s does not answer; rejoining", m.group)
	}
	m.wait()
}

// callbackBlocked is called when a rebalance has to wait for client.AllowRebalance.
func (m *Member) callbackBlocked(context.Context, *kgo.Client) {
	m.mu.Lock()
	m.blocked = true
	m.mu.Unlock()
}

func (m *Member) disown(partitions map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.blocked = false
	m.owned = slices.DeleteFunc(m.owned, func(partition int32) bool {
		return slices.Contains(partitions[m.topic], partition)
	})
}

// NewName returns a group name that nobody has used before.
func NewName(prefix string) string {
	return prefix + "-" + strings.ToLower(rand.Text()[:12])
}
