package observer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
)

const topic = "client60"

// bench is a cluster with the topic, and an observer of it.
type bench struct {
	*testing.T
	cluster  *embedded.Cluster
	client   *kgo.Client
	admin    *kadm.Client
	observer *Observer
	requests atomic.Int64 // of the observer
}

// OnBrokerWrite is a hook of kgo: a request was sent.
func (b *bench) OnBrokerWrite(kgo.BrokerMetadata, int16, int, time.Duration, time.Duration, error) {
	b.requests.Add(1)
}

// start starts a cluster and watches it. If followed is false, nobody follows the observer.
func start(t *testing.T, followed bool) *bench {
	t.Parallel()
	b := &bench{T: t}
	var err error
	b.cluster, err = embedded.Start(embedded.Config{Topics: []string{topic}})
	b.must(err)
	t.Cleanup(b.cluster.Close)
	b.client = b.newClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic))
	b.admin = kadm.NewClient(b.client)
	b.observer = New(b.newClient(kgo.WithHooks(b), kgo.MetadataMinAge(250*time.Millisecond)), topic)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.observer.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != context.Canceled {
			t.Error(err)
		}
	})
	if followed {
		_, stop := b.observer.Follow()
		t.Cleanup(stop)
	}
	b.await("a picture", func(p *Picture) bool { return len(p.Partitions) == 16 && !p.Time.IsZero() })
	return b
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) newClient(options ...kgo.Opt) *kgo.Client {
	client, err := b.cluster.Client(options...)
	b.must(err)
	b.Cleanup(client.Close)
	return client
}

// await waits for a picture.
func (b *bench) await(what string, holds func(*Picture) bool) *Picture {
	b.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if p := b.observer.Picture(); holds(p) {
			return p
		}
	}
	b.Fatalf("not seen: %s\n%+v\n%+v", what, *b.observer.Picture(), b.observer.Events())
	return nil
}

// event waits for an event.
func (b *bench) event(kind, text string) Event {
	b.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		for _, event := range b.observer.Events() {
			if event.Kind == kind && strings.Contains(event.Text, text) {
				return event
			}
		}
	}
	b.Fatalf("no event %s: %s\n%+v", kind, text, b.observer.Events())
	return Event{}
}

func (b *bench) send(partition int32, n int) {
	b.Helper()
	for i := range n {
		b.client.Produce(b.Context(), &kgo.Record{Partition: partition, Value: fmt.Appendf(nil, "message %d", i)}, func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
	}
	b.must(b.client.Flush(b.Context()))
}

func (b *bench) commit(group string, partition int32, offset int64) {
	b.Helper()
	offsets := make(kadm.Offsets)
	offsets.AddOffset(topic, partition, offset, -1)
	_, err := b.admin.CommitOffsets(b.Context(), group, offsets)
	b.must(err)
}

func (p *Picture) group(name string) *Group {
	for i := range p.Groups {
		if p.Groups[i].Name == name {
			return &p.Groups[i]
		}
	}
	return &Group{}
}

// poll consumes in the background until the client is closed.
func poll(client *kgo.Client) *kgo.Client {
	go func() {
		for !client.PollFetches(context.Background()).IsClientClosed() {
		}
	}()
	return client
}

// The brokers assign the partitions (KIP-848).
func TestConsumerGroup(t *testing.T) {
	b := start(t, true)
	member := func() *kgo.Client {
		return poll(b.newClient(kgo.ConsumeTopics(topic), kgo.ConsumerGroup("next"), kgo.ClientID("java"),
			kgo.ServerSideBalancer(), kgo.AutoCommitInterval(200*time.Millisecond)))
	}
	member()
	b.event(Joined, "member 1 (java) joined")
	b.event(Moved, "partitions 0-15 went to member 1")
	second := member()
	b.event(Joined, "member 2 (java) joined")
	p := b.await("8 and 8", func(p *Picture) bool {
		g := p.group("next")
		return len(g.Members) == 2 && len(g.Members[0].Partitions) == 8 && len(g.Members[1].Partitions) == 8 && g.State == "Stable"
	})
	if g := p.group("next"); g.Type != Consumer || g.Epoch < 2 || g.TargetEpoch != g.Epoch {
		t.Errorf("%+v", g)
	}
	b.send(3, 5)
	p = b.await("the commit", func(p *Picture) bool { return p.group("next").Commits[3].Offset == 5 })
	if c := p.group("next").Commits[3]; c.By == 0 || c.By != c.Holder || c.Lag != 0 {
		t.Errorf("%+v", c)
	}
	second.Close()
	b.event(Left, "member 2 (java) left")
	b.await("16", func(p *Picture) bool {
		g := p.group("next")
		return len(g.Members) == 1 && len(g.Members[0].Partitions) == 16
	})
	moved := 0
	for _, event := range b.observer.Events() {
		if event.Kind == Moved && event.From == 1 && event.To == 2 {
			moved += len(event.Partitions)
		}
	}
	if moved != 8 {
		t.Errorf("%d partitions moved from member 1 to member 2\n%+v", moved, b.observer.Events())
	}
}

// The members share the messages (KIP-932).
func TestShareGroup(t *testing.T) {
	b := start(t, true)
	b.cluster.Kfake().SetGroupConfigs("shared", map[string]string{"share.auto.offset.reset": "earliest"})
	b.send(3, 5)
	poll(b.newClient(kgo.ConsumeTopics(topic), kgo.ShareGroup("shared"), kgo.ClientID("worker")))
	b.event(Joined, "member 1 (worker) joined")
	p := b.await("the messages are finished", func(p *Picture) bool {
		g := p.group("shared")
		return len(g.Members) == 1 && len(g.Commits) == 16 && g.Commits[3].Offset == 5
	})
	if g := p.group("shared"); g.Type != Share || g.Epoch < 1 || len(g.Members[0].Partitions) == 0 || g.Commits[3].Holder != 0 || g.Lag != 0 {
		t.Errorf("%+v", g)
	}
}

func TestFaults(t *testing.T) {
	b := start(t, true)
	b.send(0, 10)
	b.commit("old", 0, 3)
	b.commit("old", 1, 7)
	b.must(b.cluster.Kfake().DeleteRecords(topic, 0, 6))
	p := b.await("both faults", func(p *Picture) bool {
		g := p.group("old")
		return len(g.Commits) == 16 && g.Commits[0].Fault != "" && g.Commits[1].Fault != ""
	})
	g := p.group("old")
	if c := g.Commits[0]; c.Fault != "expired" || c.Lag != 4 || p.Partitions[0].Start != 6 {
		t.Errorf("%+v", c)
	}
	if c := g.Commits[1]; c.Fault != "beyond" || c.Lag != 0 {
		t.Errorf("%+v", c)
	}
	if g.Lag != 4 {
		t.Error(g.Lag)
	}
	b.commit("old", 0, 9)
	b.event(Committed, "committed offset 9 in partition 0")
	b.commit("old", 0, 8)
	b.event(Reset, "the committed offset of partition 0 went back to 8")
	_, err := b.admin.DeleteGroups(t.Context(), "old")
	b.must(err)
	b.event(GroupGone, "")
	b.await("no group", func(p *Picture) bool { return len(p.Groups) == 0 })
}

// A group is reported soon after it has come.
func TestNewGroup(t *testing.T) {
	b := start(t, true)
	var took []time.Duration
	for n := range 5 {
		began := time.Now()
		b.commit(fmt.Sprint("group", n), 0, 0)
		b.await("the group", func(p *Picture) bool { return len(p.Groups) == n+1 })
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	t.Log(took)
	if median := took[2]; median > time.Second {
		t.Error(median)
	}
}

// The rates count every message, and the messages are a sample of the newest.
func TestSampling(t *testing.T) {
	b := start(t, true)
	updates, stop := b.observer.Follow()
	defer stop()
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) // all counts are in whole seconds at the end
	const each, partitions = 10_000, 5
	for n := range int32(partitions) {
		b.send(n, each)
	}
	shown, skipped := 0, 0
	for end := time.After(time.Minute); shown+skipped < each*partitions; {
		select {
		case update := <-updates:
			shown += len(update.Messages)
			skipped += update.Skipped
			if len(update.Messages) > keptMessages {
				t.Error(len(update.Messages))
			}
		case <-end:
			t.Fatalf("%d shown, %d skipped", shown, skipped)
		}
	}
	if shown+skipped != each*partitions || shown == 0 || skipped < shown {
		t.Errorf("%d shown, %d skipped", shown, skipped)
	}
	if last := b.observer.Messages(); last[len(last)-1].Offset != each-1 {
		t.Errorf("%+v", last[len(last)-1])
	}
	time.Sleep(time.Second)
	sum := int32(0)
	for _, count := range b.observer.Rates().Total {
		sum += count
	}
	if sum != each*partitions {
		t.Errorf("%d counted", sum)
	}
}

// A viewer that does not read gets the newest picture, and holds up nobody.
func TestSlowFollower(t *testing.T) {
	b := start(t, true)
	slow, stop := b.observer.Follow()
	defer stop()
	for n := range 20 {
		b.send(0, 1)
		b.await("message", func(p *Picture) bool { return p.Partitions[0].End == int64(n+1) })
	}
	time.Sleep(2 * updatePace) // the messages themselves come with the ends, or after them
	update := <-slow
	if update.Picture.Partitions[0].End != 20 || len(update.Messages)+update.Skipped != 20 {
		t.Errorf("%+v", update)
	}
	for i, message := range update.Messages {
		if message.Offset != int64(i) {
			t.Errorf("%+v", message)
		}
	}
}

// At rest, the picture has the numbers of kadm.
func TestSameAsKadm(t *testing.T) {
	b := start(t, true)
	poll(b.newClient(kgo.ConsumeTopics(topic), kgo.ConsumerGroup("g"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitInterval(100*time.Millisecond)))
	for n := range int32(16) {
		b.send(n, int(n)*3)
	}
	b.await("all is committed", func(p *Picture) bool {
		sum := int64(0)
		for _, c := range p.group("g").Commits {
			sum += max(c.Offset, 0)
		}
		return sum == 360
	})
	b.commit("other", 15, 40)
	p := b.await("the other group", func(p *Picture) bool { return len(p.Groups) == 2 && p.group("other").Lag == 5 })
	lags, err := b.admin.Lag(t.Context(), "g", "other")
	b.must(err)
	for _, group := range p.Groups {
		lag := lags[group.Name]
		if lag.State != group.State || len(lag.Members) != len(group.Members) {
			t.Errorf("%+v\n%+v", lag, group)
		}
		for n, c := range group.Commits {
			want := lag.Lag[topic][int32(n)]
			if want.Commit.At != c.Offset || c.Offset >= 0 && (want.Lag != c.Lag || want.End.Offset != p.Partitions[n].End || want.Start.Offset != p.Partitions[n].Start) {
				t.Errorf("%+v\n%+v", want, c)
			}
			if want.IsEmpty() != (c.Holder == 0) {
				t.Errorf("%+v\n%+v", want, c)
			}
		}
	}
	if len(b.observer.Messages()) == 0 {
		t.Error("no messages")
	}
}

// A right is taken away and given back.
func TestRights(t *testing.T) {
	b := start(t, true)
	taken := b.cluster.Kfake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata, kmsg.ListOffsets, kmsg.Fetch},
		Err: kerr.TopicAuthorizationFailed, Count: -1})
	b.event(Lost, "topic client60: TOPIC_AUTHORIZATION_FAILED")
	if p := b.observer.Picture(); p.Trouble == nil || len(p.Partitions) != 16 {
		t.Errorf("%+v", p)
	}
	taken.Remove()
	b.event(Back, "everything answers again")
	b.send(3, 2)
	b.await("it works again", func(p *Picture) bool { return p.Trouble == nil && p.Partitions[3].End == 2 })
}

// Requests for one observer: they are what a class of 300 costs, 300 times.
func TestRequests(t *testing.T) {
	for _, test := range []struct {
		name     string
		followed bool
		groups   int
		most     float64
	}{{"followed, 1 group", true, 1, 40}, {"followed, 3 groups", true, 3, 60}, {"nobody follows", false, 3, 8}} {
		t.Run(test.name, func(t *testing.T) {
			b := start(t, test.followed)
			for n := range test.groups {
				poll(b.newClient(kgo.ConsumeTopics(topic), kgo.ConsumerGroup(fmt.Sprint("g", n))))
			}
			b.await("the groups", func(p *Picture) bool {
				return len(p.Groups) == test.groups && !slices.ContainsFunc(p.Groups, func(g Group) bool { return g.State != "Stable" })
			})
			measure := func(what string) float64 {
				before, began := b.requests.Load(), time.Now()
				time.Sleep(6 * time.Second)
				rate := float64(b.requests.Load()-before) / time.Since(began).Seconds()
				t.Logf("%s: %.1f requests per second", what, rate)
				return rate
			}
			if rate := measure("idle"); rate > test.most {
				t.Errorf("more than %v", test.most)
			}
		})
	}
}
