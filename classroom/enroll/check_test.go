package main

import (
	"bufio"
	"context"
	"errors"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
	"tkafka/pkg/settings"
)

// unset sets the programs' variables to their usual values.
func unset(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "")
	t.Setenv("KAFKA_KEYSTORE_PASSWORD", settings.DefaultPassword)
}

// ready makes a class, with topics and rights, on an embedded cluster.
func ready(t *testing.T, students ...string) (*embedded.Cluster, *checker) {
	t.Helper()
	o := smallClass(t)
	o.students = students
	cluster, err := startEmbedded(class(mkdir(t, string(o.class))), students)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	o.brokers = cluster.Brokers()
	issueAll(t, o)

	unset(t)
	found, err := settings.InFolder(o.class.admin())
	if err != nil {
		t.Fatal(err)
	}
	a, err := openAdmin(t.Context(), found)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	c, err := newChecker(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.apply(t.Context(), students); err != nil {
		t.Fatal(err)
	}
	return cluster, c
}

// Enroll apply makes what was removed a moment ago, though the broker that it asks does not know of the
// removal yet.
func TestApplyAfterRemoval(t *testing.T) {
	cluster, c := ready(t, "client1")
	rights := kmsg.NewPtrDescribeACLsRequest()
	rights.ResourceType, rights.ResourcePatternType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny
	rights.Operation, rights.PermissionType = kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	topics := kmsg.NewPtrMetadataRequest() // of all topics
	var late atomic.Bool
	late.Store(true)
	for _, request := range []kmsg.Request{rights, topics} {
		before, err := c.raw.Request(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		cluster.Kfake().ControlKey(request.Key(), func(kmsg.Request) (kmsg.Response, error, bool) {
			cluster.Kfake().KeepControl()
			return before, nil, late.Load()
		})
	}
	if err := c.remove(t.Context(), "client1"); err != nil {
		t.Fatal(err)
	}
	if err := c.apply(t.Context(), c.students); err != nil {
		t.Fatal(err)
	}
	late.Store(false)
	known, err := rightsKnownTo(t.Context(), c.raw)
	if lost := without(rightsOf("client1"), known); err != nil || len(lost) > 0 {
		t.Errorf("missing rights: %v, %v", lost, err)
	}
	if details, err := c.ListTopics(t.Context(), "client1"); err != nil || !details.Has("client1") {
		t.Errorf("topics: %v, %v", details.Names(), err)
	}
}

// The check begins when each broker has opened its copies and knows the rights.
func TestCheckWaitsForBrokers(t *testing.T) {
	for name, key := range map[string]int16{"copies": kmsg.DescribeLogDirs.Int16(), "rights": kmsg.DescribeACLs.Int16()} {
		t.Run(name, func(t *testing.T) {
			cluster, c := ready(t, "client1", "client2")
			c.patience = 3 * time.Second
			const empty = 8
			var requests atomic.Int32
			cluster.Kfake().ControlKey(key, func(request kmsg.Request) (kmsg.Response, error, bool) {
				cluster.Kfake().KeepControl()
				if requests.Add(1) > empty {
					return nil, nil, false
				}
				return request.ResponseKind(), nil, true // nothing is open or known yet
			})
			var early atomic.Bool
			cluster.Kfake().ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
				cluster.Kfake().KeepControl()
				early.Store(requests.Load() <= empty)
				return nil, nil, false
			})
			found, err := c.check(t.Context(), c.students)
			if err != nil {
				t.Fatal(err)
			}
			if found.judge(); !found.OK || early.Load() {
				t.Errorf("after %d requests: %+v", requests.Load(), found)
			}
		})
	}
}

// The check stops waiting for a broker that makes no progress.
func TestCheckStopsWaiting(t *testing.T) {
	cluster, c := ready(t, "client1")
	c.patience = 100 * time.Millisecond
	cluster.Kfake().ControlKey(kmsg.DescribeLogDirs.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Kfake().KeepControl()
		return request.ResponseKind(), nil, true
	})
	if _, err := c.check(t.Context(), c.students); err != nil {
		t.Fatal(err)
	}
}

// A check that is stopped while students join groups leaves no group, also if a broker is slow. It does
// not pass.
func TestCheckStopped(t *testing.T) {
	cluster, c := ready(t, "client1", "client2", "client3")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	cluster.Kfake().ControlKey(kmsg.JoinGroup.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		stop()
		cluster.Kfake().SleepControl(func() {
			select {
			case <-ended:
			case <-time.After(100 * time.Millisecond):
			}
		})
		return nil, nil, false
	})
	if found, err := c.check(ctx, c.students); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", found, err)
	}
	close(ended)
	groups, err := connectInside(t, cluster).ListGroups(t.Context())
	if err != nil || len(groups) > 0 {
		t.Errorf("left behind: %v, %v", groups, err)
	}
}

// A check that is stopped while it waits for the brokers does not pass.
func TestCheckStoppedWaiting(t *testing.T) {
	cluster, c := ready(t, "client1")
	cluster.Kfake().ControlKey(kmsg.DescribeLogDirs.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Kfake().KeepControl()
		return request.ResponseKind(), nil, true // nothing is open yet
	})
	check := exec.Command("enroll", "check", "--auth", c.class.admin())
	stderr, err := check.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := check.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if strings.Contains(lines.Text(), "waiting for the brokers") {
			check.Process.Signal(syscall.SIGTERM)
		}
		stopped = stopped || strings.HasPrefix(lines.Text(), "enroll: stopped before")
	}
	var exit *exec.ExitError
	if err := check.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !stopped {
		t.Errorf("%v, stopped: %v", err, stopped)
	}
}

// The check reports the group that an earlier check has left, and does not delete it.
func TestCheckReportsTraces(t *testing.T) {
	_, c := ready(t, "client1")
	earlier := groupPrefix + "earlier"
	if err := joinAndLeave(t.Context(), t.Context(), c.raw, earlier); err != nil {
		t.Fatal(err)
	}
	found, err := c.check(t.Context(), c.students)
	if err != nil {
		t.Fatal(err)
	}
	last := found.Cluster[len(found.Cluster)-1]
	if found.judge(); last.Result != note || !strings.Contains(last.Detail, earlier) || !found.OK {
		t.Errorf("%+v in %+v", last, found)
	}
}

// The check deletes its own message, but never a student's. Behind a student's message it stays.
func TestCheckKeepsMessages(t *testing.T) {
	cluster, c := ready(t, "client1", "client2")
	client, err := cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for partition := range int32(partitions) {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "client1", Partition: partition, Value: []byte("a student's")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.check(t.Context(), c.students)
	if err != nil {
		t.Fatal(err)
	}
	last := found.Cluster[len(found.Cluster)-1]
	if found.judge(); !found.OK || last.Result != ok || !strings.Contains(last.Detail, "1 of 2 messages") {
		t.Errorf("%+v", found)
	}
	a := connectInside(t, cluster)
	if first, second := messagesIn(t, a, "client1"), messagesIn(t, a, "client2"); first != partitions+1 || second != 0 {
		t.Errorf("%d and %d messages, want %d and 0", first, second, partitions+1)
	}
	// The message explains itself to a student who reads it.
	client.AddConsumeTopics("client1")
	ctx, cancel := withinAMinute()
	defer cancel()
	for read := 0; read <= partitions; read++ {
		fetches := client.PollRecords(ctx, 1)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		if record := fetches.Records()[0]; string(record.Key) == messageKey && string(record.Value) == messageValue {
			return
		}
	}
	t.Error("the message is not in the topic")
}

func connectInside(t *testing.T, cluster *embedded.Cluster) *kadm.Client {
	t.Helper()
	client, err := cluster.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client)
}

// messagesIn counts the messages in a topic.
func messagesIn(t *testing.T, a *kadm.Client, topic string) (messages int64) {
	t.Helper()
	starts, err := a.ListStartOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends, err := a.ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		messages += end.Offset - start.Offset
	})
	return messages
}

// An embedded cluster always has all copies and leaders.
func TestCopies(t *testing.T) {
	partition := func(leader int32, replicas, inSync int) kadm.Metadata {
		all := []int32{1, 2, 3}
		return kadm.Metadata{Topics: kadm.TopicDetails{"client1": {Topic: "client1", Partitions: kadm.PartitionDetails{
			0: {Leader: leader, Replicas: all[:replicas], ISR: all[:inSync]},
		}}}}
	}
	for name, test := range map[string]struct {
		metadata kadm.Metadata
		want     result
		detail   string
	}{
		"complete":        {partition(1, 3, 3), ok, "all 1 partitions"},
		"one copy behind": {partition(1, 3, 2), wrong, "1 partitions lack a copy"},
		"no leader":       {partition(-1, 3, 0), wrong, "1 partitions have no leader"},
	} {
		got := copies(test.metadata)
		if got.Result != test.want || !strings.Contains(got.Detail, test.detail) || test.want == wrong && !strings.Contains(got.Detail, "client1/0") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestFlawOf(t *testing.T) {
	topic := func(partitions, replicas int) kadm.TopicDetail {
		detail := kadm.TopicDetail{Partitions: kadm.PartitionDetails{}}
		for i := range partitions {
			detail.Partitions[int32(i)] = kadm.PartitionDetail{Replicas: make([]int32, replicas)}
		}
		return detail
	}
	for _, test := range []struct {
		partitions, replicas, brokers int
		want                          string
	}{
		{16, 3, 3, ""},
		{16, 3, 5, ""},
		{16, 3, 2, ""}, // a broker is down
		{16, 1, 1, ""},
		{16, 1, 3, "it has 1 replicas, not 3"},
		{8, 3, 3, "it has 8 partitions, not 16"},
	} {
		if got := flawOf(topic(test.partitions, test.replicas), test.brokers); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}
