package observer

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// commitPause is how long commits of a group are collected for one event.
const commitPause = time.Second

// group is what was seen of a group.
type group struct {
	name    string
	kind    GroupType
	state   string
	epoch   int32
	target  int32
	members map[string]*member // by ID
	left    map[string]*member // gone, but their partitions have not gone to others yet
	owners  []*member          // by partition: who held it when it was last reported; nil: nobody
	commits []commit           // by partition

	unstable  time.Time       // when a rebalance was first seen; zero: there is none
	strangers bool            // it has members that do not read the topic
	pending   map[int32]int64 // commits that no event has reported yet
	reported  time.Time       // when the last event reported commits
}

type member struct {
	number             int
	id, client, host   string
	partitions, target []int32
	since, committed   time.Time
	meter              *meter
}

type commit struct {
	describedCommit
	time time.Time
}

func newGroup(name string, kind GroupType) *group {
	return &group{name: name, kind: kind, epoch: -1, target: -1, members: make(map[string]*member), left: make(map[string]*member),
		pending: make(map[int32]int64)}
}

// concerns reports whether the answer is about the topic: it has a member or an offset there.
func (d *described) concerns() bool {
	return slices.ContainsFunc(d.commits, func(c describedCommit) bool { return c.offset >= 0 }) ||
		slices.ContainsFunc(d.members, func(m describedMember) bool { return m.subscribed })
}

// freeNumber returns the smallest number that no member has. The number of a member that is gone is
// free when the others have its partitions.
func (g *group) freeNumber() int {
	for number := 1; ; number++ {
		used := false
		for _, members := range []map[string]*member{g.members, g.left} {
			for _, m := range members {
				used = used || m.number == number
			}
		}
		if !used {
			return number
		}
	}
}

// applyMembers compares the members and the assignment with what was known. If quiet is set, they were
// there before the observer.
func (g *group) applyMembers(d *described, partitions int, quiet bool, now time.Time) (events []Event, changed bool) {
	present := make(map[string]bool, len(d.members))
	strangers := false
	for _, m := range d.members {
		strangers = strangers || !m.subscribed
		present[m.id] = m.subscribed && (d.assignment || !g.strangers || g.members[m.id] != nil)
	}
	if d.assignment {
		g.strangers = strangers
	}
	for _, m := range g.byNumber() {
		if !present[m.id] {
			delete(g.members, m.id)
			g.left[m.id] = m
			events = append(events, leftEvent(now, g.name, m))
		}
	}
	for _, found := range inNumberOrder(d.members) {
		if !present[found.id] {
			continue
		}
		m := g.members[found.id]
		if m == nil {
			m = &member{number: g.freeNumber(), id: found.id, since: now, meter: newMeter(memberSeconds, now)}
			m.client, m.host = strings.ToValidUTF8(found.client, "�"), strings.ToValidUTF8(found.host, "�")
			g.members[found.id] = m
			changed = true
			if !quiet {
				events = append(events, joinedEvent(now, g.name, m))
			}
		}
		if d.assignment {
			held, target := inOrder(found.partitions, partitions), inOrder(found.target, partitions)
			if g.kind != Consumer || slices.Equal(held, target) {
				target = nil
			}
			changed = changed || !slices.Equal(m.partitions, held) || !slices.Equal(m.target, target)
			m.partitions, m.target = held, target
		}
	}
	if d.assignment && g.kind != Share {
		events = append(events, g.applyAssignment(d, partitions, quiet, now)...)
	}
	if isSettled(d.state) {
		clear(g.left)
	}
	changed = changed || len(events) > 0 || g.state != d.state || g.epoch != d.epoch || g.target != d.target
	if g.kind == Classic {
		switch {
		case d.state == "Stable" && !g.unstable.IsZero():
			events = append(events, stoodStillEvent(now, g.name, g.unstable))
			g.unstable = time.Time{}
		case isSettled(d.state):
			g.unstable = time.Time{}
		case g.state == "Stable":
			g.unstable = now
		}
	}
	g.state, g.epoch, g.target = d.state, d.epoch, d.target
	return events, changed
}

// applyAssignment compares who holds the partitions. A partition that nobody holds in the middle of a
// rebalance is on its way.
func (g *group) applyAssignment(d *described, partitions int, quiet bool, now time.Time) []Event {
	holders := make([]*member, partitions)
	for _, m := range g.members {
		for _, n := range m.partitions {
			holders[n] = m
		}
	}
	for len(g.owners) < partitions {
		g.owners = append(g.owners, nil)
	}
	moves := make(map[[2]int][]int32)
	for n, owner := range g.owners {
		var holder *member
		if n < partitions {
			holder = holders[n]
		}
		if holder == owner || holder == nil && !isSettled(d.state) {
			continue
		}
		g.owners[n] = holder
		pair := [2]int{owner.numberOrNone(), holder.numberOrNone()}
		moves[pair] = append(moves[pair], int32(n))
	}
	g.owners = g.owners[:partitions]
	if quiet {
		return nil
	}
	return movedEvents(now, g.name, moves)
}

// inNumberOrder sorts members that come at the same time: the first one has the first partitions.
func inNumberOrder(members []describedMember) []describedMember {
	slices.SortStableFunc(members, func(a, b describedMember) int {
		switch {
		case len(a.partitions) > 0 && len(b.partitions) > 0:
			return int(slices.Min(a.partitions)) - int(slices.Min(b.partitions))
		case len(a.partitions) > 0:
			return -1
		case len(b.partitions) > 0:
			return 1
		}
		return strings.Compare(a.id, b.id)
	})
	return members
}

func (m *member) numberOrNone() int {
	if m == nil {
		return 0
	}
	return m.number
}

// inOrder returns the partitions that exist, in order. Clients write assignments: they may be wrong.
func inOrder(numbers []int32, partitions int) []int32 {
	kept := make([]int32, 0, len(numbers))
	for _, n := range numbers {
		if n >= 0 && int(n) < partitions {
			kept = append(kept, n)
		}
	}
	slices.Sort(kept)
	return slices.Compact(kept)
}

// byNumber returns the members in order.
func (g *group) byNumber() []*member {
	members := make([]*member, 0, len(g.members))
	for _, m := range g.members {
		members = append(members, m)
	}
	slices.SortFunc(members, func(a, b *member) int { return a.number - b.number })
	return members
}

// holder returns the member that holds the partition, or nil.
func (g *group) holder(n int) *member {
	if g.kind == Share || n >= len(g.owners) || g.owners[n] == nil || g.members[g.owners[n].id] == nil {
		return nil
	}
	return g.owners[n]
}

// committedBy returns the member that a commit names, or nil. franz-go writes the ID of the member into
// the metadata of each commit. librdkafka and the Java client write nothing. Other programs write what
// they like.
func (g *group) committedBy(metadata string) *member { return g.members[metadata] }

// applyCommits compares the committed offsets with what was known. If quiet is set, they were there
// before the observer, or belong to a topic that does not exist any more.
func (g *group) applyCommits(found []describedCommit, quiet bool, last, now time.Time) (events []Event, changed bool) {
	for len(g.commits) < len(found) {
		g.commits = append(g.commits, commit{describedCommit: describedCommit{offset: -1, lag: -1}})
	}
	g.commits = g.commits[:len(found)]
	back := make(map[int32]int64)
	for n, c := range found {
		before := &g.commits[n]
		moved := c.offset - before.offset
		if c == before.describedCommit {
			continue
		}
		changed = true
		if moved != 0 && !quiet {
			before.time = now
			switch m := either(g.committedBy(c.metadata), g.holder(n)); {
			case moved < 0:
				back[int32(n)] = c.offset
				delete(g.pending, int32(n))
			case m != nil:
				m.committed = now
				if before.offset >= 0 {
					m.meter.add(last, now, moved)
				}
				fallthrough
			default:
				g.pending[int32(n)] = c.offset
			}
		}
		before.describedCommit = c
	}
	if len(back) > 0 {
		events = append(events, g.resetEvent(back, now))
	}
	return events, changed
}

// either returns the first, or the second if there is no first.
func either(first, second *member) *member {
	if first != nil {
		return first
	}
	return second
}

// reportCommits returns the event for the commits of the last second, if it is time for one.
func (g *group) reportCommits(now time.Time) (Event, bool) {
	if len(g.pending) == 0 || now.Sub(g.reported) < commitPause {
		return Event{}, false
	}
	partitions := sortedKeys(g.pending)
	text := "committed offsets in " + countText(len(partitions), "partition")
	if len(partitions) == 1 {
		text = fmt.Sprintf("committed offset %d in partition %d", g.pending[partitions[0]], partitions[0])
	}
	if g.kind == Share {
		text = "finished messages in " + countText(len(partitions), "partition")
	}
	who := make(map[*member]bool)
	for _, n := range partitions {
		who[g.committedBy(g.commits[n].metadata)] = true
	}
	event := Event{Time: now, Kind: Committed, Group: g.name, Partitions: partitions}
	for m := range who {
		if len(who) == 1 && m != nil {
			event.From, event.Client = m.number, m.client
			text = fmt.Sprintf("member %d %s", m.number, text)
		}
	}
	event.Text = text
	g.reported = now
	clear(g.pending)
	return event, true
}

// resetEvent is for committed offsets that went back.
func (g *group) resetEvent(back map[int32]int64, now time.Time) Event {
	partitions := sortedKeys(back)
	text := "the committed offsets of " + partitionsText(partitions) + " went back"
	if len(partitions) == 1 {
		text = fmt.Sprintf("the committed offset of partition %d went back to %d", partitions[0], back[partitions[0]])
	}
	if gone := slices.IndexFunc(partitions, func(n int32) bool { return back[n] >= 0 }) < 0; gone {
		text = "nothing is committed any more in " + partitionsText(partitions)
	}
	return Event{Time: now, Kind: Reset, Group: g.name, Partitions: partitions, Text: text}
}

func sortedKeys(of map[int32]int64) []int32 {
	keys := make([]int32, 0, len(of))
	for n := range of {
		keys = append(keys, n)
	}
	slices.Sort(keys)
	return keys
}
