package cluster_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/group"
)

// A lab is a cluster on a network of its own, whose clock does not wait: seconds pass in milliseconds.
type lab struct {
	t       *testing.T
	network kfake.VirtualNetwork
	*kfake.Cluster
	stderr string // the file with what is printed

	mu    sync.Mutex
	away  bool // no broker can be reached
	conns []net.Conn
}

// inLab runs a test with a topic t.
func inLab(t *testing.T, test func(t *testing.T, l *lab)) {
	synctest.Test(t, func(t *testing.T) {
		l := &lab{t: t, stderr: filepath.Join(t.TempDir(), "stderr")}
		file, err := os.Create(l.stderr)
		if err != nil {
			t.Fatal(err)
		}
		defer func(real *os.File) { os.Stderr = real }(os.Stderr)
		os.Stderr = file
		if l.Cluster, err = kfake.NewCluster(kfake.Ports(1, 2, 3), kfake.ListenFn(l.network.Listen), kfake.SeedTopics(16, "t")); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		defer time.Sleep(time.Minute) // until all timers have ended
		test(t, l)
	})
}

func (l *lab) dial(ctx context.Context, network, address string) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	conn, err := l.network.DialContext(ctx, network, address)
	if err == nil {
		l.conns = append(l.conns, conn)
	}
	return conn, err
}

// setAway breaks all connections, and refuses new ones, until the brokers are not away any more.
func (l *lab) setAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
	for _, conn := range l.conns {
		conn.Close()
	}
}

// client returns a client with the options of the programs that matter here.
func (l *lab) client(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(l.ListenAddrs()...), kgo.Dialer(l.dial), kgo.AlwaysRetryEOF(), kgo.WithHooks(cluster.Reporter()),
	}, options...)...)
	if err != nil {
		l.t.Fatal(err)
	}
	return client
}

// member returns a member of a group, when it has received the message that it sends.
func (l *lab) member() *kgo.Client {
	client := l.client(kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"), kgo.BlockRebalanceOnPoll(), kgo.AutoCommitMarks(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.OnPartitionsRevoked(group.Revoke), kgo.OnPartitionsLost(group.Lost))
	err := client.ProduceSync(l.t.Context(), &kgo.Record{Topic: "t"}).FirstErr()
	if err = errors.Join(err, client.PollFetches(l.t.Context()).Err()); err != nil {
		l.t.Fatal(err)
	}
	return client
}

// printed returns what is printed until now.
func (l *lab) printed() string {
	synctest.Wait()
	text, err := os.ReadFile(l.stderr)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// Something listens and never answers. The error comes within five seconds.
func TestSilent(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		client := l.client(kgo.Dialer(func(context.Context, string, string) (net.Conn, error) {
			conn, _ := net.Pipe()
			return conn, nil
		}))
		defer client.Close()
		began := time.Now()
		err := cluster.Check(t.Context(), client, "t")
		if err == nil || !strings.Contains(err.Error(), ": no answer") || !strings.HasPrefix(cli.HintOf(err), "check the address") || time.Since(began) > 5*time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// No broker answers when a member commits. That is reported, and the member continues. The commit of the next message
// includes this one.
func TestNoCommit(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		client := l.member()
		defer client.CloseAllowingRebalance()
		message := &kgo.Record{Topic: "t", Partition: 5, LeaderEpoch: -1}
		l.setAway(true)
		err := client.CommitRecords(t.Context(), message)
		if err == nil || group.NotCommitted(message, err) != nil || !strings.Contains(l.printed(), ": partition 5, offset 0 may come again, because its commit failed: topic t: connection refused") {
			t.Errorf("%v; it printed %s", err, l.printed())
		}
		l.setAway(false)
		message.Offset++
		if err := client.CommitRecords(t.Context(), message); err != nil || l.GroupInfo("g").Commits["t"][5].Offset != 2 {
			t.Errorf("%v; committed are %v", err, l.GroupInfo("g").Commits)
		}
	})
}

// The group has removed a member, and its commit is the first to notice it. It prints that messages come again.
func TestRemoved(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		client := l.member()
		defer client.CloseAllowingRebalance()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: "t"}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		client.MarkCommitRecords(client.PollFetches(ctx).Records()...)
		l.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.UnknownMemberID, Count: 2})
		client.AllowRebalance()
		client.PollFetches(ctx)
		if text := l.printed(); !strings.Contains(text, "messages since the last commit come again: the group continues without this member") {
			t.Errorf("it printed %q", text)
		}
	})
}

// The topic of a member is deleted. That ends it soon, and it does not announce that messages come again.
func TestDeleted(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		client := l.member()
		defer client.CloseAllowingRebalance()
		if _, err := kadm.NewClient(client).DeleteTopics(t.Context(), "t"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		var err error
		for err == nil {
			client.AllowRebalance()
			err = cluster.Fatal(ctx, client.PollFetches(ctx))
		}
		if !strings.Contains(err.Error(), "topic t was deleted") || strings.Contains(l.printed(), "again") {
			t.Errorf("%v; it printed %s", err, l.printed())
		}
	})
}

// A member that waits for the others prints it after four seconds.
func TestWaiting(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		first := l.member() // its rebalance waits
		defer first.CloseAllowingRebalance()
		if text := l.printed(); text != "" {
			t.Errorf("a member alone printed %s", text)
		}
		second := l.client(kgo.ConsumeTopics("t"), kgo.ConsumerGroup("g"), kgo.DisableAutoCommit())
		defer second.Close()
		time.Sleep(3 * time.Second)
		if text := l.printed(); text != "" {
			t.Errorf("too early, it printed %s", text)
		}
		time.Sleep(2 * time.Second)
		if text := l.printed(); strings.Count(text, "waiting for the other members of the group; if one was killed, this takes up to 45 s") != 1 {
			t.Errorf("it printed %q", text)
		}
	})
}

// A broker does not take the messages. After three seconds one line reports it, and the client tries again.
func TestQuiet(t *testing.T) {
	inLab(t, func(t *testing.T, l *lab) {
		l.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 1})
		client := l.client()
		defer client.Close()
		answers := cluster.NewAnswers(client)
		for number := range 3 {
			message := &kgo.Record{Topic: "t"}
			client.Produce(t.Context(), message, func(_ *kgo.Record, err error) { answers.Add(number, message, err) })
		}
		time.Sleep(2 * time.Second)
		if text := l.printed(); text != "" {
			t.Errorf("too early, it printed %s", text)
		}
		if err := errors.Join(client.Flush(t.Context()), answers.Result(3)); err != nil {
			t.Error(err)
		}
		if text := l.printed(); strings.Count(text, "3 messages without an answer for 3s") != 1 || !strings.HasSuffix(text, ": 3 messages delivered\n") {
			t.Errorf("it printed %q", text)
		}
	})
}
