package observer

import (
	"fmt"
	"slices"
	"time"
)

// commitPause is how long commits of a group are collected for one event.
const commitPause = time.Second

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
