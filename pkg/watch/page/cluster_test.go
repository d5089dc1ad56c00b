package page

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/testbed"
	"tkafka/pkg/watch/browser"
	"tkafka/pkg/watch/observer"
)

// live is the page of a topic on a cluster.
type live struct {
	topic, group string
	client       func(...kgo.Opt) *kgo.Client
	admin        *kadm.Client
	producer     *kgo.Client
	page         *browser.Tab
}

// newLive opens the page of a topic on the cluster of the scripts: an embedded one, or that of TKAFKA_TEST_AUTH.
func newLive(t *testing.T) *live {
	bench := testbed.NewBench(t)
	return watch(t, bench.Topic, bench.Group, func(options ...kgo.Opt) *kgo.Client { return bench.Client(t, options...) })
}

func watch(t *testing.T, topic, group string, client func(...kgo.Opt) *kgo.Client) *live {
	t.Helper()
	source, err := observer.Start(t.Context(), client(), topic)
	if err != nil {
		t.Fatal(err)
	}
	l := &live{topic, group, client, kadm.NewClient(client()), client(kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner())), open(t, source)}
	l.page.Wait(shown("#start code"), "go run ./producer "+topic)
	return l
}

// join starts a member, which reads until it is closed. From then on that stand is true, it keeps what it gets.
func (l *live) join(name string, stand *atomic.Bool) *kgo.Client {
	member := l.client(kgo.ClientID(name), kgo.ConsumerGroup(l.group), kgo.ConsumeTopics(l.topic), kgo.Balancers(kgo.RangeBalancer()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(200*time.Millisecond), kgo.HeartbeatInterval(200*time.Millisecond),
		kgo.BlockRebalanceOnPoll())
	go func() {
		for {
			fetches := member.PollFetches(context.Background())
			if fetches.IsClientClosed() || stand.Load() && fetches.NumRecords() > 0 {
				return
			}
			member.AllowRebalance()
		}
	}()
	return member
}

// send sends messages, each one to the next partition.
func (l *live) send(t *testing.T, n int) {
	t.Helper()
	var all []*kgo.Record
	for i := range n {
		all = append(all, &kgo.Record{Partition: int32(i % 16), Key: []byte(fmt.Sprint(i)), Value: fmt.Appendf(nil, "message %d", i)})
	}
	if err := l.producer.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// compare waits until the page has the numbers that kadm has: partition, end, committed offset, lag, and whether
// somebody holds the partition.
func (l *live) compare(t *testing.T) {
	t.Helper()
	lags, err := l.admin.Lag(t.Context(), l.group)
	if err = errors.Join(err, lags.Error()); err != nil {
		t.Fatal(err)
	}
	var rows []string
	for partition := range int32(16) {
		found := lags[l.group].Lag[l.topic][partition]
		rows = append(rows, fmt.Sprintf("%d %d %d %d %v", partition, found.End.Offset, found.Commit.At, found.Lag, found.Member != nil))
	}
	l.page.Wait(`[...document.querySelectorAll('.lane')].map(e => {
		const text = part => e.querySelector(part).textContent;
		return [text('.name'), text('.end'), text('.unseen').match(/up to offset (\d+)/)?.[1], text('.lag'), text('.chip') !== '–'].join(' ');
	})`, rows)
}

// happened waits until the time line has these events, oldest first. Others may be between them.
func (l *live) happened(t *testing.T, texts ...string) {
	t.Helper()
	pattern := strings.Join(texts, `(.*\n)+?`)
	l.page.Matches(`[...document.querySelectorAll('#events bdi')].map(e => e.textContent + '\n').reverse().join('')`, pattern)
}

const lanesOf = `['m1', 'm2', 'nobody'].map(c => document.querySelectorAll('.lane.' + c).length)`

// Two members share the partitions, a producer sends, and a member is killed.
func TestGroup(t *testing.T) {
	t.Parallel()
	l := newLive(t)
	var stand atomic.Bool
	first := l.join("one", new(atomic.Bool))
	l.page.Wait(shownAll("#cards .held"), []string{"partitions 0-15"})
	second := l.join("two", &stand)
	l.page.Wait(lanesOf, []int{8, 8, 0})
	l.page.Wait(shown("#headline")+`.split(';')[0]`, "2 members share 16 partitions")
	l.happened(t, `^member 1 \(one\) joined`, `^partitions 0-15 went to member 1`, `^member 2 \(two\) joined`, `^partitions \S+ went from member 1 to member 2`)

	l.send(t, 40)
	l.page.Wait(shownAll(".lane .end"), slices.Concat(slices.Repeat([]string{"3"}, 8), slices.Repeat([]string{"2"}, 8)))
	l.page.Wait(shownAll("#rows .chip")+`.every(holder => holder === '1' || holder === '2')`, true)
	l.page.Wait(`document.querySelectorAll('#rows tr').length`, 16)
	l.page.Wait(shown("#headline"), "2 members share 16 partitions; everything is committed.")
	l.compare(t)

	// Member 1 leaves. The other one works on its messages, so it takes its time to get the partitions.
	stand.Store(true)
	l.send(t, 16)
	l.page.Wait(shown("#headline"), "2 members share 16 partitions; the lag is 8.")
	first.CloseAllowingRebalance()
	l.page.Wait(lanesOf, []int{0, 8, 8})
	l.page.Wait(shown("#headline"), "1 member holds 8 of 16 partitions; the lag is 8.")
	l.page.Wait(shownAll("#legend .term:not([hidden])")+`.includes('held by nobody')`, true)
	second.AllowRebalance()
	l.page.Wait(lanesOf, []int{0, 16, 0})
	l.happened(t, `^member 1 \(one\) left`, `^partitions \S+ went from member 1 to member 2`)

	second.CloseAllowingRebalance()
	l.send(t, 20)
	l.page.Wait(lanesOf, []int{0, 0, 16})
	l.page.Wait(shown("#headline"), "The group has no members; the lag is 28.")
	l.compare(t)
}

// The pictures of the README: the page during sections 2 and 3. .ci/record-watch makes them again.
func TestPictures(t *testing.T) {
	if os.Getenv("TKAFKA_SCREENSHOTS") == "" {
		t.Skip("TKAFKA_SCREENSHOTS is not set: this makes pictures and asserts nothing")
	}
	cluster, err := broker.Start(broker.Config{Topics: []string{"client60", "client61"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client := func(options ...kgo.Opt) *kgo.Client {
		client, err := kgo.NewClient(append(options, kgo.SeedBrokers(cluster.Brokers()...))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(client.CloseAllowingRebalance)
		return client
	}
	commit := watch(t, "client61", "client61_group", client)
	commit.page.Eval(`document.getElementById('commits').click()`)
	consumer := commit.join("consumercommit", new(atomic.Bool))
	commit.page.Wait(shownAll("#cards .held"), []string{"partitions 0-15"})
	for n := range 3 {
		if n == 2 {
			consumer.CloseAllowingRebalance()
		}
		commit.producer.ProduceSync(t.Context(), &kgo.Record{Partition: 4, Value: fmt.Appendf(nil, "message %d", n)})
		if n < 2 {
			commit.page.Wait(`document.querySelector('.has-done:not(.has-todo) .end')?.textContent`, fmt.Sprint(n+1))
		}
	}
	commit.page.Wait(shown("#headline"), "The group has no members; the lag is 1.")
	pictures(commit.page, "watch-commit")

	group := watch(t, "client60", "consumer_group_1", client)
	var stand atomic.Bool
	group.join("consumer", &stand)
	group.page.Wait(shownAll("#cards .held"), []string{"partitions 0-15"})
	group.send(t, 60)
	group.page.Wait(shown("#headline"), "1 member holds all 16 partitions; everything is committed.")
	group.join("consumer", &stand)
	group.page.Wait(lanesOf, []int{8, 8, 0})
	stand.Store(true)
	group.send(t, 20)
	group.page.Wait(shown("#headline"), "2 members share 16 partitions; the lag is 20.")
	pictures(group.page, "watch-group")
}

// pictures writes the lanes, the members and the time line in both themes, without the margins of the
// page and its other sections: a README shows pictures smaller than they are.
func pictures(page *browser.Tab, name string) {
	const window, width = 1360, 1280 // in a smaller window the members are below the lanes
	page.Eval(fmt.Sprintf(`(() => {
		document.documentElement.style.fontSize = '16px';
		Object.assign(document.body.style, {margin: 0, padding: '20px', width: '%dpx', fontFamily: '"Liberation Sans", sans-serif'});
		document.getElementById('events').style.maxBlockSize = 'none';
		document.getElementById('messages').style.display = 'none';
	})()`, width))
	for _, theme := range []string{"light", "dark"} {
		var height float64
		page.Look(window, theme)
		fmt.Sscan(page.Eval(`document.getElementById('partitions').getBoundingClientRect().bottom + 20`), &height)
		page.Shot(name+"-"+theme, width, height)
	}
}
