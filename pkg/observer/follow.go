package observer

import "slices"

// An Update is what has changed since the last one.
type Update struct {
	Picture  *Picture  // the newest
	Events   []Event   // new ones, oldest first; a gap in their IDs means that the viewer was too slow
	Messages []Message // new ones, oldest first
	Skipped  int       // messages that arrived and are not in Messages, because there were too many
}

// viewer is one that follows. Its channel holds one update. If the viewer has not taken it when the next
// one comes, the two become one: so a slow viewer neither waits for others nor holds up the observer.
type viewer struct{ updates chan Update }

// Follow starts to send updates, at most ten a second. The first one, with what is known now, comes at
// once. While somebody follows, the observer asks the cluster often. The caller calls stop at the end.
func (o *Observer) Follow() (updates <-chan Update, stop func()) {
	v := &viewer{make(chan Update, 1)}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.viewers[v] = true
	v.updates <- Update{Picture: o.picture}
	if len(o.viewers) == 1 {
		o.checkReading()
		o.hurry()
	}
	return v.updates, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		delete(o.viewers, v)
		if len(o.viewers) == 0 {
			o.checkReading()
		}
	}
}

// send gives the update to the viewer. Only one goroutine at a time calls it.
func (v *viewer) send(update Update) {
	select {
	case waiting := <-v.updates:
		update.Events = newest(join(waiting.Events, update.Events), keptEvents)
		all := join(waiting.Messages, update.Messages)
		update.Messages = newest(all, keptMessages)
		update.Skipped += waiting.Skipped + len(all) - len(update.Messages)
	default:
	}
	v.updates <- update
}

// join returns the elements of both. It changes neither: viewers share them.
func join[E any](first, second []E) []E {
	return slices.Concat(first, second)
}

// newest returns the last elements, at most this many.
func newest[E any](all []E, most int) []E { return all[max(0, len(all)-most):] }
