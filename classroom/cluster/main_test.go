package main

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/issuer"
	"tkafka/pkg/lab/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m, "cluster", main) }

// The scripts use a real producer and a real consumer, too.
func TestScripts(t *testing.T) {
	testbed.Build(t, "tkafka/producer", "tkafka/consumergroup/consumer")
	testbed.Run(t)
}

// Messages that are older than an hour are deleted. The offsets continue, also after a restart.
func TestRetention(t *testing.T) {
	ca, err := issuer.New(issuerName, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	kept := &store{folder: t.TempDir(), ca: ca}
	for round := range int64(3) {
		cluster, err := kept.start(broker.Config{Topics: []string{"t"}})
		if err != nil {
			t.Fatal(err)
		}
		client, err := cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		for partition, age := range []time.Duration{0, retention / 2, retention * 2} {
			message := kgo.Record{Topic: "t", Partition: int32(partition), Timestamp: time.Now().Add(-age)}
			again := message // the client writes into each record
			if err := client.ProduceSync(t.Context(), &message, &again).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := deleteOld(t.Context(), cluster, kadm.NewClient(client)); err != nil {
			t.Fatal(err)
		}
		client.Close()
		for partition, first := range []int64{0, 0, 2*round + 1, 0} {
			info := cluster.Kfake().PartitionInfo("t", int32(partition))
			if info.LogStartOffset != first || info.HighWatermark != 2*round+2 && partition < 3 {
				t.Errorf("round %d, partition %d has the offsets %d to %d", round, partition, info.LogStartOffset, info.HighWatermark)
			}
		}
		cluster.Close()
	}
}
