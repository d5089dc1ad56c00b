package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/settings"
)

// ready makes a class, with topics and rights, on an embedded cluster.
func ready(t *testing.T, students ...string) (*broker.Cluster, *checker) {
	t.Helper()
	os.Setenv("KAFKA_KEYSTORE_PASSWORD", settings.DefaultPassword) // not t.Setenv: the tests run in parallel
	o := &options{class: class(t.TempDir()), students: students, nodes: []string{"kafka-1"}, lifetime: day}
	kafka, err := startEmbedded(o.class, students)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	o.brokers = kafka.Brokers()
	if err := o.issue(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := settings.InFolder(o.class.admin())
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{admin: &admin{found: found, class: o.class, topics: topics{broker.DefaultPartitions, 3, nil}}, students: students,
		patience: 3 * time.Second, written: kadm.Offsets{}}
	if err := c.connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if err := c.apply(t.Context()); err != nil {
		t.Fatal(err)
	}
	return kafka, c
}

// answerNothing answers requests of a kind with nothing, as long as the condition holds.
func answerNothing(kafka *broker.Cluster, key int16, as func() bool) {
	kafka.Kfake().ControlKey(key, func(request kmsg.Request) (kmsg.Response, error, bool) {
		kafka.Kfake().KeepControl()
		return request.ResponseKind(), nil, as()
	})
}

// The check begins when each broker has opened its replicas and knows the rights.
func TestCheckWaitsForBrokers(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]int16{"replicas": kmsg.DescribeLogDirs.Int16(), "rights": kmsg.DescribeACLs.Int16()} {
		t.Run(name, func(t *testing.T) {
			kafka, c := ready(t, "client1", "client2")
			const empty = 8
			var requests atomic.Int32
			answerNothing(kafka, key, func() bool { return requests.Add(1) <= empty })
			var early atomic.Bool
			answerNothing(kafka, kmsg.Produce.Int16(), func() bool { early.Store(requests.Load() <= empty); return false })
			found, err := c.check(t.Context(), c.students)
			if err != nil {
				t.Fatal(err)
			}
			if _, fine := found.judge(); !fine || early.Load() {
				t.Errorf("after %d requests: %+v", requests.Load(), found.Cluster)
			}
		})
	}
}

// The check stops waiting for a broker that makes no progress, and reports it.
func TestCheckReportsBroker(t *testing.T) {
	t.Parallel()
	kafka, c := ready(t, "client1")
	c.patience = 100 * time.Millisecond
	if err := kafka.Kill(1); err != nil {
		t.Fatal(err)
	}
	found, err := c.check(t.Context(), nil) // no student: their messages would wait for the broker
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found.Cluster {
		if lost := f.What == "broker 1"; lost != (f.Result == wrong) || lost && !strings.Contains(f.Detail, "connection refused") {
			t.Errorf("%+v", f)
		}
	}
}

// A check that is stopped while students join groups fails, and leaves no group.
func TestCheckStopped(t *testing.T) { // alone, because it measures how soon the check ends
	kafka, c := ready(t, "client1", "client2", "client3")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	answerNothing(kafka, kmsg.JoinGroup.Int16(), func() bool { stop(); return false })
	began := time.Now()
	if found, err := c.check(ctx, c.students); !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", found, err)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
	groups, err := c.ListGroups(t.Context())
	if err != nil || len(groups) > 0 {
		t.Errorf("left behind: %v, %v", groups, err)
	}
}

// The check deletes its own message, but never a student's. Behind a student's message it stays.
func TestCheckKeepsMessages(t *testing.T) {
	t.Parallel()
	kafka, c := ready(t, "client1", "client2")
	client, err := kafka.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for partition := range int32(broker.DefaultPartitions) {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "client1", Partition: partition}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	found, err := c.check(t.Context(), c.students)
	if err != nil {
		t.Fatal(err)
	}
	last := found.Cluster[len(found.Cluster)-1]
	if _, fine := found.judge(); !fine || last.Result != ok || !strings.Contains(last.Detail, "1 of 2 messages") {
		t.Errorf("%+v", found.Cluster)
	}
	first, err1 := c.messagesIn("client1")
	second, err2 := c.messagesIn("client2")
	if err := errors.Join(err1, err2); err != nil || first != broker.DefaultPartitions+1 || second != 0 {
		t.Errorf("%d and %d messages, want %d and 0: %v", first, second, broker.DefaultPartitions+1, err)
	}
}

// An embedded cluster always has all replicas and leaders.
func TestReplicas(t *testing.T) {
	for want, partition := range map[string]kadm.PartitionDetail{
		"1 of 1":  {Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{2, 1}},
		"0 of 1":  {Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{1}},
		"0 of 1 ": {Leader: -1},
	} {
		got := replicas(kadm.Metadata{Topics: kadm.TopicDetails{"client1": {Topic: "client1", Partitions: kadm.PartitionDetails{0: partition}}}})
		if (got.Result == ok) != (want == "1 of 1") || !strings.HasPrefix(got.Detail, want) {
			t.Errorf("%+v: %+v", partition, got)
		}
	}
}

func TestFlawOf(t *testing.T) {
	for _, test := range []struct {
		partitions, replicas, brokers int
		flaw                          bool
	}{
		{16, 3, 3, false}, {16, 3, 5, false}, {16, 1, 1, false},
		{16, 3, 2, false}, // a broker is down
		{16, 1, 3, true}, {8, 3, 3, true},
	} {
		topic := kadm.TopicDetail{Partitions: kadm.PartitionDetails{}}
		for i := range test.partitions {
			topic.Partitions[int32(i)] = kadm.PartitionDetail{Replicas: make([]int32, test.replicas)}
		}
		if err := (topics{Partitions: 16, Copies: 3}).flawOf(topic, test.brokers); (err != nil) != test.flaw {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestReport(t *testing.T) {
	r := &report{
		Cluster: []finding{
			{"broker 1", ok, "localhost:19093: its certificate ends on 2027-01-01"},
			{"replicas", wrong, "1 partition lacks \x1b[2Ja replica"},
		},
		Students: []*student{
			{Name: "client1", Expires: "2027-01-01", Certificate: ok, Topic: ok, Write: ok, Read: ok, Others: ok, ReadOnly: ok},
			{Name: "client10", Expires: "2027-01-01", Certificate: ok, Topic: ok, Write: wrong, Read: skipped, Others: ok,
				ReadOnly: skipped, Problems: []string{"write: TOPIC_AUTHORIZATION_FAILED"}},
		},
	}
	var text strings.Builder
	if err := r.writeTable(&text); err != nil {
		t.Fatal(err)
	}
	want := `CLUSTER   RESULT  DETAIL
broker 1  ok      localhost:19093: its certificate ends on 2027-01-01
replicas  WRONG   1 partition lacks \x1b[2Ja replica

STUDENT   CERTIFICATE  UNTIL       TOPIC  WRITE  READ  OTHERS  READ-ONLY  PROBLEMS
client1   ok           2027-01-01  ok     ok     ok    ok      ok         none
client10  ok           2027-01-01  ok     WRONG  -     ok      -          write: TOPIC_AUTHORIZATION_FAILED
`
	if text.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", text.String(), want)
	}
	if got, fine := r.judge(); fine || !strings.Contains(got, "cluster: 1;") || !strings.Contains(got, "1 of 2 students") {
		t.Errorf("%v, %q", fine, got)
	}
	good := &report{Cluster: []finding{{"traces", note, "left"}}, Students: []*student{{Name: "client1"}}}
	if _, fine := good.judge(); !fine {
		t.Error("a note makes a report wrong")
	}
}
