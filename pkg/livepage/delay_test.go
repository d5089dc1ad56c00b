package livepage

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/observer"
)

// measures skips a test that measures and asserts nothing.
func measures(t *testing.T) {
	if os.Getenv("TKAFKA_MEASURE") == "" {
		t.Skip("TKAFKA_MEASURE is not set: this measures and asserts nothing")
	}
}

// times collects delays by the kind of event.
type times map[string][]time.Duration

func (all times) report(t *testing.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		delays := slices.Sorted(slices.Values(all[name]))
		at := func(share float64) time.Duration {
			return delays[int(share*float64(len(delays)-1))].Round(time.Millisecond)
		}
		t.Logf("%-40s median %v, 9 of 10 within %v, worst of %d %v", name, at(0.5), at(0.9), len(delays), at(1))
	}
}

// seen acts, and returns when the expressions became true on the screen. They are asked once for each
// picture of the screen, 60 a second, and the answer is the time after the next.
func (page *tab) seen(t *testing.T, act func(), expressions ...string) []time.Time {
	t.Helper()
	waiting := make(chan string, 1)
	go func() {
		waiting <- page.eval(t, `new Promise(done => {
			window.ready = true;
			const tests = [`+"() => "+strings.Join(expressions, ", () => ")+`], times = [];
			const look = () => {
				const now = tests.map((test, i) => !times[i] && test());
				requestAnimationFrame(() => {
					now.forEach((is, i) => { if (is) times[i] = performance.timeOrigin + performance.now() });
					if (tests.every((_, i) => times[i])) done(times); else look();
				});
			};
			look();
		})`)
	}()
	page.wait(t, `window.ready`, true)
	act()
	var times []float64
	if err := json.Unmarshal([]byte(<-waiting), &times); err != nil {
		t.Fatal(err)
	}
	page.eval(t, `(window.ready = false, 1)`)
	var all []time.Time
	for _, at := range times {
		all = append(all, time.UnixMicro(int64(at*1000)))
	}
	return all
}

// From an update of the source to the screen.
func TestDelay(t *testing.T) {
	measures(t)
	source := scene(16, 2, 1200)
	page := newBrowser(t).open(t, source)
	page.look(t, 1280, "light")
	all := make(times)
	for n := range int64(100) {
		n += 2000
		var start time.Time
		for i, at := range page.seen(t, func() {
			start = time.Now()
			source.show(func(p *observer.Picture) { p.Partitions[0].End = n },
				observer.Event{Kind: observer.Joined, Text: fmt.Sprintf("event %d", n)}, observer.Message{Offset: n, Value: fmt.Sprintf("value %d", n)})
		},
			fmt.Sprintf(`document.querySelector('.lane .end').textContent === (%d).toLocaleString('en')`, n),
			fmt.Sprintf(`document.querySelector('#events li bdi').textContent === 'event %d'`, n),
			fmt.Sprintf(`document.querySelector('#rows .value').textContent === 'value %d'`, n)) {
			name := []string{"a log grows", "an event", "a message"}[i]
			all[name] = append(all[name], at.Sub(start))
		}
	}
	all.report(t)
}

// From an event on the cluster to the screen.
func TestDelayOnCluster(t *testing.T) {
	measures(t)
	l := newLive(t)
	ctx := t.Context()
	all := make(times)
	add := func(name string, from, to time.Time) { all[name] = append(all[name], to.Sub(from)) }
	pause := func(least, most time.Duration) { time.Sleep(least + rand.N(most-least)) } // not in step with the observer

	// Messages: from the acknowledgement.
	client := l.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(l.Topic))
	sent := make([]int, 16)
	message := func(kind string) {
		partition := rand.IntN(16)
		sent[partition]++
		value := fmt.Sprintf("value %d %d", partition, sent[partition])
		var acknowledged time.Time
		at := l.page.seen(t, func() {
			if err := client.ProduceSync(ctx, &kgo.Record{Partition: int32(partition), Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			acknowledged = time.Now()
		},
			fmt.Sprintf(`document.querySelectorAll('.lane .end')[%d].textContent === '%d'`, partition, sent[partition]),
			fmt.Sprintf(`[...document.querySelectorAll('#rows .value')].some(e => e.textContent === '%s')`, value))
		add("a log grows"+kind, acknowledged, at[0])
		add("a message"+kind, acknowledged, at[1])
	}
	for range 100 {
		pause(0, 500*time.Millisecond)
		message("")
	}
	for range 100 {
		pause(2100*time.Millisecond, 2600*time.Millisecond)
		message(", after 2 s of silence")
	}

	// Members: from the answer to the one that joins or leaves.
	assigned := make(chan time.Time, 100)
	member := func(name string, callback kgo.Opt) *kgo.Client {
		joined := l.Client(t, kgo.ClientID(name), kgo.ConsumerGroup(l.Group), kgo.ConsumeTopics(l.Topic), kgo.Balancers(kgo.RangeBalancer()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(100*time.Millisecond), kgo.DisableAutoCommit(), callback)
		go func() {
			for !joined.PollFetches(context.Background()).IsClientClosed() {
			}
		}()
		return joined
	}
	note := func(into chan time.Time) kgo.Opt {
		return kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { into <- time.Now() })
	}
	first := member("first", note(assigned))
	l.page.wait(t, shownAll("#cards .held"), []string{"partitions 0-15"})
	<-assigned

	// Commits: from the answer of the group's coordinator.
	for range 100 {
		if err := client.ProduceSync(ctx, &kgo.Record{Value: []byte("more")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	end := int64(sent[0] + 100)
	for n := end - 99; n <= end; n++ {
		pause(0, 500*time.Millisecond)
		var committed time.Time
		at := l.page.seen(t, func() {
			first.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{l.Topic: {0: {Epoch: -1, Offset: n}}}, nil)
			committed = time.Now()
		}, fmt.Sprintf(`document.querySelector('.lane .lag').textContent === '%d'`, end-n))
		add("a commit", committed, at[0])
	}

	for n := range 100 {
		name := fmt.Sprintf("second-%d", n)
		newest := func(kind, moved string) string {
			return fmt.Sprintf(`(all => { const i = all.indexOf('member 2 (%s) %s'); return i >= 0 && (%q === '' || all.slice(0, i).some(e => e.includes(%q))) })(
				[...document.querySelectorAll('#events bdi')].map(e => e.textContent))`, name, kind, moved, moved)
		}
		pause(0, 500*time.Millisecond)
		mine := make(chan time.Time, 10)
		var second *kgo.Client
		var start time.Time
		at := l.page.seen(t, func() {
			second = member(name, note(mine))
			start = <-mine
		}, `['m1', 'm2'].every(c => document.querySelectorAll('.lane.' + c).length === 8)`,
			newest("joined", ""), newest("joined", "went from member 1 to member 2"))
		add("a member joins: 8 and 8", start, at[0])
		add("a member joins: time line", start, at[1])
		add("partitions move: time line", start, at[2])

		pause(0, 500*time.Millisecond)
		for len(assigned) > 0 {
			<-assigned
		}
		at = l.page.seen(t, func() {
			second.CloseAllowingRebalance()
			start = time.Now()
		}, `document.querySelectorAll('#cards li').length === 1`, newest("left", ""), `document.querySelectorAll('.lane.m1').length === 16`)
		add("a member leaves: card", start, at[0])
		add("a member leaves: time line", start, at[1])
		add("the other one gets all: 16", <-assigned, at[2])
	}
	first.CloseAllowingRebalance()
	for n := range 100 {
		l.page.wait(t, `document.querySelectorAll('#cards li').length`, 0)
		pause(0, 500*time.Millisecond)
		mine := make(chan time.Time, 10)
		var alone *kgo.Client
		at := l.page.seen(t, func() { alone = member(fmt.Sprintf("alone-%d", n), note(mine)) }, `document.querySelectorAll('.lane.m1').length === 16`)
		add("the first member joins: 16", <-mine, at[0])
		alone.CloseAllowingRebalance()
	}
	all.report(t)
}
