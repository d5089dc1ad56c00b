package observer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const topic = "client60"

// bench is a cluster with the topic, and an observer of it.
type bench struct {
	*testing.T
	network  kfake.VirtualNetwork
	cluster  *kfake.Cluster
	client   *kgo.Client
	admin    *kadm.Client
	picture  *Picture
	observer *Observer
	requests atomic.Int64 // of the observer
}

// OnBrokerWrite is a hook of kgo: a request was sent.
func (b *bench) OnBrokerWrite(kgo.BrokerMetadata, int16, int, time.Duration, time.Duration, error) {
	b.requests.Add(1)
}

// watch starts a cluster and watches it, with a clock that does not wait: seconds pass in milliseconds.
func watch(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{T: t, picture: new(Picture)}
		var err error
		b.cluster, err = kfake.NewCluster(kfake.Ports(1, 2, 3), kfake.ListenFn(b.network.Listen), kfake.SeedTopics(16, topic))
		b.must(err)
		t.Cleanup(func() {
			b.cluster.Close()
			time.Sleep(time.Minute) // until all timers have ended
		})
		b.client = b.newClient(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic))
		b.admin = kadm.NewClient(b.client)
		b.observer, err = Start(t.Context(), b.newClient(kgo.WithHooks(b)), topic)
		b.must(err)
		b.await("a picture", func(p *Picture) bool { return len(p.Topic.Partitions) == 16 && !p.Time.IsZero() })
		test(t, b)
	})
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) newClient(options ...kgo.Opt) *kgo.Client {
	client, err := kgo.NewClient(append(options, kgo.SeedBrokers(b.cluster.ListenAddrs()...), kgo.Dialer(b.network.DialContext))...)
	b.must(err)
	b.Cleanup(client.Close)
	return client
}

// await waits for a picture.
func (b *bench) await(what string, holds func(*Picture) bool) *Picture {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	for !holds(b.picture) {
		next, err := b.observer.Next(ctx, b.picture.Version)
		if err != nil {
			b.Fatalf("not seen: %s\n%+v", what, b.picture)
		}
		b.picture = next
	}
	return b.picture
}

// event waits for an event.
func (b *bench) event(kind, text string) {
	b.Helper()
	b.await(kind+": "+text, func(p *Picture) bool {
		for _, event := range p.Events {
			if event.Kind == kind && strings.Contains(event.Text, text) {
				return true
			}
		}
		return false
	})
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
	b.must(b.admin.CommitAllOffsets(b.Context(), group, offsets))
}

func (p *Picture) group(name string) Group {
	for _, group := range p.Groups {
		if group.Name == name {
			return group
		}
	}
	return Group{Commits: make([]Commit, 16)}
}

// join starts a member, which reads until it is closed.
func (b *bench) join(name string, options ...kgo.Opt) *kgo.Client {
	member := b.newClient(append(options, kgo.ConsumeTopics(topic), kgo.ClientID(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(100*time.Millisecond), kgo.HeartbeatInterval(100*time.Millisecond))...)
	go func() {
		for !member.PollFetches(context.Background()).IsClientClosed() {
		}
	}()
	return member
}

// Members join, read and leave: once the brokers assign the partitions (KIP-848), and once a member does.
func TestMembers(t *testing.T) {
	t.Parallel()
	for kind, option := range map[GroupType]kgo.Opt{Consumer: kgo.ServerSideBalancer(), Classic: kgo.Balancers(kgo.RangeBalancer())} {
		t.Run(string(kind), func(t *testing.T) {
			watch(t, func(t *testing.T, b *bench) {
				b.join("java", option, kgo.ConsumerGroup("g"))
				b.event(Joined, "member 1 (java) joined")
				b.event(Moved, "partitions 0-15 went to member 1")
				second := b.join("java", option, kgo.ConsumerGroup("g"))
				b.event(Joined, "member 2 (java) joined")
				p := b.await("8 and 8", func(p *Picture) bool {
					g := p.group("g")
					return len(g.Members) == 2 && len(g.Members[0].Partitions) == 8 && len(g.Members[1].Partitions) == 8 && g.State == "Stable"
				})
				if g := p.group("g"); g.Type != kind || kind == Consumer && g.Epoch < 2 {
					t.Errorf("%+v", g)
				}
				b.event(Moved, "went from member 1 to member 2")
				b.send(3, 5)
				p = b.await("the commit", func(p *Picture) bool { return p.group("g").Commits[3].Offset == 5 && len(p.Messages) == 5 })
				c := p.group("g").Commits[3]
				if c.By == 0 || c.By != c.Holder || c.Lag != 0 {
					t.Errorf("%+v", c)
				}
				if m := p.Messages[4]; m.Value != "message 4" || m.Offset != 4 || m.Holders["g"] != c.Holder {
					t.Errorf("%+v", m)
				}
				b.send(3, 1)
				p = b.await("one more", func(p *Picture) bool { return p.group("g").Commits[3].Offset == 6 })
				if p.Topic.Rate == 0 || p.group("g").Members[c.Holder-1].Rate == 0 || p.group("g").Members[c.Holder-1].LastCommit.IsZero() {
					t.Errorf("%+v", p)
				}
				second.CloseAllowingRebalance()
				b.event(Left, "member 2 (java) left")
				b.await("16", func(p *Picture) bool {
					g := p.group("g")
					return len(g.Members) == 1 && len(g.Members[0].Partitions) == 16
				})
			})
		})
	}
}

// The members share the messages (KIP-932).
func TestShareGroup(t *testing.T) {
	watch(t, func(t *testing.T, b *bench) {
		b.cluster.SetGroupConfigs("shared", map[string]string{"share.auto.offset.reset": "earliest"})
		b.send(3, 5)
		b.join("worker", kgo.ShareGroup("shared"))
		b.event(Joined, "member 1 (worker) joined")
		p := b.await("the messages are finished", func(p *Picture) bool {
			g := p.group("shared")
			return len(g.Members) == 1 && g.Commits[3].Offset == 5
		})
		if g := p.group("shared"); g.Type != Share || g.Epoch < 1 || len(g.Members[0].Partitions) == 0 || g.Commits[3].Holder != 0 || g.Lag != 0 {
			t.Errorf("%+v", g)
		}
		for _, event := range p.Events { // that the group begins in 16 partitions is no work
			if event.Kind == Committed && event.Text != "finished messages in partition 3" {
				t.Errorf("%+v", event)
			}
		}
	})
}

func TestFaults(t *testing.T) {
	watch(t, func(t *testing.T, b *bench) {
		b.send(0, 10)
		b.commit("old", 0, 3)
		b.commit("old", 1, 7)
		b.must(b.cluster.DeleteRecords(topic, 0, 6))
		p := b.await("both faults", func(p *Picture) bool {
			return p.group("old").Commits[0].Fault == "expired" && p.group("old").Commits[1].Fault == "beyond"
		})
		if g := p.group("old"); g.Commits[0].Lag != 4 || p.Topic.Partitions[0].Start != 6 || g.Commits[1].Lag != 0 || g.Lag != 4 {
			t.Errorf("%+v", g)
		}
		b.commit("old", 0, 9)
		b.event(Committed, "committed offset 9 in partition 0")
		b.commit("old", 0, 8)
		b.event(Reset, "the committed offset of partition 0 went back to 8")
		_, err := b.admin.DeleteGroups(t.Context(), "old")
		b.must(err)
		b.event(GroupGone, "")
		b.await("no group", func(p *Picture) bool { return len(p.Groups) == 0 })
		b.commit("old", 0, 9) // it comes again
		b.await("the group", func(p *Picture) bool { return len(p.Groups) == 1 })
	})
}

// At rest, the picture has the numbers of kadm.
func TestSameAsKadm(t *testing.T) {
	watch(t, func(t *testing.T, b *bench) {
		b.join("g", kgo.ConsumerGroup("g"))
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
				want, log := lag.Lag[topic][int32(n)], p.Topic.Partitions[n]
				if want.IsEmpty() != (c.Holder == 0) || want.Commit.At != c.Offset || want.Start.Offset != log.Start ||
					want.End.Offset != log.End || c.Offset >= 0 && want.Lag != c.Lag {
					t.Errorf("%+v\n%+v", want, c)
				}
			}
		}
	})
}

// A right is taken away and given back.
func TestRights(t *testing.T) {
	watch(t, func(t *testing.T, b *bench) {
		taken := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata, kmsg.ListOffsets, kmsg.Fetch},
			Err: kerr.TopicAuthorizationFailed, Count: -1})
		b.event(Lost, "no right to use topic client60")
		if p := b.picture; p.Trouble == nil || len(p.Topic.Partitions) != 16 {
			t.Errorf("%+v", p)
		}
		taken.Remove()
		b.event(Back, "everything answers again")
		b.send(3, 2)
		b.await("it works again", func(p *Picture) bool {
			return p.Trouble == nil && p.Topic.Partitions[3].End == 2 && len(p.Messages) == 2
		})
	})
}

// A message and a commit are in the picture within half a second.
func TestDelay(t *testing.T) {
	watch(t, func(t *testing.T, b *bench) {
		took := make(map[string][]time.Duration)
		add := func(what string, began time.Time) { took[what] = append(took[what], time.Since(began)) }
		for n := range 5 {
			time.Sleep(time.Duration(n) * 41 * time.Millisecond) // not in step with the rounds
			b.send(5, 1)
			began := time.Now()
			b.await("the message", func(p *Picture) bool { return len(p.Messages) == n+1 && p.Topic.Partitions[5].End == int64(n+1) })
			add("message", began)
			time.Sleep(time.Duration(n) * 23 * time.Millisecond)
			b.commit("g", 5, int64(n))
			began = time.Now()
			b.await("the commit", func(p *Picture) bool { return p.group("g").Commits[5].Offset == int64(n) })
			add("commit", began)
		}
		for what, all := range took {
			slices.Sort(all)
			if t.Logf("%s: %v to %v, median %v", what, all[0], all[len(all)-1], all[len(all)/2]); all[len(all)/2] > 500*time.Millisecond {
				t.Error("too late")
			}
		}
	})
}

// A flood of messages does not delay the picture, and the newest are there at the end.
func TestFlood(t *testing.T) {
	watch(t, func(t *testing.T, b *bench) {
		const each, partitions = 20_000, 5
		for n := range int32(partitions) {
			b.send(n, each)
		}
		p := b.await("the last message", func(p *Picture) bool {
			return len(p.Messages) == keptMessages && p.Messages[keptMessages-1].Offset == each-1
		})
		if p.Topic.Rate < each/10 {
			t.Error(p.Topic.Rate)
		}
	})
}

// The requests of one observer are what a class of 300 costs, 300 times.
func TestRequests(t *testing.T) {
	watch(t, func(t *testing.T, b *bench) {
		b.join("g", kgo.ConsumerGroup("g"))
		_, err := b.admin.CreateTopic(t.Context(), 16, -1, nil, "client1")
		b.must(err)
		for n := range 50 { // groups of another student
			other := make(kadm.Offsets)
			other.AddOffset("client1", 0, 0, -1)
			b.must(b.admin.CommitAllOffsets(t.Context(), fmt.Sprint("other", n), other))
		}
		b.await("the group", func(p *Picture) bool { return p.group("g").State == "Stable" })
		const rounds = 5
		before, began := b.requests.Load(), time.Now()
		for range rounds {
			last := b.picture
			b.await("the next picture", func(p *Picture) bool { return p != last })
		}
		took := max(time.Since(began), (rounds+1)*roundTime) // when this test sees the last picture, the next round may have begun
		rate := float64(b.requests.Load()-before) / took.Seconds()
		if t.Logf("%.1f requests per second", rate); rate > 40 || new(Observer).pause() != restTime {
			t.Error("too many")
		}
	})
}
