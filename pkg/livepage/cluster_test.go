package livepage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/group"
	"tkafka/pkg/observer"
	"tkafka/pkg/process"
	"tkafka/pkg/testbed"
)

// live is the page of a topic on a cluster: an embedded one, or that of TKAFKA_TEST_AUTH.
type live struct {
	*testbed.Bench
	programs string // the folder of the tutorial's programs
	admin    *kadm.Client
	observer *observer.Observer
	page     *tab
}

// newLive opens the page of a topic, on which programs of the tutorial can run.
func newLive(t *testing.T, programs ...string) *live {
	b := newBrowser(t)
	folders := make(map[string]string)
	for _, program := range programs {
		folders[filepath.Base(program)] = program
	}
	l := &live{Bench: testbed.NewBench(t), programs: build(t, folders)}
	l.admin = kadm.NewClient(l.Client(t))
	l.observer = watch(t, l.Client(t), l.Topic)
	l.page = b.open(t, l.observer)
	l.page.look(t, 1280, "light")
	l.page.wait(t, shown("#start code"), "go run ./producer "+l.Topic)
	return l
}

// start starts a program of the tutorial, or the one with this path.
func (l *live) start(t *testing.T, name string, args ...string) *process.Process {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(l.programs, name)
	}
	return start(t, l.Dir, []string{"KAFKA_BROKERS=" + strings.Join(l.Brokers, ",")}, name, args...)
}

// send sends lines with the keys 0, 1, 2 and so on.
func (l *live) send(t *testing.T, lines ...string) {
	t.Helper()
	feed(t, l.start(t, "producer", l.Topic), lines...)
}

// hello sends a message to each partition, and waits until both members have committed theirs.
func (l *live) hello(t *testing.T) {
	t.Helper()
	client := l.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for partition := range int32(16) {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: l.Topic, Partition: partition, Value: []byte("hello")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	l.page.wait(t, committed(16), true)
	l.page.wait(t, shownAll("#rows .chip")+`.sort().join('')`, "1111111122222222")
}

// happened waits until the time line has these events, oldest first. Others may be between them.
func (l *live) happened(t *testing.T, texts ...string) {
	t.Helper()
	pattern := strings.Join(texts, `(.*\n)+?`)
	l.page.wait(t, fmt.Sprintf(`(all => RegExp(%q, 'm').test(all) || all)([...document.querySelectorAll('#events bdi')].map(e => e.textContent + '\n').reverse().join(''))`, pattern), true)
}

// evict removes a member from a group. The group itself would miss a member that was killed after its
// session timeout: 45 s.
func (l *live) evict(t *testing.T, name, id string) {
	t.Helper()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = name
	leaving := kmsg.NewLeaveGroupRequestMember()
	leaving.MemberID = id
	req.Members = append(req.Members, leaving)
	if resp, err := req.RequestWith(t.Context(), l.Client(t)); err != nil || resp.ErrorCode != 0 {
		t.Fatalf("%v, error code %d", err, resp.ErrorCode)
	}
}

// The lanes in numbers: partition, end, committed offset, lag, and whether somebody holds it.
const numbers = `[...document.querySelectorAll('.lane')].map(e => {
	const text = part => e.querySelector(part).textContent.replaceAll(',', '');
	const committed = text('.unseen').replaceAll(',', '').match(/up to offset (\d+)/)?.[1] ?? '–';
	return [text('.name'), text('.end'), committed, text('.lag'), text('.chip') !== '–'].join(' ');
})`

// compare waits until the page has the numbers that kadm has before and after.
func (l *live) compare(t *testing.T, name string) {
	t.Helper()
	ask := func() (rows []string) {
		all, err := l.admin.Lag(t.Context(), name)
		if err = errors.Join(err, all.Error()); err != nil {
			t.Fatal(err)
		}
		for partition := range int32(16) {
			found := all[name].Lag[l.Topic][partition]
			committed, lag := "–", "–"
			if found.Commit.At >= 0 {
				committed, lag = fmt.Sprint(found.Commit.At), fmt.Sprint(found.Lag)
			}
			rows = append(rows, fmt.Sprintf("%d %d %s %s %v", partition, found.End.Offset, committed, lag, found.Member != nil))
		}
		return rows
	}
	before := ask()
	for {
		l.page.wait(t, numbers, before)
		after := ask()
		if slices.Equal(before, after) {
			t.Logf("partition, end, committed, lag, held: %s", strings.Join(after, "; "))
			return
		}
		before = after
	}
}

// committed is true if so many messages are there, and the group has committed all. A member commits
// after 5 s at most.
func committed(messages int) string {
	const sum = `[...document.querySelectorAll('.lane %s')].reduce((sum, e) => sum + Number(e.textContent), 0)`
	return fmt.Sprintf(sum+" === %d && "+sum+" === 0", ".end", messages, ".lag")
}

const (
	lanesOf = `['m1', 'm2', 'nobody'].map(c => document.querySelectorAll('.lane.' + c).length)`
	half    = `(0-7|8-15)`
)

// The group of section 3: two members share the partitions, a producer sends, and a member is killed.
func TestGroup(t *testing.T) {
	l := newLive(t, "consumergroup/consumer", "consumergroup/producer")
	first := l.start(t, "consumer", l.Topic, l.Group)
	expect(t, first, &first.Stderr, group.Assigned.String())
	l.page.wait(t, shownAll("#cards .held"), []string{"partitions 0-15"})
	second := l.start(t, "consumer", l.Topic, l.Group)
	l.page.wait(t, lanesOf, []int{8, 8, 0})
	l.page.wait(t, shownAll("#cards .held")+`.sort()`, []string{"partitions 0-7", "partitions 8-15"})
	l.page.wait(t, shown("#headline")+`.split(';')[0]`, "2 members share 16 partitions")
	l.happened(t, `^member 1 \(\w+\) joined`, `^partitions 0-15 went to member 1`, `^member 2 \(\w+\) joined`,
		`^partitions `+half+` went from member 1 to member 2`)
	expect(t, second, &second.Stderr, group.Assigned.String())

	// Three messages: their lanes grow, and no other. The members print where they are.
	l.send(t, "one", "two", "three")
	printed := regexp.MustCompile(`(?m)^partition (\d+), offset (\d+), key \d, value (one|two|three)$`)
	ends := slices.Repeat([]string{"0"}, 16)
	var received [][]string
	eventually(t, "three messages are received", func() bool {
		received = printed.FindAllStringSubmatch(first.Stdout.String()+second.Stdout.String(), -1)
		return len(received) == 3
	})
	for _, match := range received {
		var partition, offset int
		fmt.Sscan(match[1]+" "+match[2], &partition, &offset)
		ends[partition] = fmt.Sprint(offset + 1)
	}
	l.page.wait(t, shownAll(".lane .end"), ends)
	l.page.wait(t, `[...document.querySelectorAll('.lane')].map(e => e.querySelector('.log').getBoundingClientRect().width > 20 ? e.querySelector('.end').textContent : '0')`, ends)
	l.page.wait(t, shownAll("#rows .value")+`.sort()`, []string{"one", "three", "two"})

	// The numbers are those of kadm: while the members read, and after they have left.
	var more []string
	for i := range 200 {
		more = append(more, fmt.Sprintf("message %d", i))
	}
	l.send(t, more...)
	l.page.wait(t, committed(203), true)
	l.compare(t, l.Group)
	l.page.settle(t)
	l.page.shot(t, screenshots(t)+"/cluster.png")

	// Member 1 is killed. The other one stands still, so that it takes its time to join again.
	killed := l.observer.Picture().Groups[0].Members[0]
	first.KillAll()
	if err := second.Pause(); err != nil {
		t.Fatal(err)
	}
	l.evict(t, l.Group, killed.ID)
	l.page.wait(t, lanesOf, []int{0, 8, 8})
	l.page.wait(t, shown("#headline"), "1 member holds 8 of 16 partitions; everything is committed.")
	l.page.wait(t, shownAll("#legend .term:not([hidden])")+`.includes('held by nobody')`, true)
	l.page.shot(t, screenshots(t)+"/cluster-killed.png")
	if err := second.Continue(); err != nil {
		t.Fatal(err)
	}
	l.page.wait(t, lanesOf, []int{0, 16, 0})
	l.happened(t, `^member 1 \(\w+\) left`, `^partitions `+half+` went from member 1 to member 2`)

	stop(t, second)
	l.send(t, more[:20]...)
	l.page.wait(t, lanesOf, []int{0, 0, 16})
	l.page.wait(t, shown("#headline"), "The group has no members; 20 messages are not committed.")
	l.compare(t, l.Group)
}

// The program of section 2 is stopped while it stores a message. The message is marked, and comes again.
func TestStoppedWhileStoring(t *testing.T) {
	l := newLive(t, "commitoffsets/consumercommit", "consumergroup/producer")
	run := func(storeTime, line string) *process.Process {
		p := l.start(t, "consumercommit", l.Topic, l.Group, "--store-time", storeTime)
		expect(t, p, &p.Stdout, line)
		return p
	}
	l.send(t, "first order") // both have the key 0, and so the same partition
	stop(t, run("1ms", "^Message committed"))
	l.send(t, "second order")
	// marked is how many lanes have committed messages, solid, before one that is not committed, hatched.
	const marked = `[...document.querySelectorAll('.lane.has-done.has-todo')].filter(e => {
		const [done, todo] = ['.done', '.todo'].map(part => e.querySelector(part));
		return getComputedStyle(todo).backgroundImage.startsWith('repeating-linear-gradient') && getComputedStyle(done).backgroundImage === 'none' &&
			Math.abs(todo.getBoundingClientRect().width - done.getBoundingClientRect().width) < 1 && todo.getBoundingClientRect().width > 20 &&
			e.querySelector('.lag').textContent === '1' && e.querySelector('.end').textContent === '2';
	}).length`

	storing := run("1h", "^Start Storing")
	l.page.wait(t, marked, 1)
	l.page.wait(t, `document.querySelectorAll('.lane:not(.nobody)').length`, 16) // of member 1, or 2 if it came while 1 left
	stop(t, storing)
	l.page.wait(t, lanesOf, []int{0, 0, 16})
	l.page.wait(t, marked, 1)
	l.page.wait(t, shown("#headline"), "The group has no members; 1 message is not committed.")
	l.page.wait(t, `document.querySelector('.has-todo .unseen').textContent`, fmt.Sprintf("Nobody holds partition %s: the group has committed up to offset 1 of 2, "+
		"and 1 message will be read, or read again after a crash.", strings.Trim(l.page.eval(t, `document.querySelector('.has-todo .name').textContent`), `"`)))
	l.compare(t, l.Group)
	l.page.settle(t)
	l.page.shot(t, screenshots(t)+"/cluster-stopped.png")

	again := run("1ms", "^Message committed")
	if out := again.Stdout.String(); !strings.HasPrefix(out, "second order\n") {
		t.Errorf("it was not read again: %s", out)
	}
	l.page.wait(t, `document.querySelectorAll('.has-todo').length`, 0)
	l.page.wait(t, shown("#headline"), "1 member holds all 16 partitions; everything is committed.")
	stop(t, again)
}

// A member in Python (librdkafka) shares a group with one of ours. Its commits name no member.
func TestPythonMember(t *testing.T) {
	python := os.Getenv("TKAFKA_PYTHON")
	if python == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TKAFKA_PYTHON is not set: .ci/run sets it")
		}
		t.Skip("TKAFKA_PYTHON is not set: it names a Python that has confluent-kafka")
	}
	l := newLive(t, "consumergroup/consumer")
	zero := make(kadm.Offsets) // so that no message comes before a member knows its offset
	for partition := range int32(16) {
		zero.AddOffset(l.Topic, partition, 0, -1)
	}
	if err := l.admin.CommitAllOffsets(t.Context(), l.Group, zero); err != nil {
		t.Fatal(err)
	}
	ours := l.start(t, "consumer", l.Topic, l.Group)
	l.page.wait(t, shownAll("#cards .held"), []string{"partitions 0-15"})
	original, err := filepath.Abs("../../.ci/original.py")
	if err != nil {
		t.Fatal(err)
	}
	theirs := l.start(t, python, "-u", original, "member", l.Topic, l.Group)
	l.page.wait(t, lanesOf, []int{8, 8, 0})
	l.page.wait(t, shownAll("#cards strong"), []string{"consumer", "rdkafka"})
	l.page.wait(t, shownAll("#cards .held")+`.sort()`, []string{"partitions 0-7", "partitions 8-15"})
	l.happened(t, `^member 2 \(rdkafka\) joined`, `^partitions `+half+` went from member 1 to member 2`)

	l.hello(t)
	l.compare(t, l.Group)
	l.page.wait(t, shown("#cards li:nth-child(2)")+`.includes('/s, lag 0, committed')`, true)
	l.page.settle(t)
	l.page.shot(t, screenshots(t)+"/cluster-python.png")

	theirs.KillAll()
	l.evict(t, l.Group, l.observer.Picture().Groups[0].Members[1].ID)
	l.page.wait(t, lanesOf, []int{16, 0, 0})
	l.happened(t, `^member 2 \(rdkafka\) left`, `^partitions `+half+` went from member 2 to member 1`)
	stop(t, ours)
}

// The brokers assign the partitions of a group (KIP-848). It has epochs.
func TestConsumerProtocol(t *testing.T) {
	l := newLive(t)
	member := func(name string) *kgo.Client {
		joined := l.Client(t, kgo.ClientID(name), kgo.ConsumerGroup(l.Group), kgo.ConsumeTopics(l.Topic), kgo.ServerSideBalancer(),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.AutoCommitInterval(200*time.Millisecond))
		go func() {
			for !joined.PollFetches(context.Background()).IsClientClosed() {
			}
		}()
		return joined
	}
	member("one")
	l.page.wait(t, shownAll("#cards .held"), []string{"partitions 0-15"})
	if listed, err := l.admin.ListGroups(t.Context()); err != nil || listed[l.Group].GroupType != "consumer" {
		if os.Getenv("TKAFKA_TEST_AUTH") == "" || err != nil {
			t.Fatal(listed[l.Group], err)
		}
		t.Skip("needs Kafka 4")
	}
	// same requires that the page has the epoch of kadm, which changes with each member.
	same := func(members int) (epoch int32) {
		t.Helper()
		groups, err := l.admin.DescribeConsumerGroups(t.Context(), l.Group)
		if err = errors.Join(err, groups.Error()); err != nil {
			t.Fatal(err)
		}
		epoch = groups[l.Group].Epoch
		noun := "member"
		if members > 1 {
			noun = "members"
		}
		l.page.wait(t, shown("#groups .quiet"), fmt.Sprintf("consumer, Stable, %d %s, lag 0, epoch %d", members, noun, epoch))
		return epoch
	}
	alone := same(1)
	two := member("two")
	l.page.wait(t, lanesOf, []int{8, 8, 0})
	l.page.wait(t, shownAll("#cards strong"), []string{"one", "two"})
	held := []string{"", ""}
	groups, err := l.admin.DescribeConsumerGroups(t.Context(), l.Group)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range groups[l.Group].Members {
		for _, partitions := range m.Assignment { // of one topic
			held[map[string]int{"one": 0, "two": 1}[m.ClientID]] = fmt.Sprint(slices.Sorted(maps.Keys(partitions)))
		}
	}
	l.page.wait(t, `['m1', 'm2'].map(c => '[' + [...document.querySelectorAll('.lane.' + c + ' .name')].map(e => e.textContent).join(' ') + ']')`, held)
	if together := same(2); together <= alone {
		t.Errorf("epoch %d after %d", together, alone)
	}
	l.happened(t, `^member 2 \(two\) joined`, `^partitions [0-9,-]+ went from member 1 to member 2`)
	l.hello(t)
	same(2)
	l.page.settle(t)
	l.page.shot(t, screenshots(t)+"/cluster-848.png")

	two.CloseAllowingRebalance()
	l.page.wait(t, lanesOf, []int{16, 0, 0})
	same(1)
}
