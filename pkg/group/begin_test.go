package group

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/lab/broker"
)

// Where a group begins in partitions with a committed offset, with one that the partition never had, without one, and
// with one of messages that are deleted.
func TestBegin(t *testing.T) {
	cluster, err := broker.Start(broker.Config{Topics: []string{"client60"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for partition := range int32(4) {
		for range 4 {
			message := &kgo.Record{Topic: "client60", Partition: partition}
			if err := client.ProduceSync(t.Context(), message).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cluster.Kfake().DeleteRecords("client60", 3, 2); err != nil {
		t.Fatal(err)
	}
	admin := kadm.NewClient(client)
	var before kadm.Offsets
	before.AddOffset("client60", 0, 2, -1)
	before.AddOffset("client60", 1, 99, -1)
	before.AddOffset("client60", 3, 0, -1)

	for _, test := range []struct {
		name  string
		reset kgo.Offset
		want  map[int32]int64
	}{
		{"latest", kgo.NewOffset().AtEnd(), map[int32]int64{0: 2, 1: 4, 2: 4, 3: 2, 15: 0}},
		{"earliest", kgo.NewOffset().AtStart(), map[int32]int64{0: 2, 1: 99, 3: 0}},
	} {
		if err := admin.CommitAllOffsets(t.Context(), test.name, before); err != nil {
			t.Fatal(err)
		}
		begun := make(chan bool)
		member, err := cluster.Client(kgo.ConsumeTopics("client60"), kgo.ConsumerGroup(test.name), kgo.ConsumeResetOffset(test.reset),
			kgo.DisableAutoCommit(), kgo.OnPartitionsAssigned(func(ctx context.Context, client *kgo.Client, ours map[string][]int32) {
				Begin(ctx, client, ours)
				close(begun)
			}))
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-begun:
		case <-time.After(time.Minute):
			t.Fatal("not assigned")
		}
		committed, err := admin.FetchOffsets(t.Context(), test.name)
		if err != nil {
			t.Fatal(err)
		}
		for partition := range int32(16) {
			want, isCommitted := test.want[partition]
			at, ok := committed.Lookup("client60", partition)
			if isCommitted && at.At != want || test.name == "earliest" && ok != isCommitted {
				t.Errorf("%s: partition %d: %d, %v", test.name, partition, at.At, ok)
			}
		}
		Leave(member)
		member.Close()
	}
}

// What ends the loop of consumercommit.
func TestNotCommitted(t *testing.T) {
	message := &kgo.Record{Topic: "client60"}
	for err, ends := range map[error]bool{
		context.Canceled: true, kerr.GroupAuthorizationFailed: true, kerr.TopicAuthorizationFailed: true,
		kerr.UnknownMemberID: false, kerr.RebalanceInProgress: false, errors.New("no broker"): false,
	} {
		if got := NotCommitted(message, err); (got != nil) != ends || ends && !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
	full := errors.New("disk full")
	if err := NotStored(message, full); !errors.Is(err, full) {
		t.Error(err)
	}
}
