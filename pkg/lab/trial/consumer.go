package trial

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// consume lets a consumer read under load, with one fault after the other.
func (r *run) consume(faults []fault) {
	w := r.start()
	r.ready(w, r.used()...)
	if r.members > 0 {
		r.join(w)
	}
	r.load()
	for _, fault := range faults {
		r.more(r.between(50, 150))
		fault(r)
	}
	r.more(200)
	r.finish()
}

// ready sends messages until the program has printed one of each of these partitions. They are not required: a
// program may begin at the end of the topic at any time before that.
func (r *run) ready(w *worker, used ...int) {
	first, gap, next := r.progress(0).sent, max(300*time.Millisecond, 2*r.cost), time.Duration(0)
	longest := max(2*time.Second, 4*r.cost)
	missing := make(map[int]bool)
	reads := func() bool {
		clear(missing)
		for _, partition := range used {
			missing[partition] = true
		}
		r.mu.Lock()
		for _, m := range r.messages[first:] {
			if m.times > 0 {
				delete(missing, int(m.partition))
			}
		}
		r.mu.Unlock()
		if now := r.since(); now > next && now-r.progress(first).last > gap {
			for partition := range missing {
				r.send(partition, false)
			}
			next, gap = now+gap, min(2*gap, longest)
		}
		return len(missing) == 0
	}
	if limit := (r.limits.start + 40*r.cost).Round(time.Second); !r.until(limit, reads) {
		r.must(r.explainSilence(w, len(missing), limit))
	}
}

// explainSilence explains why a program has not printed the messages that it should.
func (r *run) explainSilence(w *worker, missing int, limit time.Duration) *problem {
	asked := r.kafka.look()
	r.mu.Lock()
	lines, messages := r.lines, len(r.prints)
	r.mu.Unlock()
	switch {
	case messages > 0:
		return &problem{fmt.Sprintf("it printed %d messages in %v, and none of %d partitions", messages, limit, missing),
			"the judge needs a quick program: if it takes seconds for a message, make that time shorter, and let it read all partitions"}
	case !asked.connected && !asked.fetched:
		return &problem{fmt.Sprintf("it has not connected to the brokers in %v", limit) + r.lastLines(w),
			"put {brokers} into its arguments, or read the addresses from the variable KAFKA_BROKERS"}
	case !asked.fetched && asked.otherTopic != "":
		return &problem{fmt.Sprintf("it asks for the topic %s, and the messages are in the topic %s", asked.otherTopic, Topic) + r.lastLines(w),
			"put {topic} into its arguments"}
	case !asked.fetched:
		return &problem{fmt.Sprintf("it has connected, and asked for no messages in %v", limit) + r.lastLines(w),
			"does it subscribe to the topic, and poll?"}
	case strings.Contains(w.Stderr.String(), "judge-0"):
		r.result.unknown = true
		return &problem{"it prints the messages on standard error, and only standard output counts" + r.lastLines(w),
			"print them on standard output, or join the two: sh -c 'COMMAND 2>&1'"}
	case strings.Contains(w.Stdout.Unmatched(), "judge-0") && !slices.ContainsFunc(w.Stdout.Lines(), func(line string) bool { return numbersIn(line) != nil }):
		r.result.unknown = true
		return &problem{"it prints the messages without line ends, so there is no complete line", `end the line of each message with "\n" (in Python, print does it, unless end="")`}
	case lines > 0:
		return &problem{fmt.Sprintf("none of the %d lines that it printed in %v has the text of a message", lines, limit) + r.lastLines(w),
			"print the text of each message on standard output, such as " + textOf(0)}
	}
	return &problem{fmt.Sprintf("it reads the topic, and has printed nothing on standard output in %v", limit) + r.lastLines(w),
		"if it prints, its output waits in a buffer: python3 -u, print(..., flush=True), or stdbuf -oL COMMAND"}
}

// measure finds out how long a message takes: it waits for the first one, and then sends some more.
func (r *run) measure(w *worker) {
	r.ready(w, 0)
	const some = 8
	for range some {
		r.send(0, false)
	}
	before, began := r.progress(0), r.since()
	now := before
	r.until(r.limits.start, func() bool {
		now = r.progress(0)
		return now.printed >= before.printed+some || now.printed > before.printed && r.since()-began > some*time.Second
	})
	r.setCost((now.last - began) / time.Duration(max(1, now.printed-before.printed)))
	r.Suite.cost = r.cost
}

// explore lets a consumer read older messages, too. It finds out where the program starts, and whether it
// is a member of a group.
func (r *run) explore() {
	r.cost = slow // until it is measured: few messages
	r.sendEach(2, false)
	older := r.progress(0).sent
	w := r.start()
	r.measure(w)
	r.ready(w, r.used()...)
	if r.cost > 0 {
		r.result.note(r.slowness())
	}
	r.result.Begins = "latest"
	r.mu.Lock()
	for _, m := range r.messages[:older] {
		if m.times > 0 {
			r.result.Begins = "earliest"
		}
	}
	for i := range r.messages[:older] { // then it must read all of them
		r.messages[i].required = r.result.Begins == "earliest"
	}
	r.mu.Unlock()
	r.event("it is ready after %.1f s; a new group begins at %s", (r.since() - w.began).Seconds(), r.result.Begins)
	r.load()
	r.more(300)
	// Now all members are there, also if the program has several processes.
	r.members, r.instance = len(r.kafka.group().Members), r.kafka.look().instance
	switch {
	case r.members == 0:
		r.result.note("it is not a member of a group, so nobody stores how far it has read")
	case r.members > 1:
		r.result.note(fmt.Sprintf("each start of it has %d members", r.members))
	}
	r.mu.Lock()
	kinds := r.kinds()
	r.mu.Unlock()
	if kinds != nil {
		r.result.unknown = true
		r.must(&problem{fmt.Sprintf("it prints each message in several kinds of lines: %q", kinds),
			"choose the lines that mean that a message is processed: --line 'PATTERN' counts only lines that match this regular expression"})
	}
	r.finish()
}
