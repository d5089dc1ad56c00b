package trial

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Producer are the trials of a producer. The first one has no faults.
var Producer = []Trial{
	{Name: "all", What: "it sends all lines", Once: true, perform: func(r *run) { r.feed() }},
	{Name: "replies", What: "5 % of the answers get lost", Once: true, perform: repliesTrial},
	{Name: "connections", What: "all connections are cut, five times", Once: true, perform: func(r *run) { r.feed(five(r.cutConnections)...) }},
	{Name: "leaders", What: "the leaders move, five times", Once: true, perform: leadersTrial},
	{Name: "replicas", What: "10 % of the answers are NOT_ENOUGH_REPLICAS_AFTER_APPEND", Once: true, perform: replicasTrial},
	{Name: "broker", What: "a broker dies and comes back", Once: true, perform: producerBrokerTrial},
	{Name: "rolling", What: "the brokers restart one after the other", Once: true, perform: producerRollingTrial},
	{Name: "stop", What: "stopped with SIGTERM in the middle", Once: true, perform: producerStopTrial},
}

func five(fault func()) []func() { return slices.Repeat([]func(){fault}, 5) }

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

const (
	feedLines = 600
	feedTime  = 20 * time.Second // a slow program gets fewer lines
)

// feed writes lines to a producer, not far ahead of what is in the topic, and waits for its end. A producer that
// reads all its input first gets it quickly, too. Each time when some more lines are in the topic, and others are
// on their way, it calls the next fault. The lines do not end before the faults.
func (r *run) feed(faults ...func()) {
	w, arrived, began := r.start(), growth{}, time.Now()
	for sent, next, last := 0, 0, began; w.running() && r.ctx.Err() == nil; time.Sleep(pace / 2) {
		idle := arrived.idle(r.kafka.count())
		if len(faults) == 0 && (sent >= feedLines || time.Since(began) > feedTime) {
			break
		}
		due := arrived.n >= next+90 && sent >= next+window+20 || time.Since(last) > r.limits.patience
		if len(faults) > 0 && due {
			faults[0]()
			faults, next, last = faults[1:], arrived.n, time.Now()
		} else if sent-arrived.n < window || sent < feedLines && idle > 2*time.Second {
			w.Type(textOf(r.add(message{})) + "\n") // or it has ended
			sent++
		}
	}
	w.CloseInput()
	r.awaitEnd(w, began)
}

// awaitEnd waits until a producer has sent all lines and has ended, or stops it.
func (r *run) awaitEnd(w *worker, began time.Time) {
	arrived := growth{}
	r.until(forever, func() bool {
		idle := arrived.idle(r.kafka.count())
		patience, limit := r.limits.patience, 2*feedTime
		if arrived.n == 0 {
			patience, limit = r.limits.start, r.limits.start
		} else if arrived.n >= r.progress(0).sent {
			patience = r.limits.end / 2
		}
		return !w.running() || idle > patience || time.Since(began) > limit
	})
	ended, n := !w.running(), r.kafka.count()
	switch {
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
	if !r.kafka.look().connected {
		return &problem{"it has not connected to the brokers" + r.lastLines(w),
			"put {brokers} into its arguments, or read the addresses from the variable KAFKA_BROKERS"}
	}
	return &problem{"no line came into the topic" + r.lastLines(w),
		"it must send each line of standard input; {topic} and {brokers} in its arguments stand for the topic and the addresses"}
}

func repliesTrial(r *run) {
	answers, lost := r.loseAnswers(20)
	r.feed()
	r.result.note(fmt.Sprintf("%d of %d answers got lost", lost.Load(), answers.Load()))
}

func leadersTrial(r *run) {
	r.feed(five(func() {
		r.kafka.Kfake().ShufflePartitionLeaders()
		r.event("the leaders moved")
	})...)
}

func replicasTrial(r *run) {
	requests := 0
	fault := r.kafka.Kfake().Fault(kfake.Fault{ // it comes when the messages are stored
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: -1,
		When: func(kmsg.Request) bool {
			requests++
			return requests == 1 || r.between(1, 10) == 1
		},
	})
	r.feed()
	r.result.note(fmt.Sprintf("%d answers were NOT_ENOUGH_REPLICAS_AFTER_APPEND", fault.Hits()))
}

func producerBrokerTrial(r *run) {
	lost := int32(r.between(0, len(r.kafka.Brokers())-1))
	r.feed(func() {
		r.event("broker %d dies", lost)
		r.must(r.kafka.kill(lost))
	}, func() {
		r.event("broker %d comes back", lost)
		r.must(r.kafka.restart())
	})
}

func producerRollingTrial(r *run) {
	var faults []func()
	for broker := range r.kafka.Brokers() {
		faults = append(faults, func() { r.roll(broker) })
	}
	r.feed(faults...)
}

func producerStopTrial(r *run) {
	r.feed(func() {}, func() {
		r.partial = true
		r.stop(r.processes[0], syscall.SIGTERM)
	})
	if len(r.reports) == 0 {
		r.must(errors.New("the program reports no delivery, so there is nothing to compare: print the text of a message when it is acknowledged"))
	}
}
