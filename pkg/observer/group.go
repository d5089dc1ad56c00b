package observer

import (
	"slices"
	"strings"
	"time"
)

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

// concerns reports whether the answer is about the topic: it has an offset there, or a member that is
// known to read it. The group of somebody else must not appear while it is new.
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
		reads := m.subscribed || m.maybe
		strangers = strangers || !reads
		present[m.id] = reads && (d.assignment || !g.strangers || g.members[m.id] != nil)
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
