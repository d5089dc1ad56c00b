package observer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tkafka/pkg/cli"
)

// group is a group, and what is remembered to see its changes.
type group struct {
	Group
	owners   []int             // by partition: the number of the last holder, also if that one has left; 0: none
	mixed    bool              // it has members that do not read the topic
	unstable time.Time         // when a rebalance was first seen; zero: there is none
	speeds   map[string]*speed // of the members' commits, by ID
}

// update compares the answer with what was known. If it is the first answer, nothing in it has just happened.
func (g *group) update(d described, partitions []Partition, first bool, now time.Time) (events []Event) {
	events = g.updateMembers(d, len(partitions))
	if d.isAssigned() && d.kind != Share {
		events = append(events, g.move(d, len(partitions))...)
	}
	if d.kind == Classic {
		switch {
		case d.state == "Stable" && !g.unstable.IsZero():
			events = append(events, Event{Kind: StoodStill, Text: fmt.Sprintf("the group stood still for %.1f s", now.Sub(g.unstable).Seconds())})
			g.unstable = time.Time{}
		case d.isSettled():
			g.unstable = time.Time{}
		case g.State == "Stable":
			g.unstable = now
		}
	}
	g.Type, g.State, g.Epoch = d.kind, d.state, d.epoch
	events = append(events, g.updateCommits(d, partitions, first, now)...)
	for i := range events {
		events[i].Group = g.Name
	}
	return events
}

// updateMembers compares the members. A number is free when the partitions of a member that has left have gone
// to others, so that no event has one number for two members.
func (g *group) updateMembers(d described, partitions int) (events []Event) {
	members := []Member{}
	joined := 0 // index of the first member that is new
	for _, found := range inNumberOrder(d.members) {
		known := slices.IndexFunc(g.Members, func(m Member) bool { return m.ID == found.ID })
		if !found.reads && !(found.maybe && (known >= 0 || !g.mixed)) {
			continue
		}
		m := found.Member
		m.Client, m.Host = strings.ToValidUTF8(m.Client, "�"), strings.TrimPrefix(m.Host, "/") // Java puts a slash before an address
		m.Partitions, m.Target = inOrder(m.Partitions, partitions), inOrder(m.Target, partitions)
		if d.kind != Consumer || slices.Equal(m.Partitions, m.Target) {
			m.Target = nil
		}
		if known < 0 {
			members = append(members, m)
			continue
		}
		before := g.Members[known]
		m.Number, m.LastCommit = before.Number, before.LastCommit
		if !d.isAssigned() {
			m.Partitions = before.Partitions
		}
		members = slices.Insert(members, joined, m)
		joined++
	}
	for _, before := range g.Members {
		if !slices.ContainsFunc(members, func(m Member) bool { return m.ID == before.ID }) {
			events = append(events, Event{Kind: Left, From: before.Number, Text: memberName(before) + " left"})
		}
	}
	for i := joined; i < len(members); i++ {
		number := 1
		for slices.Contains(g.owners, number) || slices.ContainsFunc(members, func(m Member) bool { return m.Number == number }) {
			number++
		}
		members[i].Number = number
		events = append(events, Event{Kind: Joined, To: number, Text: memberName(members[i]) + " joined"})
	}
	slices.SortFunc(members, func(a, b Member) int { return a.Number - b.Number })
	g.Members = members
	if d.isAssigned() {
		g.mixed = slices.ContainsFunc(d.members, func(m describedMember) bool { return !m.reads && !m.maybe })
	}
	return events
}

// move compares who holds the partitions. A partition that nobody holds in the middle of a rebalance is on its way.
func (g *group) move(d described, partitions int) (events []Event) {
	holders := make([]int, partitions)
	for _, m := range g.Members {
		for _, n := range m.Partitions {
			holders[n] = m.Number
		}
	}
	g.owners = append(g.owners, make([]int, max(0, partitions-len(g.owners)))...)[:partitions]
	moves := make(map[[2]int][]int32)
	for n, holder := range holders {
		if owner := g.owners[n]; holder != owner && (holder != 0 || d.isSettled()) {
			moves[[2]int{owner, holder}] = append(moves[[2]int{owner, holder}], int32(n))
			g.owners[n] = holder
		}
	}
	for pair, moved := range moves {
		from, to := pair[0], pair[1]
		text := fmt.Sprintf("%s went from %s to %s", partitionsText(moved), holderName(from), holderName(to))
		if from == 0 {
			text = fmt.Sprintf("%s went to %s", partitionsText(moved), holderName(to))
		}
		events = append(events, Event{Kind: Moved, From: from, To: to, Text: text})
	}
	slices.SortFunc(events, func(a, b Event) int { return (a.From-b.From)*1e6 + a.To - b.To })
	return events
}

// updateCommits compares the committed offsets.
func (g *group) updateCommits(d described, partitions []Partition, first bool, now time.Time) (events []Event) {
	before, committed := g.Commits, make(map[*Member]int64)
	var forward, back []int32
	g.Commits, g.Lag = make([]Commit, len(partitions)), 0
	for n, p := range partitions {
		c := Commit{Offset: -1, Lag: -1}
		found, ok := d.offsets[int32(n)]
		by, holder := g.member(func(m Member) bool { return m.ID == found.by }), (*Member)(nil)
		if d.kind != Share && n < len(g.owners) {
			if holder = g.member(func(m Member) bool { return m.Number == g.owners[n] }); holder != nil {
				c.Holder = holder.Number
			}
		}
		if ok {
			c.Offset, c.Lag = found.at, max(0, p.End-max(found.at, p.Start))
			switch {
			case found.at < p.Start:
				c.Fault = "expired"
			case found.at > p.End:
				c.Fault = "beyond"
			}
			if found.lag >= 0 { // a share group reports its own: messages are finished in any order
				c.Lag = found.lag
			}
			if by != nil {
				c.By = by.Number
			}
			g.Lag += c.Lag
		}
		old := Commit{Offset: -1}
		if n < len(before) {
			old = before[n]
		}
		if c.Offset < old.Offset {
			back = append(back, int32(n))
		} else if c.Offset > old.Offset && !first && (old.Offset >= 0 || d.kind != Share) { // a share group begins somewhere
			forward = append(forward, int32(n))
			if by == nil {
				by = holder
			}
			if by != nil {
				by.LastCommit = now
				if old.Offset >= 0 {
					committed[by] += c.Offset - old.Offset
				}
			}
		}
		g.Commits[n] = c
	}
	speeds := g.speeds
	g.speeds = make(map[string]*speed)
	for i := range g.Members {
		m := &g.Members[i]
		if g.speeds[m.ID] = speeds[m.ID]; g.speeds[m.ID] == nil {
			g.speeds[m.ID] = new(speed)
		}
		m.Rate = g.speeds[m.ID].add(committed[m], now)
		for _, n := range m.Partitions {
			m.Lag += max(0, g.Commits[n].Lag)
		}
	}
	if len(forward) > 0 {
		events = append(events, g.committedEvent(forward))
	}
	if len(back) > 0 {
		events = append(events, g.resetEvent(back))
	}
	return events
}

// member returns the member for which the function is true, or nil.
func (g *group) member(is func(Member) bool) *Member {
	if i := slices.IndexFunc(g.Members, is); i >= 0 {
		return &g.Members[i]
	}
	return nil
}

// committedEvent names who committed, if it is one member. franz-go writes the ID of the member into the metadata of each
// commit. librdkafka and the Java client write nothing. Other programs write what they like.
func (g *group) committedEvent(partitions []int32) Event {
	text := "committed offsets in " + partitionsText(partitions)
	if len(partitions) == 1 {
		text = fmt.Sprintf("committed offset %d in partition %d", g.Commits[partitions[0]].Offset, partitions[0])
	}
	if g.Type == Share {
		text = "finished messages in " + partitionsText(partitions)
	}
	by := g.Commits[partitions[0]].By
	if by == 0 || slices.ContainsFunc(partitions, func(n int32) bool { return g.Commits[n].By != by }) {
		return Event{Kind: Committed, Text: text}
	}
	return Event{Kind: Committed, From: by, Text: fmt.Sprintf("member %d %s", by, text)}
}

func (g *group) resetEvent(partitions []int32) Event {
	text := "the committed offsets of " + partitionsText(partitions) + " went back"
	if offset := g.Commits[partitions[0]].Offset; offset < 0 {
		text = "nothing is committed any more in " + partitionsText(partitions)
	} else if len(partitions) == 1 {
		text = fmt.Sprintf("the committed offset of partition %d went back to %d", partitions[0], offset)
	}
	return Event{Kind: Reset, Text: text}
}

// inNumberOrder sorts members that come at the same time: the first one has the first partitions.
func inNumberOrder(members []describedMember) []describedMember {
	first := func(m describedMember) int32 {
		if len(m.Partitions) == 0 {
			return 1 << 30
		}
		return slices.Min(m.Partitions)
	}
	slices.SortStableFunc(members, func(a, b describedMember) int {
		if a, b := first(a), first(b); a != b {
			return int(a) - int(b)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return members
}

// inOrder returns the partitions that exist, in order. Clients write assignments: they may be wrong.
func inOrder(numbers []int32, partitions int) []int32 {
	kept := slices.DeleteFunc(slices.Clone(numbers), func(n int32) bool { return n < 0 || int(n) >= partitions })
	slices.Sort(kept)
	return append([]int32{}, slices.Compact(kept)...)
}

// memberName is how events name a member: "member 2 (consumer)".
func memberName(m Member) string {
	if letters := []rune(m.Client); len(letters) > 100 { // a client chooses it
		m.Client = string(letters[:100]) + "…"
	}
	return fmt.Sprintf("member %d (%s)", m.Number, m.Client)
}

// holderName is how events name who holds partitions.
func holderName(number int) string {
	if number == 0 {
		return "nobody"
	}
	return fmt.Sprintf("member %d", number)
}

// partitionsText is "partition 3" or "partitions 0-7,12".
func partitionsText(partitions []int32) string {
	if len(partitions) == 1 {
		return fmt.Sprintf("partition %d", partitions[0])
	}
	return "partitions " + cli.Ranges(partitions)
}
