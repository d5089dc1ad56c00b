package observer

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// draw makes the picture of what is known. The caller holds the lock.
func (o *Observer) draw(now time.Time) *Picture {
	picture := &Picture{
		Time:       o.answered,
		Topic:      Topic{Name: o.topic, Anew: o.anew, Exists: o.exists},
		Partitions: make([]Partition, len(o.partitions)),
		Groups:     make([]Group, 0, len(o.groups)),
		Trouble:    o.trouble,
	}
	if o.exists && o.topicID != [16]byte{} {
		picture.Topic.ID = fmt.Sprintf("%x", o.topicID)
	}
	for n, p := range o.partitions {
		picture.Partitions[n] = Partition{Partition: int32(n), Start: max(p.start, 0), End: max(p.end, 0), Leader: p.leader,
			Rate: p.meter.rate(now)}
	}
	for _, g := range o.sortedGroups() {
		picture.Groups = append(picture.Groups, g.draw(o.partitions, now))
	}
	return picture
}

// draw makes the picture of a group.
func (g *group) draw(partitions []*partition, now time.Time) Group {
	drawn := Group{Name: g.name, Type: g.kind, State: g.state, Epoch: g.epoch, TargetEpoch: g.target,
		Members: make([]Member, 0, len(g.members)), Commits: make([]Commit, len(partitions))}
	for n, p := range partitions {
		c := &drawn.Commits[n]
		*c = Commit{Partition: int32(n), Offset: -1, Lag: -1, Holder: g.holder(n).numberOrNone()}
		if n >= len(g.commits) || g.commits[n].offset < 0 {
			continue
		}
		known := g.commits[n]
		c.Offset, c.Time, c.By = known.offset, known.time, g.committedBy(known.metadata).numberOrNone()
		if p.start < 0 || p.end < 0 {
			continue
		}
		switch {
		case known.offset < p.start:
			c.Fault = "expired"
		case known.offset > p.end:
			c.Fault = "beyond"
		}
		c.Lag = max(0, p.end-max(known.offset, p.start))
		if known.lag >= 0 { // a share group reports its own: messages are finished in any order
			c.Lag = known.lag
		}
		drawn.Lag += c.Lag
	}
	for _, m := range g.byNumber() {
		member := Member{Number: m.number, ID: m.id, Client: m.client, Host: m.host, Partitions: slices.Clone(m.partitions),
			Target: slices.Clone(m.target), Rate: m.meter.rate(now), LastCommit: m.committed, Since: m.since}
		if member.Partitions == nil {
			member.Partitions = []int32{}
		}
		for _, n := range m.partitions {
			if int(n) < len(drawn.Commits) {
				member.Lag += max(0, drawn.Commits[n].Lag)
			}
		}
		drawn.Members = append(drawn.Members, member)
	}
	return drawn
}

// sortedGroups returns the groups by name. The caller holds the lock.
func (o *Observer) sortedGroups() []*group {
	names := slices.Sorted(maps.Keys(o.groups))
	groups := make([]*group, len(names))
	for i, name := range names {
		groups[i] = o.groups[name]
	}
	return groups
}
