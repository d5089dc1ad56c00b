package livepage

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/embedded"
	"tkafka/pkg/observer"
)

// The page shows what real members of an embedded cluster do.
func TestCluster(t *testing.T) {
	cluster, err := embedded.Start(embedded.Config{Topics: []string{"client60"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client := func(options ...kgo.Opt) *kgo.Client {
		t.Helper()
		made, err := cluster.Client(options...)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	watcher := client()
	watched := observer.New(watcher, "client60")
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watched.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		watcher.Close()
	})

	page := newBrowser(t).open(t, watched)
	page.look(t, 1280, "light")
	page.wait(t, shown("#start code"), "go run ./producer client60")
	member := func() *kgo.Client {
		joined := client(kgo.ConsumerGroup("consumer_group_1"), kgo.ConsumeTopics("client60"), kgo.Balancers(kgo.RangeBalancer()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(100*time.Millisecond), kgo.DisableAutoCommit())
		go func() {
			for {
				fetches := joined.PollFetches(ctx)
				if fetches.IsClientClosed() || ctx.Err() != nil {
					return
				}
				joined.CommitUncommittedOffsets(ctx)
			}
		}()
		return joined
	}
	first := member()
	page.wait(t, shownAll("#cards .held"), []string{"partitions 0-15"})
	second := member()
	defer first.CloseAllowingRebalance()
	page.wait(t, `['m1', 'm2'].map(c => document.querySelectorAll('.lane.' + c).length)`, []int{8, 8})
	page.wait(t, `/^(0-7|8-15)$|(0-7|8-15) went from member 1 to member 2/.test(`+shownAll("#events li bdi")+`.join())`, true)

	producer := client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer producer.Close()
	for i := range 10 {
		record := &kgo.Record{Topic: "client60", Partition: int32(i % 3), Value: fmt.Appendf(nil, "message %d", i)}
		if err := producer.ProduceSync(ctx, record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	page.wait(t, shownAll(".lane .end"), []string{"4", "3", "3", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0", "0"})
	page.wait(t, `document.querySelectorAll('#rows tr').length`, 10)
	page.wait(t, shownAll(".lane.has-done .lag"), []string{"0", "0", "0"})
	page.settle(t)
	page.shot(t, screenshots(t)+"/cluster.png")

	second.CloseAllowingRebalance()
	page.wait(t, `document.querySelectorAll('.lane.m1').length + document.querySelectorAll('.lane.m2').length`, 16)
	page.wait(t, shownAll("#cards .held"), []string{"partitions 0-15"})
	page.shot(t, screenshots(t)+"/cluster-left.png")
}
