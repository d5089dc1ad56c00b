package trial

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/process"
)

// run is one trial while it runs.
type run struct {
	*Suite
	history
	ctx    context.Context // ends when a program has ended by itself, with that as its cause
	cancel context.CancelCauseFunc

	kafka     *kafka
	folder    string // in which the program runs
	processes []*worker
	unload    func() // ends the load

	result       Result
	cost         time.Duration // how long a message takes, if the program is slow; 0: it is quick
	neverCommits bool          // the program has not committed when the trial waited for it
	lost         int32         // the broker that died
}

// worker is a process of the program.
type worker struct {
	*process.Process
	name    string
	began   time.Duration
	ids     []string    // of its members, as far as they are known
	stopped atomic.Bool // it may end
}

func (w *worker) running() bool {
	select {
	case <-w.Ended():
		return false
	default:
		return true
	}
}

// event records something that happened, and shows it.
func (r *run) event(format string, args ...any) {
	e := event{r.since(), fmt.Sprintf(format, args...)}
	r.events = append(r.events, e)
	r.say("%s", e.text)
}

func (r *run) say(format string, args ...any) {
	if r.Say != nil {
		r.Say(r.result.Trial, fmt.Sprintf(format, args...))
	}
}

func (r *run) setWhy(why, hint string) {
	if r.result.Why == "" {
		r.result.Why, r.result.Hint = why, hint
	}
}

// until waits until something holds, and reports whether it did in this time.
func (r *run) until(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); !holds(); time.Sleep(20 * time.Millisecond) { // nobody reports all changes
		if r.ctx.Err() != nil {
			r.must(context.Cause(r.ctx))
		}
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

const (
	forever    = 24 * time.Hour
	wasStarted = " was started"
)

// start starts a process of the program.
func (r *run) start() *worker {
	w := &worker{Process: r.Command.process(r.kafka, r.folder), name: fmt.Sprintf("process %d", len(r.processes)+1), began: r.since()}
	w.stopped.Store(r.Producer) // its end is for the checker
	r.starts = append(r.starts, start{w.name, w.began, r.kafka.committed()})
	w.Stdout.OnLine = func(line string) {
		if r.Line == nil || r.Line.MatchString(line) {
			r.print(w.name, line)
		}
	}
	if r.Producer {
		w.Stdout.OnLine = r.report
		w.Stderr.OnLine = r.report
	}
	if err := w.Start(); err != nil {
		r.must(fmt.Errorf("cannot start the program: %w", err))
	}
	r.processes = append(r.processes, w)
	r.event("%s"+wasStarted, w.name)
	go func() {
		<-w.Ended()
		if !w.stopped.Load() {
			r.cancel(r.endedEarly(w))
		}
	}()
	return w
}

// endedEarly describes a process that should not have ended.
func (r *run) endedEarly(w *worker) *problem {
	lines, printed := r.lastLines(w), r.progress(0).printed
	hint := "an error of one request is no reason to end: print it, and poll again"
	switch {
	case printed == 0 && w.Status() == 0:
		hint = "a consumer polls in a loop until it is stopped; it must not end when no message is there"
	case printed == 0:
		hint = "it ended before its first message, so its own lines have the reason: type the command without the judge first"
	case refusedCommit.MatchString(lines):
		hint = "its commit was refused, because the group had changed, so the messages come again: poll again, or let a supervisor start it again"
	}
	text := fmt.Sprintf("%s ended by itself, with status %d, after %.1f s", w.name, w.Status(), (r.since() - w.began).Seconds())
	if content := r.sending.Load(); content != nil {
		text += fmt.Sprint(", at ", content)
	}
	return &problem{text + lines, hint}
}

var refusedCommit = regexp.MustCompile(`(?i)generation|unknown.member|fenced|rebalance.in.progress`)

// lastLines are the last lines of a program's output, for an explanation.
func (r *run) lastLines(w *worker) string {
	lines, name := w.Stderr.Lines(), "standard error"
	if len(lines) == 0 {
		lines, name = w.Stdout.Lines(), "standard output"
	}
	if len(lines) == 0 {
		return "; it printed nothing"
	}
	const most, width = 3, 200
	var text []string
	for _, line := range lines[max(0, len(lines)-most):] {
		text = append(text, strings.TrimSpace(cli.Escape(line[:min(len(line), width)])))
	}
	end := strings.ReplaceAll(strings.Join(text, " / "), r.folder+"/", "")
	return fmt.Sprintf("; the end of its %s: %q", name, end)
}

// more waits until the program has printed n more messages, or for some time.
func (r *run) more(n int) {
	want := r.progress(0).printed + r.atMost(n, r.limits.feed/2)
	r.until(r.patience(), func() bool { return r.progress(0).printed >= want })
}

// groupHas waits until the group is stable with the members of so many processes, and returns them. If it
// is only for one process, it removes all other members.
func (r *run) groupHas(processes int, only ...*worker) (members []string) {
	want := processes * r.members
	stable := func() bool {
		group := r.kafka.group()
		members = memberIDs(group)
		for _, w := range only {
			r.kafka.remove(r.ctx, slices.DeleteFunc(slices.Clone(members), func(id string) bool { return slices.Contains(w.ids, id) }))
		}
		return group.State == "Stable" && len(members) == want
	}
	if !r.until(r.limits.start, stable) {
		r.must(&problem{fmt.Sprintf("the group has %d members, and not %d, after %v", len(members), want, r.limits.start),
			"a member must poll all the time: a rebalance waits for it (max.poll.interval.ms)"})
	}
	return members
}

// running returns the processes that have not ended.
func (r *run) running() []*worker {
	return slices.DeleteFunc(slices.Clone(r.processes), func(w *worker) bool { return !w.running() })
}

// join waits until a new process is in the group, and learns the IDs of its members.
func (r *run) join(w *worker) {
	running := r.running()
	for _, id := range r.groupHas(len(running)) {
		if !slices.ContainsFunc(running, func(other *worker) bool { return slices.Contains(other.ids, id) }) {
			w.ids = append(w.ids, id)
		}
	}
}

// again starts the program again, after some messages have come.
func (r *run) again() {
	r.unload()
	r.sendEach(1, true)
	before := r.kafka.groupName()
	r.join(r.start())
	if now := r.kafka.groupName(); now != before {
		r.result.note(fmt.Sprintf("each start is a new group: %s, and then %s", before, now))
	}
	r.load()
}

// stop stops a process as Ctrl-C does, and waits for its end.
func (r *run) stop(w *worker, signal syscall.Signal) {
	name := map[syscall.Signal]string{syscall.SIGINT: "Ctrl-C", syscall.SIGTERM: "SIGTERM"}[signal]
	w.stopped.Store(true)
	r.event("%s was stopped with %s", w.name, name)
	asked := time.Now()
	w.SignalAll(signal)
	if r.Producer { // what is before it in a pipeline ends, too
		time.AfterFunc(r.limits.end/5, func() { w.CloseInput() })
	}
	if r.until(r.limits.end, func() bool { return !w.running() }) {
		r.say("%s ended after %.1f s, with status %d", w.name, time.Since(asked).Seconds(), w.Status())
	} else {
		r.setWhy(fmt.Sprintf("%s did not end within %v after %s, and was killed", w.name, r.limits.end, name),
			"a program should end when it is interrupted: it has about ten seconds before it is killed")
	}
	w.KillAll() // also what it has started
	r.leave(w, "it ended without leaving its group, which waits for it until the session ends (session.timeout.ms): close the consumer")
}

// leave waits until the members of a process that has ended are not in the group any more. If it has not
// left the group, its members are removed, as the end of their session would do.
func (r *run) leave(w *worker, unclean string) {
	if r.members == 0 {
		return
	}
	running := len(r.running()) > 0
	var left []string
	gone := func() bool {
		left = slices.DeleteFunc(memberIDs(r.kafka.group()), func(id string) bool { return running && !slices.Contains(w.ids, id) })
		return len(left) == 0
	}
	if r.until(300*time.Millisecond, gone) { // enough for a member that has left
		return
	}
	if unclean != "" && r.kafka.look().instance == "" { // a static member does not leave
		r.result.note(unclean)
	}
	r.must(r.kafka.remove(r.ctx, left))
	if !r.until(r.limits.start, gone) {
		r.must(&problem{fmt.Sprintf("the group still has a member that was killed after %v", r.limits.start), ""})
	}
}

// finish ends the load, waits until the program has read everything, and stops it. A last message in each
// partition shows that the program has read what is before it.
func (r *run) finish() {
	r.unload()
	first, sent := r.sendEach(1, true), r.since()
	r.until(forever, func() bool {
		p := r.progress(first)
		return p.unread == 0 || r.since()-max(p.last, sent) > r.patience()
	})
	for _, w := range r.running() {
		r.stop(w, syscall.SIGINT)
	}
}

// close starts all brokers again and ends all processes, whatever happened.
func (r *run) close() {
	r.unload()
	for _, w := range r.processes {
		w.stopped.Store(true)
		w.KillAll()
	}
	if err := r.kafka.restart(); err != nil {
		r.say("a broker does not run: %v", err)
	}
}

// must ends the trial if there is an error. So the steps of a trial need no "if err != nil", as in a test.
func (r *run) must(err error) {
	if err != nil {
		panic(ended{err})
	}
}

type ended struct{ error }

// problem is why a trial cannot continue, if it is the program's fault. After any other error, the trial
// counts as not tried.
type problem struct{ text, hint string }

func (p *problem) Error() string { return p.text }
