package observer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// texts returns what the events say.
func texts(events []Event) (all []string) {
	for _, event := range events {
		all = append(all, event.Text)
	}
	return all
}

// A member keeps its number for life. A number is free when the partitions of a member that is gone have
// gone to others, so that no event has one number for two members.
func TestNumbers(t *testing.T) {
	g, now := &group{}, time.Now()
	partitions := make([]Partition, 4)
	step := func(state string, ids ...string) []string {
		d := described{kind: Classic, state: state}
		for i, id := range ids {
			m := describedMember{Member: Member{ID: id, Client: id}, reads: true}
			for n := range int32(4) {
				if int(n)%len(ids) == i && d.isAssigned() {
					m.Partitions = append(m.Partitions, n)
				}
			}
			d.members = append(d.members, m)
		}
		return texts(g.update(d, partitions, false, now))
	}
	expect := func(got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	expect(step("Stable", "a", "b"), "member 1 (a) joined", "member 2 (b) joined",
		"partitions 0,2 went to member 1", "partitions 1,3 went to member 2")
	now = now.Add(time.Second)
	expect(step("PreparingRebalance", "c", "b"), "member 1 (a) left", "member 3 (c) joined")
	now = now.Add(400 * time.Millisecond)
	expect(step("Stable", "c", "b"), "partitions 0,2 went from member 1 to member 3", "the group stood still for 0.4 s")
	expect(step("Stable", "c", "b", "d"), "member 1 (d) joined",
		"partition 3 went from member 2 to member 3", "partition 2 went from member 3 to member 1")
	expect(step("Empty"), "member 1 (d) left", "member 2 (b) left", "member 3 (c) left",
		"partition 2 went from member 1 to nobody", "partition 1 went from member 2 to nobody", "partitions 0,3 went from member 3 to nobody")
	expect(step("Stable", "b"), "member 1 (b) joined", "partitions 0-3 went to member 1")
}

// A member that must give up all its partitions differs from one that keeps them.
func TestTarget(t *testing.T) {
	g := &group{}
	g.update(described{kind: Consumer, state: "Reconciling", members: []describedMember{
		{Member: Member{ID: "a", Partitions: []int32{0}, Target: []int32{0}}, reads: true},
		{Member: Member{ID: "b", Partitions: []int32{1}}, reads: true},
	}}, make([]Partition, 2), false, time.Now())
	if a, b := g.Members[0].Target, g.Members[1].Target; a != nil || b == nil || len(b) != 0 {
		t.Errorf("%#v %#v", a, b)
	}
}

// What a client writes is not trusted.
func TestHostileAssignment(t *testing.T) {
	g := &group{}
	g.update(described{kind: Classic, state: "Stable", members: []describedMember{
		{Member: Member{ID: "a", Partitions: []int32{-1, 1 << 30, 2, 2, 1}}, reads: true},
		{Member: Member{ID: "b", Partitions: []int32{2}}, reads: true},
	}, offsets: map[int32]describedOffset{0: {5, -1, "a"}, 1: {5, -1, "\x00<b>"}, -7: {at: 1}, 1 << 30: {at: 1}}},
		make([]Partition, 4), false, time.Now())
	if got := g.Members[0].Partitions; !slices.Equal(got, []int32{1, 2}) {
		t.Error(got)
	}
	if c := g.Commits; c[0].By != 1 || c[1].By != 0 || c[1].Holder != 1 || c[2].Holder == 0 || c[3].Holder != 0 {
		t.Errorf("%+v", c)
	}
}

// In its first rebalance, a group does not show what it reads. It may be the group of another topic.
func TestUnknownTopic(t *testing.T) {
	w := &watcher{started: true, groups: make(map[string]*group)}
	see := func(state string, offsets map[int32]describedOffset, members ...describedMember) int {
		d := described{kind: Classic, state: state, members: members, offsets: offsets}
		w.updateGroups(map[string]described{"g": d}, make([]Partition, 1), time.Now())
		if w.groups["g"] == nil {
			return -1
		}
		return len(w.groups["g"].Members)
	}
	const rebalance, none = "PreparingRebalance", -1
	unknown := describedMember{Member: Member{ID: "a"}, maybe: true}
	stranger, reader := describedMember{Member: Member{ID: "b"}}, describedMember{Member: Member{ID: "a"}, reads: true}
	for i, step := range []struct{ got, want int }{
		{see(rebalance, nil, unknown), none},                                // it may read another topic
		{see("Stable", nil, stranger), none},                                // it does
		{see("Stable", nil, stranger, reader), 1},                           // one of two
		{see(rebalance, nil, unknown, stranger), 1},                         // known from before
		{see("Stable", nil, stranger), none},                                // the other one left
		{see(rebalance, map[int32]describedOffset{0: {at: 1}}, unknown), 1}, // the group has an offset here
	} {
		if step.got != step.want {
			t.Errorf("step %d: %d members, want %d", i, step.got, step.want)
		}
	}
}

// The first error of a trouble is often that of a connection. The reason that comes later is reported, too, once.
func TestReasonComesLater(t *testing.T) {
	var d disturbance
	now := time.Now()
	closed := errors.New("closed at once")
	refused := cli.WithHint(errors.New("refused"), "ask for a new folder")
	var got []string
	for _, err := range []error{closed, closed, refused, closed, refused, nil} {
		var p problems
		p.add("the cluster", err)
		_, events := d.update(p.all, now)
		got = append(got, texts(events)...)
		now = now.Add(2 * time.Second)
	}
	if want := []string{"the cluster: closed at once", "the cluster: refused", "everything answers again, after 10.0 s"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// There are always new commits. They must not remove the events about members.
func TestHistory(t *testing.T) {
	var h history
	h.add([]Event{{Kind: Joined, Text: "joined"}}, time.Now())
	var all []Event
	for n := range 1000 {
		all = h.add([]Event{{Kind: Committed, Text: fmt.Sprint(n)}}, time.Now())
	}
	if first, last := all[0], all[len(all)-1]; len(all) != 1+keptEvents/2 || first.Text != "joined" || last.Text != "999" || last.ID != 1001 {
		t.Errorf("%d events, from %+v to %+v", len(all), first, last)
	}
}

// A producer may set any time.
func TestTimes(t *testing.T) {
	var r reader
	for _, at := range []time.Time{time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC), time.UnixMilli(math.MinInt64), time.UnixMilli(-1)} {
		r.add([]*kgo.Record{{Timestamp: at}})
	}
	for _, message := range r.take() {
		if age := time.Since(message.Time); age < 0 || age > time.Minute {
			t.Error(message.Time)
		}
	}
}

func TestText(t *testing.T) {
	for _, test := range []struct {
		bytes, want string
		cut         int
	}{{"four", "four", 0}, {"seven..", "seve", 3}, {"aaa\u00e9", "aaa", 2}, {"a\xff", "a\ufffd", 0}, {strings.Repeat("\x80", 6), "\ufffd", 5}} {
		if got, cut := text([]byte(test.bytes), 4); got != test.want || cut != test.cut {
			t.Errorf("%q: %q, %d", test.bytes, got, cut)
		}
	}
}
