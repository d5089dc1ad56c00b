package observer

import (
	"context"
	"slices"
	"sync"
	"time"
)

// How often the cluster is asked. A class of 300 with a page each sends the requests of 300 observers.
const (
	roundTime    = 200 * time.Millisecond // while somebody follows
	restTime     = 3 * time.Second        // while nobody does
	topicTime    = 500 * time.Millisecond // the topic and its leaders
	listTime     = 500 * time.Millisecond // all groups; more where there are many
	mostListTime = 2 * time.Second
	calmTime     = time.Second     // what changes rarely: starts, ends without messages, groups without members
	othersTime   = 5 * time.Second // groups that do not read the topic
	activeTime   = 2 * time.Second // after the last message or commit, the ends are asked for in each round

)

// schedule is when the cluster was asked last.
type schedule struct {
	topic, list, starts, ends time.Time
	checked                   map[string]checked // the groups of the last list
	leaders                   []int32
	id                        [16]byte
}

type checked struct {
	listed
	at time.Time // zero: now
}

// due reports whether something was last asked for at least this long ago. A round may come a little early.
func due(last, now time.Time, every time.Duration) bool { return now.Sub(last) >= every-roundTime/4 }

// facts are the answers of one round. What was not asked for, or not answered, is nil.
type facts struct {
	problems
	began, offsetsAsked time.Time
	topic               *metadata
	groups              map[string]*described
	starts, ends        []int64
}

// round asks the cluster once, and returns the time until the next round.
func (o *Observer) round(ctx context.Context) time.Duration {
	f := o.gather(ctx)
	if ctx.Err() != nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.apply(f, time.Now())
	if len(o.viewers) == 0 && o.troubleSince.IsZero() && o.started {
		return restTime - time.Since(f.began)
	}
	return max(roundTime-time.Since(f.began), roundTime/4)
}

// gather asks for what is due.
func (o *Observer) gather(ctx context.Context) *facts {
	f := &facts{began: time.Now()}
	var all sync.WaitGroup
	if due(o.rounds.topic, f.began, topicTime) {
		all.Go(func() { f.topic = o.askTopic(ctx, &f.problems) })
		o.rounds.topic = f.began
	}
	if due(o.rounds.list, f.began, min(mostListTime, listTime+time.Duration(len(o.rounds.checked))*2*time.Millisecond)) {
		all.Go(func() { o.list(ctx, &f.problems) })
		o.rounds.list = f.began
	}
	all.Wait()
	if f.topic != nil && f.topic.err == nil {
		o.rounds.leaders, o.rounds.id = f.topic.leaders, f.topic.id
	} else if f.topic != nil && unknownTopic(f.topic.err) {
		o.rounds.leaders = nil
	}

	if asked := o.toAsk(f.began); len(asked) > 0 {
		f.groups = o.askAbout(ctx, &f.problems, asked, len(o.rounds.leaders), o.rounds.id)
	}
	if f.topic == nil && o.suspicious(f.groups) {
		f.topic = o.askTopic(ctx, &f.problems)
	}
	// The ends come after the commits: no commit is beyond the end because the end is old.
	f.offsetsAsked = time.Now()
	if len(o.rounds.leaders) == 0 {
		return f
	}
	if due(o.rounds.starts, f.began, calmTime) {
		all.Go(func() { f.starts = o.askOffsets(ctx, &f.problems, o.rounds.leaders, timestampStart) })
		o.rounds.starts = f.began
	}
	if due(o.rounds.ends, f.began, calmTime) || o.isActive(f.groups, f.began) {
		all.Go(func() { f.ends = o.askOffsets(ctx, &f.problems, o.rounds.leaders, timestampEnd) })
		o.rounds.ends = f.began
	}
	all.Wait()
	return f
}

// apply compares the answers with what was known. The caller holds the lock.
func (o *Observer) apply(f *facts, now time.Time) {
	before := o.reading()
	anew := o.applyTopic(f.topic, &f.problems, now)
	o.applyOffsets(f.starts, f.ends, f.offsetsAsked, now)
	o.applyGroups(f.groups, anew || !o.unknownSince.IsZero(), f.began, now)
	o.applyTrouble(&f.problems, now)
	if len(f.all) == 0 {
		if now.Sub(o.unknownSince) >= goneTime { // also if the topic is known
			o.started = true
		}
		if now.Sub(o.picture.Time) >= calmTime {
			o.changed() // a viewer sees that the picture is up to date
		}
		o.answered = now
	} else {
		o.rounds.topic, o.rounds.list = time.Time{}, time.Time{} // ask for all again
	}
	if before != o.reading() {
		o.checkReading()
	}
}

// reading is what the consumer should read. The caller holds the lock.
func (o *Observer) reading() reading {
	if len(o.viewers) == 0 || !o.exists || slices.ContainsFunc(o.partitions, func(p *partition) bool { return p.end < 0 }) {
		return reading{}
	}
	return reading{o.topicID, len(o.partitions)}
}

// list asks for the groups, and remembers which ones are new or have another state.
func (o *Observer) list(ctx context.Context, p *problems) {
	groups, complete := o.askGroups(ctx, p)
	for name, found := range groups {
		if known, ok := o.rounds.checked[name]; !ok || known.listed != found {
			o.rounds.checked[name] = checked{listed: found}
		}
	}
	if !complete {
		return
	}
	for name, known := range o.rounds.checked {
		if _, ok := groups[name]; ok {
			continue
		}
		if !o.isWatched(name) {
			delete(o.rounds.checked, name)
			continue
		}
		known.state, known.at = "", time.Time{} // it is gone, or the right to see it: the answer about it shows that
		o.rounds.checked[name] = known
	}
}

// isWatched reports whether the group concerns the topic.
func (o *Observer) isWatched(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.groups[name] != nil
}

// toAsk returns the groups to ask about: in each round those with members, and now and then the others.
func (o *Observer) toAsk(now time.Time) map[string]GroupType {
	o.mu.Lock()
	defer o.mu.Unlock()
	asked := make(map[string]GroupType)
	for name, known := range o.rounds.checked {
		every := othersTime
		if g := o.groups[name]; g != nil && len(g.members) > 0 {
			every = 0
		} else if g != nil {
			every = calmTime
		} else if !isSettled(known.state) && known.state != "" {
			every = 0 // in a rebalance the members do not show what they read
		}
		if known.at.IsZero() || due(known.at, now, every) {
			asked[name] = known.kind
			known.at = now
			o.rounds.checked[name] = known
		}
	}
	return asked
}

// suspicious reports whether committed offsets went back. Then the topic may have been made again.
func (o *Observer) suspicious(answers map[string]*described) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, answer := range answers {
		if g := o.groups[name]; g != nil {
			for n, c := range answer.commits {
				if n < len(g.commits) && c.offset < g.commits[n].offset {
					return true
				}
			}
		}
	}
	return false
}

// isActive reports whether messages or commits come at the moment.
func (o *Observer) isActive(answers map[string]*described, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, answer := range answers {
		for n, c := range answer.commits {
			if n < len(o.partitions) && c.offset > o.partitions[n].end {
				return true
			}
		}
	}
	return now.Sub(o.active) < activeTime
}

// applyGroups compares the answers with what was known. If quiet is set, the offsets that go back are
// those of a topic that is not there any more. The caller holds the lock.
func (o *Observer) applyGroups(answers map[string]*described, quiet bool, last, now time.Time) {
	for name, answer := range answers {
		g := o.groups[name]
		if known, ok := o.rounds.checked[name]; ok {
			if answer.failed {
				known.at = time.Time{}
			}
			if answer.state != "" {
				known.state = answer.state // so that the list shows a member that comes right after the last one left
			}
			o.rounds.checked[name] = known
		}
		if answer.gone {
			delete(o.rounds.checked, name)
		}
		if g == nil {
			if !answer.concerns() {
				continue
			}
			g = newGroup(name, answer.kind)
			o.groups[name] = g
			if o.started {
				o.record(Event{Time: now, Kind: GroupNew, Group: name, Text: "the group is new"})
			}
			o.changed()
		}
		g.kind = answer.kind
		there := quiet || !o.started
		if !answer.noMembers {
			events, changed := g.applyMembers(answer, len(o.partitions), !o.started, now)
			o.take(events, changed)
		}
		if quiet {
			g.commits = nil
			clear(g.pending)
		}
		if !answer.noCommits && len(answer.commits) == len(o.partitions) {
			events, changed := g.applyCommits(answer.commits, there, last, now)
			if changed && o.started {
				o.active = now
			}
			o.take(events, changed)
		}
		if event, ok := g.reportCommits(now); ok {
			o.take([]Event{event}, true)
		}
		if answer.gone || isSettled(answer.state) && !answer.failed && !quiet && !answer.concerns() {
			delete(o.groups, name)
			o.take([]Event{{Time: now, Kind: GroupGone, Group: name, Text: "the group has no members and no offsets any more"}}, true)
		}
	}
}

// take records the events. The caller holds the lock.
func (o *Observer) take(events []Event, changed bool) {
	for _, event := range events {
		o.record(event)
	}
	if changed || len(events) > 0 {
		o.changed()
	}
}
