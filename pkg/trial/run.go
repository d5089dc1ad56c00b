package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/process"
)

// limits are how long a trial waits. It never waits longer than it needs.
type limits struct {
	start    time.Duration // for the first message
	patience time.Duration // without a new message
	end      time.Duration // for the end of a program after Ctrl-C
	commit   time.Duration // for a commit, to kill the program at that moment
	away     time.Duration // how long all brokers are away
	more     time.Duration // for more messages, while the load continues
	feed     time.Duration // in which a producer gets its lines
}

var defaultLimits = limits{
	start: time.Minute, patience: 15 * time.Second, end: 10 * time.Second, commit: 8 * time.Second,
	away: 20 * time.Second, more: 15 * time.Second, feed: 20 * time.Second,
}

// window is how many messages may wait for the program. So a slow program is not flooded.
const window = 100

// flushTime is how long the brokers may take to acknowledge messages, after they were away, too.
const flushTime = time.Minute

// pace is the time between two messages.
const pace = 4 * time.Millisecond

// run is one trial while it runs.
type run struct {
	*Suite
	ctx     context.Context
	name    string
	base    int  // the number of the first message
	grouped bool // the program is a member of a group
	kafka   *kafka
	folder  string // in which the program runs
	random  *rand.Rand
	began   time.Time
	started int // how many processes

	mu        sync.Mutex
	messages  []Message // in order of their numbers; the number of the first is base
	acked     map[int]bool
	printed   []Print
	count     map[int]int // prints of each message
	waiting   int         // required messages that were not printed
	backlog   int         // of these, the ones that the load waits for
	lines     int         // that the program has printed
	lastPrint time.Duration
	events    []Event
	starts    []Start
	sendErr   error
	reports   []Report

	partial      bool // the producer was stopped before it had sent all lines
	neverCommits bool // the program has not committed when the trial waited for it
	processes    []*worker
	result       Result

	loading sync.WaitGroup
	unload  context.CancelFunc
}

// worker is a process of the program.
type worker struct {
	*process.Process
	name    string
	began   time.Duration
	folder  string
	ids     []string // of its members, as far as they are known
	stopped bool     // it was asked to end
}

func (w *worker) running() bool {
	select {
	case <-w.Ended():
		return false
	default:
		return true
	}
}

func (r *run) since() time.Duration { return time.Since(r.began) }

// event records something that happened, and shows it.
func (r *run) event(format string, args ...any) {
	e := Event{r.since(), fmt.Sprintf(format, args...)}
	r.mu.Lock()
	r.events = append(r.events, e)
	r.mu.Unlock()
	r.say("%s", e.Text)
}

func (r *run) say(format string, args ...any) {
	if r.Say != nil {
		r.Say(r.name, fmt.Sprintf(format, args...))
	}
}

const wasStarted = " was started"

// start starts a process of the program.
func (r *run) start() (*worker, error) {
	r.started++
	w := &worker{Process: r.Command.process(r.kafka.place, r.folder), name: fmt.Sprintf("process %d", r.started), began: r.since(), folder: r.folder}
	var committed map[int32]int64
	if !r.Producer {
		committed, _ = r.kafka.committed(r.ctx)
	}
	if committed == nil && r.kafka.own != nil {
		committed = map[int32]int64{} // there is no group yet
	}
	r.mu.Lock()
	r.starts = append(r.starts, Start{w.name, r.since(), committed})
	r.mu.Unlock()
	w.Stdout.OnLine = func(line string) { r.line(w, line) }
	if r.Producer {
		w.Stderr.OnLine = w.Stdout.OnLine
	}
	if err := w.Start(); err != nil {
		return nil, fmt.Errorf("cannot start the program: %w", err)
	}
	r.event("%s"+wasStarted, w.name)
	r.processes = append(r.processes, w)
	return w, nil
}

// line counts the messages in a line of a program's output.
func (r *run) line(w *worker, line string) {
	at := r.since()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines++
	if r.Producer {
		r.reports = append(r.reports, reportIn(line)...)
		return
	}
	for _, number := range numbersIn(line) {
		if number < r.base || number >= r.base+len(r.messages) {
			continue
		}
		r.printed = append(r.printed, Print{number, w.name, at})
		r.lastPrint = at
		if r.count[number]++; r.count[number] == 1 && r.messages[number-r.base].Required {
			r.waiting--
			r.backlog = max(0, r.backlog-1)
		}
	}
}

// send sends a message to a partition. Required messages must be printed.
func (r *run) send(partition int32, required bool) (number int) {
	r.mu.Lock()
	number = r.base + len(r.messages)
	m := Message{Number: number, Key: fmt.Sprintf("key-%d-%d", partition, r.random.IntN(3)), Partition: partition, Sent: r.since(), Required: required}
	r.messages = append(r.messages, m)
	if required {
		r.waiting++
		r.backlog++
	}
	r.mu.Unlock()
	record := &kgo.Record{Topic: r.kafka.topic, Partition: partition, Key: []byte(m.Key), Value: []byte(textOf(number))}
	r.kafka.client.Produce(r.ctx, record, func(record *kgo.Record, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			r.sendErr = err
			return
		}
		r.acked[number] = true
		r.messages[number-r.base].Offset = record.Offset
	})
	return number
}

// sendEach sends messages to all partitions in turn, and waits until the cluster has them.
func (r *run) sendEach(times int, required bool) error {
	for range times {
		for partition := range int32(r.kafka.partitions) {
			r.send(partition, required)
		}
	}
	return r.flush()
}

// flush waits until the cluster has all messages that were sent. This does not depend on the program.
func (r *run) flush() error {
	ctx, cancel := context.WithTimeout(r.ctx, flushTime)
	defer cancel()
	err := r.kafka.client.Flush(ctx)
	if ctx.Err() != nil && r.ctx.Err() == nil {
		err = fmt.Errorf("the cluster did not acknowledge all messages within %v", flushTime)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(err, r.sendErr)
}

// load sends messages until endLoad. Few of them wait for the program at any time, so that it is busy and
// is not flooded.
func (r *run) load() {
	if r.unload != nil {
		return
	}
	ctx, cancel := context.WithCancel(r.ctx)
	r.unload = cancel
	r.mu.Lock()
	r.backlog = 0 // what a process before did not read is for the checker
	r.mu.Unlock()
	r.loading.Go(func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for reset := r.since(); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			r.mu.Lock()
			// After some time without a message, those that wait may be lost, and others are sent.
			const lost = 5 * time.Second
			if now := r.since(); now-max(r.lastPrint, reset) > lost {
				r.backlog, reset = 0, now
			}
			full := r.backlog >= window
			partition := r.random.Int32N(int32(r.kafka.partitions))
			r.mu.Unlock()
			if !full {
				r.send(partition, true)
			}
		}
	})
}

func (r *run) endLoad() {
	if r.unload != nil {
		r.unload()
		r.loading.Wait()
		r.unload = nil
	}
}

// problem is why a trial cannot continue.
type problem struct{ text, hint string }

func (p *problem) Error() string { return p.text }

func (r *run) printedCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.count)
}

// until waits until something holds. It fails after the limit, and when a program has ended by itself.
func (r *run) until(limit time.Duration, what string, holds func() bool) error {
	deadline := time.Now().Add(limit)
	for !holds() {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if err := r.endedByItself(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return &problem{text: fmt.Sprintf("%s after %v", what, limit)}
		}
		time.Sleep(20 * time.Millisecond) // neither a cluster nor a process reports its changes
	}
	return nil
}

// endedByItself reports a program that should run, and has ended.
func (r *run) endedByItself() error {
	for _, w := range r.processes {
		if !w.running() && !w.stopped {
			w.stopped = true
			text := fmt.Sprintf("%s ended by itself, with status %d, after %.1f s", w.name, w.Status(), (r.since() - w.began).Seconds())
			return &problem{text + lastLines(w), "an error of one request is no reason to end: print it, and poll again"}
		}
	}
	return nil
}

// lastLines are the last lines of a program's output, for an explanation.
func lastLines(w *worker) string {
	lines := w.Stderr.Lines()
	name := "standard error"
	if len(lines) == 0 {
		lines, name = w.Stdout.Lines(), "standard output"
	}
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	const most = 3
	lines = lines[max(0, len(lines)-most):]
	var text []string
	for _, line := range lines {
		const width = 200
		text = append(text, strings.TrimSpace(string(cli.Escape([]byte(line[:min(len(line), width)])))))
	}
	end := strings.ReplaceAll(strings.Join(text, " / "), w.folder+"/", "")
	return fmt.Sprintf("; the end of its %s: %q", name, end)
}

// more waits until the program has printed n more messages. It is patient with a slow program, and does
// not wait longer than limits.more.
func (r *run) more(n int) error {
	want, enough := r.printedCount()+n, time.Now().Add(r.limits.more)
	return r.until(2*r.limits.more, "", func() bool { return r.printedCount() >= want || time.Now().After(enough) })
}

// groupHas waits until the group is stable with the members of so many processes.
func (r *run) groupHas(processes int) error {
	return r.groupHasAfter(processes, func([]string) {})
}

// alone waits until the process has the group for itself. It removes others that join: one that was paused
// may have asked for that before.
func (r *run) alone(w *worker) error {
	return r.groupHasAfter(1, func(members []string) {
		others := slices.DeleteFunc(members, func(id string) bool { return slices.Contains(w.ids, id) })
		if len(others) > 0 {
			r.kafka.remove(r.ctx, others) // or the next time
		}
	})
}

// groupHasAfter calls change with the members each time before it looks.
func (r *run) groupHasAfter(processes int, change func(members []string)) error {
	want, have := processes*r.perProcess, 0
	enough, err := time.Now().Add(r.limits.start), error(nil)
	stable := func() bool {
		change(r.kafka.state(r.ctx).members)
		state := r.kafka.state(r.ctx)
		have = len(state.members)
		return state.stable && have == want
	}
	err = r.until(2*r.limits.start, "", func() bool { return stable() || time.Now().After(enough) })
	if err == nil && !stable() {
		return &problem{fmt.Sprintf("the group has %d members, and not %d, after %v", have, want, r.limits.start),
			"a member must poll all the time: a rebalance waits for it (max.poll.interval.ms)"}
	}
	return err
}

// join waits until a new process is a member, and learns the IDs of its members.
func (r *run) join(w *worker, processes int) error {
	known := r.known()
	if err := r.groupHas(processes); err != nil {
		return err
	}
	for _, id := range r.kafka.state(r.ctx).members {
		if !slices.Contains(known, id) {
			w.ids = append(w.ids, id)
		}
	}
	return nil
}

// known returns the IDs of all members that belong to a running process.
func (r *run) known() (ids []string) {
	for _, w := range r.processes {
		if w.running() {
			ids = append(ids, w.ids...)
		}
	}
	return ids
}

// stop stops a process as Ctrl-C does, and waits for its end.
func (r *run) stop(w *worker, signal syscall.Signal) error {
	r.event("%s was stopped with %s", w.name, signalName(signal))
	w.stopped = true
	asked := time.Now()
	w.SignalAll(signal)
	select {
	case <-w.Ended():
		r.say("%s ended after %.1f s, with status %d", w.name, time.Since(asked).Seconds(), w.Status())
	case <-time.After(r.limits.end):
		w.KillAll()
		r.setWhy(fmt.Sprintf("%s did not end within %v after %s, and was killed", w.name, r.limits.end, signalName(signal)),
			"a program should end when it is interrupted: it has about ten seconds before it is killed")
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	w.KillAll() // what it has started
	return r.leave(w, "it ended without leaving its group, which waits for it until the session ends (session.timeout.ms): close the consumer")
}

func (r *run) setWhy(why, hint string) {
	if r.result.Why == "" {
		r.result.Why, r.result.Hint = why, hint
	}
}

func signalName(signal syscall.Signal) string {
	switch signal {
	case syscall.SIGINT:
		return "Ctrl-C"
	case syscall.SIGTERM:
		return "SIGTERM"
	}
	return signal.String()
}

// kill kills a process. If atCommit is set, that happens when a commit arrives, before it is stored.
func (r *run) kill(w *worker, atCommit bool) error {
	w.stopped = true
	how := "was killed"
	if atCommit && r.kafka.own != nil && !r.neverCommits {
		r.kafka.watch.atCommit(func() { w.SignalAll(syscall.SIGKILL) })
		select {
		case <-w.Ended():
			how = "was killed while it committed"
		case <-time.After(r.limits.commit):
			how = fmt.Sprintf("was killed; it had not committed for %v", r.limits.commit)
			r.neverCommits = true
		case <-r.ctx.Done():
		}
		r.kafka.watch.atCommit(nil)
	}
	w.KillAll()
	r.result.Kills++
	r.event("%s %s", w.name, how)
	return r.leave(w, "")
}

// leave waits until the members of a process that has ended are not in the group any more. If it has not
// left the group, its members are removed, as the end of their session would do.
func (r *run) leave(w *worker, unclean string) error {
	if !r.grouped {
		return nil
	}
	running := slices.ContainsFunc(r.processes, (*worker).running)
	var left []string
	gone := func() bool {
		left = nil
		for _, id := range r.kafka.state(r.ctx).members {
			if !running || slices.Contains(w.ids, id) {
				left = append(left, id)
			}
		}
		return len(left) == 0
	}
	const soon = 300 * time.Millisecond // enough for a member that has left
	for end := time.Now().Add(soon); time.Now().Before(end) && r.ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		if gone() {
			return nil
		}
	}
	if unclean != "" {
		r.result.note(unclean)
	}
	if err := r.kafka.remove(r.ctx, left); err != nil {
		return err
	}
	return r.until(r.limits.start, "the group still has a member that was killed", gone)
}

// finish ends the load, waits until the program has read everything, and stops it. A last message in each
// partition shows that the program has read what is before it.
func (r *run) finish() error {
	r.endLoad()
	first := r.base + len(r.messages)
	if err := r.sendEach(1, true); err != nil {
		return err
	}
	err := r.until(24*time.Hour, "", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		atEnd := true
		for number := first; number < r.base+len(r.messages); number++ {
			atEnd = atEnd && r.count[number] > 0
		}
		quiet := r.since() - max(r.lastPrint, r.messages[len(r.messages)-1].Sent)
		return r.waiting == 0 || atEnd || quiet > r.limits.patience
	})
	if err != nil {
		return err
	}
	for _, w := range r.processes {
		if w.running() {
			if err := r.stop(w, syscall.SIGINT); err != nil {
				return err
			}
		}
	}
	return nil
}

// close starts all brokers again and ends all processes, whatever happened.
func (r *run) close() {
	if r.kafka.breaker != nil {
		if err := r.kafka.breaker.back(); err != nil {
			r.say("a broker may not run: %v", err)
		}
	}
	r.endLoad()
	for _, w := range r.processes {
		w.stopped = true
		w.Continue() // a paused one would not die of anything else than SIGKILL
		w.KillAll()
	}
}

// reading is what the checker has to know about a consumer.
func (r *run) reading() *Reading {
	committed, known := r.kafka.committed(r.ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	reading := &Reading{Printed: r.printed, Committed: committed, Known: known, Starts: r.starts, Events: r.events}
	for _, m := range r.messages {
		if r.acked[m.Number] {
			reading.Sent = append(reading.Sent, m)
		}
	}
	return reading
}
