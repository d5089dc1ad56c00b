package observer

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// A member keeps its number for life. A number is free when the partitions of a member that is gone have
// gone to others, so that no event has one number for two members.
func TestNumbers(t *testing.T) {
	g, now := newGroup("g", Classic), time.Now()
	step := func(state string, ids ...string) (texts []string) {
		d := &described{kind: Classic, state: state, assignment: isSettled(state)}
		for i, id := range ids {
			m := describedMember{id: id, client: id, subscribed: true}
			for n := range int32(4) {
				if int(n)%len(ids) == i && d.assignment {
					m.partitions = append(m.partitions, n)
				}
			}
			d.members = append(d.members, m)
		}
		events, _ := g.applyMembers(d, 4, false, now)
		for _, event := range events {
			texts = append(texts, event.Text)
		}
		return texts
	}
	expect := func(got []string, want ...string) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%q, want %q", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q, want %q", got[i], want[i])
			}
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
	g := newGroup("g", Consumer)
	g.applyMembers(&described{state: "Reconciling", assignment: true, members: []describedMember{
		{id: "a", subscribed: true, partitions: []int32{0}, target: []int32{0}},
		{id: "b", subscribed: true, partitions: []int32{1}},
	}}, 2, false, time.Now())
	drawn, err := json.Marshal(g.draw([]*partition{newPartition(9), newPartition(9)}, time.Now()).Members)
	if err != nil || strings.Count(string(drawn), `"target"`) != 1 || !strings.Contains(string(drawn), `"partitions":[1],"target":[]`) {
		t.Errorf("%s %v", drawn, err)
	}
}

// What a client writes is not trusted.
func TestHostileAssignment(t *testing.T) {
	g := newGroup("g", Classic)
	d := &described{state: "Stable", assignment: true, members: []describedMember{
		{id: "a", subscribed: true, partitions: []int32{-1, 1 << 30, 2, 2, 1}},
		{id: "b", subscribed: true, partitions: []int32{2}},
	}}
	g.applyMembers(d, 4, false, time.Now())
	g.applyCommits([]describedCommit{{offset: 5, lag: -1, metadata: "a"}, {offset: 5, lag: -1, metadata: "\x00<b>"}, nothing(1)[0], nothing(1)[0]}, false, time.Now(), time.Now())
	drawn := g.draw([]*partition{newPartition(9), newPartition(9), newPartition(9), newPartition(9)}, time.Now())
	if got := drawn.Members[0].Partitions; !slices.Equal(got, []int32{1, 2}) {
		t.Error(got)
	}
	if drawn.Commits[0].By != 1 || drawn.Commits[1].By != 0 || drawn.Commits[2].Holder == 0 || drawn.Commits[3].Holder != 0 {
		t.Errorf("%+v", drawn.Commits)
	}
}

// In its first rebalance, a group does not show what it reads. It may be the group of another topic.
func TestUnknownTopic(t *testing.T) {
	o := New(nil, "client60")
	o.started = true
	see := func(state string, m describedMember, offset int64) int {
		d := &described{kind: Classic, state: state, assignment: isSettled(state), members: []describedMember{m}}
		d.commits = []describedCommit{{offset: offset, lag: -1}}
		o.applyGroups(map[string]*described{"g": d}, false, time.Now(), time.Now())
		return len(o.groups)
	}
	unknown := describedMember{id: "a", client: "a", maybe: true}
	if see("PreparingRebalance", unknown, -1) != 0 {
		t.Error("a group of an unknown topic is shown")
	}
	if see("Stable", describedMember{id: "a", client: "a"}, -1) != 0 {
		t.Error("a group of another topic is shown")
	}
	if see("Stable", describedMember{id: "a", client: "a", subscribed: true}, -1) != 1 || see("PreparingRebalance", unknown, -1) != 1 {
		t.Error("a member of the topic is not shown")
	}
	delete(o.groups, "g")
	if see("PreparingRebalance", unknown, 1) != 1 || len(o.groups["g"].members) != 1 {
		t.Error("a new member of a group with offsets is not shown")
	}
}

func newPartition(end int64) *partition {
	return &partition{end: end, meter: newMeter(rateSeconds+1, time.Now())}
}

// The answers of one round become a picture: 256 partitions, 64 members, and each partition has new
// messages and a new commit.
func BenchmarkRound(b *testing.B) {
	const partitions, members = 256, 64
	o := New(nil, "client60")
	o.exists, o.started, o.topicID = true, true, [16]byte{1}
	for range partitions {
		o.partitions = append(o.partitions, newPartition(0))
	}
	d := &described{kind: Classic, state: "Stable", assignment: true, commits: nothing(partitions)}
	for i := range members {
		d.members = append(d.members, describedMember{id: fmt.Sprintf("consumer-%d-d0c2f8a4-5b1e", i), client: "consumer", subscribed: true,
			partitions: numbers(partitions)[i*4 : i*4+4]})
	}
	ends, now := make([]int64, partitions), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(roundTime)
		for n := range ends {
			ends[n] += 40
			d.commits[n].offset, d.commits[n].metadata = ends[n]-3, d.members[n/4].id
		}
		o.mu.Lock()
		o.applyOffsets(nil, ends, now, now)
		o.applyGroups(map[string]*described{"g": d}, false, now, now)
		o.mu.Unlock()
		o.publish(now)
	}
}
