package trial

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// growth is a number that grows, such as that of the messages in the topic, and the time when it last did.
type growth struct {
	n  int
	at time.Time
}

// idle takes the number of now, and returns for how long it has not grown.
func (g *growth) idle(n int) time.Duration {
	if n > g.n || g.at.IsZero() {
		g.n, g.at = n, time.Now()
	}
	return time.Since(g.at)
}

const feedLines = 600

// feed writes lines to a producer, not far ahead of what is in the topic, and waits for its end. A producer that
// reads all its input first gets it quickly, too. Each time when some more lines are in the topic, and others are
// on their way, it calls the next fault. The lines do not end before the faults.
func (r *run) feed(faults []fault) {
	w, arrived, began := r.start(), growth{}, time.Now()
	measures := r.result.Trial == r.Trials[0].Name
	first, typed := began, began // when the first message arrived, and the last line was typed
	for sent, next, last := 0, 0, began; w.running() && r.ctx.Err() == nil; time.Sleep(r.limits.pace / 2) {
		idle := arrived.idle(r.kafka.count())
		if arrived.n > 2 && measures { // a slow program gets fewer lines
			r.setCost(arrived.at.Sub(first) / time.Duration(arrived.n-1))
		} else if first = time.Now(); arrived.n == 0 && !r.kafka.look().connected {
			arrived.at = first
		}
		if len(faults) == 0 && sent >= feedLines {
			break
		}
		ahead := min(r.atMost(window, 3*time.Second), 10+arrived.n)
		some := r.atMost(90, 4*time.Second)
		due := arrived.n >= next+some && sent >= next+some+min(30, ahead/2) || time.Since(last) > r.limits.patience
		if len(faults) > 0 && due {
			faults[0](r)
			faults, next, last = faults[1:], arrived.n, time.Now()
		} else if sent-arrived.n < ahead || sent < feedLines && idle > 2*time.Second+5*r.cost && time.Since(typed) > 5*r.limits.pace {
			typed = time.Now()
			w.Type(textOf(r.add(message{})) + "\n") // or it has ended
			sent++
			if len(faults) == 0 && time.Since(began) > r.limits.feed {
				break // not without a line on its way: a program may forget to flush
			}
		}
	}
	if measures && r.cost > 0 {
		r.Suite.cost = r.cost
		r.result.note(r.slowness())
	}
	w.CloseInput()
	r.awaitEnd(w, time.Now(), &arrived)
}

// awaitEnd waits until a producer has sent all lines and has ended, or stops it.
func (r *run) awaitEnd(w *worker, began time.Time, arrived *growth) {
	r.until(forever, func() bool {
		idle := arrived.idle(r.kafka.count())
		patience, limit := r.limits.patience, 2*r.limits.feed
		if arrived.n == 0 {
			patience, limit = r.limits.start, r.limits.start
		} else if arrived.n >= r.progress(0).sent {
			patience = r.limits.end / 2
		}
		return !w.running() || idle > patience || time.Since(began) > limit
	})
	ended, n := !w.running(), r.kafka.count()
	switch {
	case r.partial && len(r.reports) == 0:
		r.must(errors.New("the program reports no delivery, so there is nothing to compare: print the text of a message when it is acknowledged"))
	case r.partial: // the trial has stopped it
	case n == 0:
		r.must(r.explainNothing(w))
	case ended:
		r.event("%s ended with status %d; %d messages are in the topic", w.name, w.Status(), n)
		if w.Status() != 0 {
			r.result.note(fmt.Sprintf("it ended with status %d%s", w.Status(), r.lastLines(w)))
		}
	case n >= r.progress(0).sent:
		r.result.note("it does not end at the end of its input, and was stopped")
		r.stop(w, syscall.SIGINT)
	default:
		r.partial = true
		r.result.note(fmt.Sprintf("it was stopped when %d of %d lines were in the topic, and no more came, or it took too long", n, r.progress(0).sent))
		r.stop(w, syscall.SIGINT)
	}
}

func (r *run) explainNothing(w *worker) *problem {
	r.result.unknown = true
	why, hint := "no line came into the topic", "it must send each line of standard input; {topic} and {brokers} in its arguments stand for the topic and the addresses"
	if !r.kafka.look().connected {
		why, hint = "it has not connected to the brokers", "put {brokers} into its arguments, or read the addresses from the variable KAFKA_BROKERS"
	}
	if !w.running() && w.Status() != 0 {
		why, hint = fmt.Sprintf("%s, and ended with status %d", why, w.Status()), "its own lines have the reason: type the command without the judge first"
	}
	return &problem{why + r.lastLines(w), hint}
}
