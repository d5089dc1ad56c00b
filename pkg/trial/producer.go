package trial

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Producer are the trials of a producer. The first one has no faults.
var Producer = []Trial{
	{Name: "all", What: "it sends all lines", Once: true, perform: func(r *run) error { return r.feedAll() }},
	{Name: "replies", What: "5 % of the answers get lost", Once: true, own: true, perform: repliesTrial},
	{Name: "connections", What: "all connections are cut, five times", Once: true, own: true, perform: connectionsTrial},
	{Name: "leaders", What: "the leaders move, five times", Once: true, own: true, perform: leadersTrial},
	{Name: "replicas", What: "10 % of the answers are NOT_ENOUGH_REPLICAS_AFTER_APPEND", Once: true, own: true, perform: replicasTrial},
	{Name: "broker", What: "a broker dies and comes back", Once: true, stops: true, perform: producerBrokerTrial},
	{Name: "rolling", What: "the brokers restart one after the other", Once: true, stops: true, perform: producerRollingTrial},
	{Name: "stop", What: "stopped with SIGTERM in the middle", Once: true, perform: producerStopTrial},
}

// feedLines is how many lines a producer gets.
const feedLines = 600

// feeding writes lines to a producer, not far ahead of what is in the topic. A producer that reads all its
// input first gets it quickly, too.
type feeding struct {
	r      *run
	w      *worker
	lines  int
	before int64         // messages in the topic
	enough chan struct{} // closed when it needs no more lines than feedLines
	done   chan struct{}

	mu   sync.Mutex
	last int // messages that have arrived
}

func (r *run) feed() (*feeding, error) {
	before, _, err := r.kafka.ends(r.ctx)
	if err != nil {
		return nil, err
	}
	w, err := r.start()
	if err != nil {
		return nil, err
	}
	f := &feeding{r: r, w: w, lines: feedLines, before: before, enough: make(chan struct{}), done: make(chan struct{})}
	if r.Long {
		f.lines *= 5
	}
	go f.write()
	return f, nil
}

// arrived returns how many messages of the program are in the topic. While a broker is away, it is not known
// of all partitions, and the last number counts.
func (f *feeding) arrived() int {
	ctx, cancel := context.WithTimeout(f.r.ctx, 2*time.Second)
	defer cancel()
	total, _, err := f.r.kafka.ends(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.last = max(f.last, int(total-f.before))
	}
	return f.last
}

// over reports whether the trial needs no more lines than feedLines.
func (f *feeding) over() bool {
	select {
	case <-f.enough:
		return true
	default:
		return false
	}
}

func (f *feeding) write() {
	defer close(f.done)
	defer f.w.CloseInput()
	r := f.r
	began, last, lastProgress := time.Now(), 0, time.Now()
	for i := 0; i < f.lines || !f.over(); i++ {
		for {
			arrived := f.arrived()
			if arrived > last {
				last, lastProgress = arrived, time.Now()
			}
			if i-arrived < window {
				break
			}
			if r.ctx.Err() != nil || !f.w.running() {
				return
			}
			time.Sleep(pace)
			if time.Since(lastProgress) > 2*time.Second {
				break
			}
		}
		if f.over() && time.Since(began) > r.limits.feed {
			return // a slow program gets fewer lines
		}
		r.mu.Lock()
		number := r.base + len(r.messages)
		r.messages = append(r.messages, Message{Number: number, Sent: r.since()})
		r.mu.Unlock()
		if f.w.Type(textOf(number)+"\n") != nil {
			return // it has ended
		}
		time.Sleep(pace / 2)
	}
}

// sent returns how many lines the producer has got.
func (f *feeding) sent() int {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	return len(f.r.messages)
}

// more waits until n more lines are in the topic. It does not wait longer than limits.more.
func (f *feeding) more(n int) error {
	want, enough := f.arrived()+n, time.Now().Add(f.r.limits.more)
	return f.r.until(2*f.r.limits.more, "", func() bool { return f.arrived() >= want || time.Now().After(enough) || !f.w.running() })
}

// end waits until the producer has sent all lines and has ended.
func (f *feeding) end() error {
	r := f.r
	began, last, lastProgress := time.Now(), -1, time.Now()
	complete := false
	err := r.until(24*time.Hour, "", func() bool {
		arrived := f.arrived()
		if arrived > last {
			last, lastProgress = arrived, time.Now()
		}
		select {
		case <-f.done:
			complete = arrived >= f.sent()
		default: // it still gets lines
		}
		patience, limit := r.limits.patience, 2*r.limits.feed
		if arrived == 0 {
			patience, limit = r.limits.start, r.limits.start
		}
		return !f.w.running() || complete && time.Since(lastProgress) > r.limits.end/2 ||
			time.Since(lastProgress) > patience || time.Since(began) > limit
	})
	if err != nil {
		return err
	}
	if f.w.running() {
		if f.arrived() == 0 {
			return r.explainNothing(f.w)
		}
		if complete {
			r.result.note("it does not end at the end of its input, and was stopped")
		} else {
			r.partial = true
			r.result.note(fmt.Sprintf("it was stopped when %d of %d lines were in the topic, and no more came, or it took too long", f.arrived(), f.sent()))
		}
		return r.stop(f.w, syscall.SIGINT)
	}
	<-f.done
	r.event("%s ended with status %d; %d messages are in the topic", f.w.name, f.w.Status(), f.arrived())
	if f.arrived() == 0 {
		return r.explainNothing(f.w)
	}
	if f.w.Status() != 0 {
		r.result.note(fmt.Sprintf("it ended with status %d%s", f.w.Status(), lastLines(f.w)))
	}
	return nil
}

func (r *run) explainNothing(w *worker) error {
	p := &problem{text: "no line came into the topic" + lastLines(w),
		hint: "it must send each line of standard input; {topic} and {brokers} in its arguments stand for the topic and the addresses"}
	if r.kafka.own != nil && r.kafka.watch.connections.Load() == 0 && r.kafka.watch.produces.Load() == 0 {
		p.text = "it has not connected to the brokers" + lastLines(w)
		p.hint = "put {brokers} into its arguments, or read the addresses from the variable KAFKA_BROKERS"
	}
	return p
}

// feedAll feeds a producer, and calls each fault when some more lines are in the topic. The lines do not end
// before the faults.
func (r *run) feedAll(faults ...func() error) error {
	f, err := r.feed()
	if err != nil {
		return err
	}
	f.w.stopped = true // its end is for the checker
	for _, fault := range faults {
		if err := f.more(90); err != nil {
			return err
		}
		if !f.w.running() {
			break // end reports it
		}
		if err := fault(); err != nil {
			return err
		}
	}
	close(f.enough)
	return f.end()
}

func fiveTimes(fault func() error) []func() error { return slices.Repeat([]func() error{fault}, 5) }

func repliesTrial(r *run) error {
	answers, lost := 0, 0
	r.kafka.own.LoseReplies(func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		answers++
		// The first answer always, because some programs send few large requests.
		if answers > 1 && r.random.IntN(20) > 0 {
			return false
		}
		lost++
		return true
	})
	err := r.feedAll()
	r.kafka.own.LoseReplies(nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && lost == 0 {
		return &notTried{"the program sent no request"}
	}
	r.result.note(fmt.Sprintf("%d of %d answers got lost", lost, answers))
	return err
}

func connectionsTrial(r *run) error {
	return r.feedAll(fiveTimes(func() error {
		for _, broker := range r.kafka.ids {
			if err := r.kafka.own.Kill(broker); err != nil {
				return err
			}
			if err := r.kafka.own.Restart(broker); err != nil {
				return err
			}
		}
		r.event("all connections were cut")
		return nil
	})...)
}

func leadersTrial(r *run) error {
	return r.feedAll(fiveTimes(func() error {
		r.kafka.own.Kfake().ShufflePartitionLeaders()
		r.event("the leaders moved")
		return nil
	})...)
}

func replicasTrial(r *run) error {
	requests := 0
	fault := r.kafka.own.Kfake().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: -1,
		When: func(kmsg.Request) bool {
			r.mu.Lock()
			defer r.mu.Unlock()
			requests++
			return requests == 1 || r.random.IntN(10) == 0
		},
	})
	err := r.feedAll()
	if err == nil && fault.Hits() == 0 {
		return &notTried{"the program sent no request"}
	}
	r.result.note(fmt.Sprintf("%d answers were NOT_ENOUGH_REPLICAS_AFTER_APPEND", fault.Hits()))
	return err
}

func producerBrokerTrial(r *run) error {
	lost := r.kafka.ids[r.between(0, len(r.kafka.ids)-1)]
	return r.feedAll(func() error {
		r.event("broker %d dies", lost)
		return r.kafka.breaker.kill(lost)
	}, func() error {
		r.event("broker %d comes back", lost)
		return r.back()
	})
}

func producerRollingTrial(r *run) error {
	var faults []func() error
	for _, broker := range r.kafka.ids {
		faults = append(faults, func() error { return r.rollOn(broker) })
	}
	return r.feedAll(faults...)
}

func producerStopTrial(r *run) error {
	f, err := r.feed()
	if err != nil {
		return err
	}
	close(f.enough)
	if err := f.more(f.lines * 3 / 10); err != nil {
		return err
	}
	r.partial = true
	if err := r.stop(f.w, syscall.SIGTERM); err != nil {
		return err
	}
	<-f.done
	r.mu.Lock()
	reports := len(r.reports)
	r.mu.Unlock()
	if reports == 0 {
		return &notTried{"the program reports no delivery, so there is nothing to compare: print the text of a message when it is acknowledged"}
	}
	return nil
}

// writing is what the checker has to know about a producer.
func (r *run) writing(before map[int32]int64) (*Writing, error) {
	records, err := r.kafka.read(r.ctx, before)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	w := &Writing{Partial: r.partial, Reported: r.reports, Events: slices.Clone(r.events)}
	own := make(map[int]bool)
	for _, m := range r.messages {
		w.Lines = append(w.Lines, m.Number)
		own[m.Number] = true
	}
	for _, record := range records {
		if own[record.Number] {
			w.Records = append(w.Records, record)
		}
	}
	return w, nil
}
