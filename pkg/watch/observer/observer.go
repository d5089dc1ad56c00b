package observer

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

const (
	roundTime  = 400 * time.Millisecond // between two rounds: a change is on the screen within half a second
	restTime   = 2 * time.Second        // the same while nobody looks
	keptEvents = 200
)

// Observer has the newest picture of a topic. Any goroutine may call its methods.
type Observer struct {
	mu      sync.Mutex
	picture *Picture
	newer   chan struct{} // is closed when there is a newer picture
	looked  time.Time     // when somebody last wanted a picture
}

// Start watches the topic until the end of ctx. It needs the addresses of the brokers and the TLS configuration of
// the client, and makes another client with the same options. It survives the loss of brokers and of rights:
// Picture.Trouble describes the loss, and there are events Lost and Back.
func Start(ctx context.Context, client *kgo.Client, topic string) (*Observer, error) {
	own, err := kgo.NewClient(slices.Concat(client.Opts(), readOptions, []kgo.Opt{
		kgo.RequestRetries(2), // the next round asks again
		kgo.RetryTimeout(time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
		kgo.MetadataMinAge(roundTime / 2), // each round asks for the leaders
	})...)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, own.Close)
	w := &watcher{groups: make(map[string]*group)}
	w.picture = Picture{Topic: Topic{topic, []Partition{}, 0}, Events: []Event{}, Messages: []Message{}} // no null in JSON
	o := &Observer{picture: new(w.picture), newer: make(chan struct{})}
	go w.messages.run(ctx, own)
	go func() {
		ask := asker{admin: kadm.NewClient(own), topic: topic, others: make(map[string]kadm.ListedGroup)}
		for ctx.Err() == nil {
			began := time.Now()
			answer := ask.ask(ctx, w.watched())
			if ctx.Err() == nil {
				picture := w.draw(answer, time.Now())
				if w.started {
					w.messages.follow(own, picture.Topic)
				}
				o.show(picture)
			}
			cli.Pause(ctx, o.pause()-time.Since(began))
		}
	}()
	return o, nil
}

// Next returns the newest picture. It waits until there is another one than that with this version.
func (o *Observer) Next(ctx context.Context, version int64) (*Picture, error) {
	for {
		o.mu.Lock()
		picture, newer := o.picture, o.newer
		o.looked = time.Now()
		o.mu.Unlock()
		if picture.Version != version {
			return picture, nil
		}
		select {
		case <-newer:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (o *Observer) show(picture *Picture) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.picture = picture
	close(o.newer)
	o.newer = make(chan struct{})
}

// pause is the time from one round to the next one.
func (o *Observer) pause() time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	if time.Since(o.looked) > 2*restTime {
		return restTime
	}
	return roundTime
}

// watcher makes pictures of the answers. Only one goroutine uses it.
type watcher struct {
	started     bool    // there was a complete answer: from now on, what is new has just come
	picture     Picture // the last one
	groups      map[string]*group
	messages    reader
	speed       speed // of the messages that arrive
	history     history
	disturbance disturbance
}

// watched returns the groups that concern the topic.
func (w *watcher) watched() map[string]GroupType {
	kinds := make(map[string]GroupType)
	for name, group := range w.groups {
		kinds[name] = group.Type
	}
	return kinds
}

// draw draws the picture after a round.
func (w *watcher) draw(found *answer, now time.Time) *Picture {
	next := w.picture
	next.Version = now.UnixMilli()
	w.updateTopic(&next.Topic, found.partitions, now)
	events := w.updateGroups(found.groups, next.Topic.Partitions, now)
	trouble, reported := w.disturbance.update(found.all, now)
	next.Events, next.Trouble = w.history.add(append(events, reported...), now), trouble
	if len(found.all) == 0 {
		next.Time, w.started = now, true
	}
	next.Groups = make([]Group, 0, len(w.groups))
	for _, name := range slices.Sorted(maps.Keys(w.groups)) {
		next.Groups = append(next.Groups, w.groups[name].Group)
	}
	arrived := w.messages.take()
	for _, message := range arrived {
		for _, group := range next.Groups {
			if n := int(message.Partition); n < len(group.Commits) && group.Commits[n].Holder > 0 {
				message.Holders[group.Name] = group.Commits[n].Holder
			}
		}
	}
	next.Messages = newest(append(slices.Clip(next.Messages), arrived...), keptMessages)
	w.picture = next
	return &next
}

// updateTopic takes over the partitions. What has no answer stays as it was.
func (w *watcher) updateTopic(topic *Topic, found []Partition, now time.Time) {
	arrived := int64(0)
	before := topic.Partitions
	if found != nil {
		topic.Partitions = make([]Partition, len(found))
	}
	for n, p := range found {
		old := Partition{}
		if n < len(before) {
			old = before[n]
		}
		if p.Start < 0 {
			p.Start = old.Start
		}
		if p.End < 0 {
			p.End = old.End
		}
		if n < len(before) {
			arrived += max(0, p.End-old.End)
		}
		topic.Partitions[n] = p
	}
	topic.Rate = w.speed.add(arrived, now)
}

// updateGroups takes over what is known about the groups. It returns what has happened.
func (w *watcher) updateGroups(found map[string]described, partitions []Partition, now time.Time) (events []Event) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		d, g := found[name], w.groups[name]
		if g == nil && !d.concerns() {
			continue
		}
		if g == nil {
			g = &group{Group: Group{Name: name}}
			w.groups[name] = g
			events = append(events, Event{Kind: GroupNew, Group: name, Text: "the group is new"})
		}
		events = append(events, g.update(d, partitions, !w.started, now)...)
		if d.isSettled() && !d.concerns() {
			delete(w.groups, name)
			events = append(events, Event{Kind: GroupGone, Group: name, Text: "the group has no members and no offsets any more"})
		}
	}
	if !w.started {
		return nil
	}
	return events
}

// history has the newest events.
type history struct {
	events []Event
	last   int64 // the ID of the last one
}

// add adds events, and returns all that are kept. Commits are half of them at most: they come all the time.
func (h *history) add(fresh []Event, now time.Time) []Event {
	kept, commits := append([]Event{}, h.events...), 0
	for _, event := range fresh {
		h.last++
		event.ID, event.Time = h.last, now
		kept = append(kept, event)
	}
	for _, event := range kept {
		if event.Kind == Committed {
			commits++
		}
	}
	kept = slices.DeleteFunc(kept, func(e Event) bool {
		if e.Kind != Committed || commits <= keptEvents/2 {
			return false
		}
		commits--
		return true
	})
	h.events = newest(kept, keptEvents)
	return h.events
}
