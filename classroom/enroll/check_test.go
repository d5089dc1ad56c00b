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
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
	"tkafka/pkg/settings"
)

// unset gives the variables of the programs, whatever the shell has set them to, their usual values.
func unset(t *testing.T) {
	t.Setenv("KAFKA_BROKERS", "")
	t.Setenv("KAFKA_KEYSTORE_PASSWORD", settings.DefaultPassword)
}

// ready is a class that has been issued and applied, on an embedded cluster.
func ready(t *testing.T, students ...string) (*embedded.Cluster, *checker) {
	t.Helper()
	o := smallOrder(t)
	o.students = students
	cluster, err := startEmbedded(class(mkdir(t, string(o.class))), students)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	o.brokers = cluster.Brokers()
	carryOut(t, o)

	unset(t)
	p := program(t)
	flags := settings.AddFlags(p.Flags)
	if err := p.Flags.Set("auth", o.class.admin()); err != nil {
		t.Fatal(err)
	}
	c, err := openChecker(t.Context(), p, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.admin.Close)
	if err := c.admin.apply(t.Context(), p, students); err != nil {
		t.Fatal(err)
	}
	return cluster, c
}

// Rights that reach a broker a moment late do not make a check fail.
func TestCheckWaitsForRights(t *testing.T) {
	cluster, c := ready(t, "client1", "client2")
	var refusals atomic.Int32
	cluster.Kfake().ControlKey(kmsg.Produce.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Kfake().KeepControl()
		req := request.(*kmsg.ProduceRequest)
		if len(req.Topics) < 2 || refusals.Add(1) > 3 {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, asked := range req.Topics {
			topic := kmsg.NewProduceResponseTopic()
			topic.Topic = asked.Topic
			partition := kmsg.NewProduceResponseTopicPartition()
			partition.Partition = asked.Partitions[0].Partition
			partition.ErrorCode = kerr.TopicAuthorizationFailed.Code
			topic.Partitions = append(topic.Partitions, partition)
			resp.Topics = append(resp.Topics, topic)
		}
		return resp, nil, true
	})
	found, err := c.check(t.Context(), c.students)
	if err != nil {
		t.Fatal(err)
	}
	if !found.OK || refusals.Load() < 3 {
		t.Errorf("after %d refusals: %+v", refusals.Load(), found)
	}
}

// A check begins when every broker has opened its copies of the topics.
func TestCheckWaitsForCopies(t *testing.T) {
	cluster, c := ready(t, "client1", "client2")
	c.patience = 3 * time.Second
	var looks atomic.Int32
	cluster.Kfake().ControlKey(kmsg.DescribeLogDirs.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Kfake().KeepControl()
		if looks.Add(1) > 8 {
			return nil, nil, false
		}
		return request.ResponseKind(), nil, true // nothing is open yet
	})
	var early atomic.Bool
	cluster.Kfake().ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.Kfake().KeepControl()
		if looks.Load() <= 8 {
			early.Store(true)
		}
		return nil, nil, false
	})
	found, err := c.check(t.Context(), c.students)
	if err != nil {
		t.Fatal(err)
	}
	if !found.OK || early.Load() {
		t.Errorf("checked after %d looks; %+v", looks.Load(), found)
	}
}

// It does not wait for ever: a broker that makes no progress is for the report.
func TestCheckWaitsNoLonger(t *testing.T) {
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

// A check that is stopped while students are on their way into groups leaves nothing behind, and does
// not pass: not even if a broker takes its time to answer them.
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
	client, err := cluster.Client()
	if err != nil {
		t.Fatal(err)
	}
	a := newAdmin(client)
	defer a.Close()
	topics, err := a.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	groups, err := a.ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(topics.Names(), groups.Groups()...) {
		if strings.HasPrefix(name, tracePrefix) {
			t.Errorf("left behind: %s", name)
		}
	}
}

// Nor does one pass that is stopped before it has begun, while it waits for the brokers.
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
	var last string
	for said := bufio.NewScanner(stderr); said.Scan(); {
		if last = said.Text(); strings.Contains(last, "waiting for them") {
			check.Process.Signal(syscall.SIGTERM)
		}
	}
	var exit *exec.ExitError
	if err := check.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || last != "enroll: stopped before all was done: it can be run again" {
		t.Errorf("%v after %q, want status 1", err, last)
	}
}

// What an earlier check has left is named.
func TestCheckNamesTraces(t *testing.T) {
	_, c := ready(t, "client1")
	if _, err := c.admin.CreateTopic(t.Context(), 1, 1, nil, tracePrefix+"earlier"); err != nil {
		t.Fatal(err)
	}
	found, err := c.check(t.Context(), c.students)
	if err != nil {
		t.Fatal(err)
	}
	last := found.Cluster[len(found.Cluster)-1]
	if last.Result != note || !strings.Contains(last.Detail, tracePrefix+"earlier") || !found.OK {
		t.Errorf("%+v in %+v", last, found)
	}
}

// What an embedded cluster cannot show: copies that are missing, and partitions without a leader.
func TestCopies(t *testing.T) {
	partition := func(leader int32, replicas, inSync int) kadm.TopicDetail {
		all := []int32{1, 2, 3}
		return kadm.TopicDetail{Topic: "client1", Partitions: kadm.PartitionDetails{
			0: {Leader: leader, Replicas: all[:replicas], ISR: all[:inSync]},
		}}
	}
	for name, test := range map[string]struct {
		topic kadm.TopicDetail
		want  result
		says  string
	}{
		"complete":        {partition(1, 3, 3), ok, "1 topics"},
		"one copy behind": {partition(1, 3, 2), wrong, "lack a copy, since a broker is away or behind: 1, client1/0"},
		"no leader":       {partition(-1, 3, 0), wrong, "without a leader, which stand still: 1, client1/0"},
		"no topic":        {kadm.TopicDetail{Topic: "client1", Err: kerr.UnknownTopicOrPartition}, skipped, "no topic"},
	} {
		got := new(checker).copies(t.Context(), kadm.Metadata{Topics: kadm.TopicDetails{"client1": test.topic}})
		if got[0].Result != test.want || !strings.Contains(got[0].Detail, test.says) {
			t.Errorf("%s: %+v", name, got[0])
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
		{16, 3, 2, ""}, // a broker is away
		{16, 1, 1, ""},
		{16, 1, 3, "with 1 replicas, not 3"},
		{8, 3, 3, "with 8 partitions, not 16"},
	} {
		if got := flawOf(topic(test.partitions, test.replicas), replicasOn(test.brokers)); got != test.want {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// The answers of a real broker to a message with a wrong checksum, and to reading.
func TestAnswers(t *testing.T) {
	for _, code := range []int16{kerr.CorruptMessage.Code, kerr.InvalidRecord.Code} {
		if err := writeAnswer(code); err != nil {
			t.Errorf("%d: %v", code, err)
		}
	}
	for _, code := range []int16{0, kerr.TopicAuthorizationFailed.Code, kerr.NotEnoughReplicas.Code, kerr.NotLeaderForPartition.Code} {
		if writeAnswer(code) == nil {
			t.Errorf("%d passes", code)
		}
	}
	if readAnswer(0) != nil || readAnswer(kerr.OffsetOutOfRange.Code) != nil || readAnswer(kerr.TopicAuthorizationFailed.Code) == nil {
		t.Error("reading is misjudged")
	}
}
