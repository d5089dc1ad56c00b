package trial

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Consumer are the trials of a consumer. The first one finds out how the program reads.
var Consumer = []Trial{
	{Name: "start", What: "it reads a topic", Once: true, perform: startTrial},
	{Name: "stop", What: "stopped with Ctrl-C and started again, three times", Once: true, grouped: true,
		perform: func(r *run) { stopTrial(r, syscall.SIGINT) }},
	{Name: "sigterm", What: "stopped with SIGTERM, as docker stop does, and started again", grouped: true,
		perform: func(r *run) { stopTrial(r, syscall.SIGTERM) }},
	{Name: "kill", What: "killed while it works, and started again", grouped: true, perform: killTrial},
	{Name: "members", What: "a second and a third member join and leave", Once: true, grouped: true, perform: membersTrial},
	{Name: "coordinator", What: "the coordinator and the leaders move", perform: coordinatorTrial},
	{Name: "broker", What: "a broker dies and comes back", perform: brokerTrial},
	{Name: "away", What: "all brokers are away for 20 s", perform: awayTrial},
	{Name: "rolling", What: "the brokers restart one after the other, and two members read", grouped: true, perform: rollingTrial},
	{Name: "slow", What: "a slow message outlasts the session", grouped: true, perform: slowTrial},
}

// begin starts the first process, waits until it reads all partitions, and begins the load.
func (r *run) begin() *worker {
	w := r.start()
	r.ready(w)
	if r.members > 0 {
		r.join(w, 1)
	}
	r.load()
	return w
}

// ready sends messages until the program has printed one of each partition. They are not required: a
// program may begin at the end of the topic at any time before that.
func (r *run) ready(w *worker) {
	first, gap, next := r.progress(0).sent, 300*time.Millisecond, time.Duration(0)
	missing := make(map[int]bool)
	reads := func() bool {
		clear(missing)
		for partition := range partitions {
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
			next, gap = now+gap, min(2*gap, 2*time.Second)
		}
		return len(missing) == 0
	}
	if !r.until(r.limits.start, reads) {
		r.must(r.explainSilence(w, len(missing)))
	}
}

// explainSilence explains why a program has not printed the messages that it should.
func (r *run) explainSilence(w *worker, missing int) *problem {
	asked, limit := r.kafka.look(), r.limits.start
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
	case lines > 0:
		return &problem{fmt.Sprintf("none of the %d lines that it printed in %v has the text of a message", lines, limit) + r.lastLines(w),
			"print the text of each message on standard output, such as " + textOf(0)}
	}
	return &problem{fmt.Sprintf("it reads the topic, and has printed nothing on standard output in %v", limit) + r.lastLines(w),
		"if it prints, its output waits in a buffer: python3 -u, print(..., flush=True), or stdbuf -oL COMMAND"}
}

// startTrial also finds out where the program starts, and whether it is a member of a group.
func startTrial(r *run) {
	r.sendEach(2, false)
	older := r.progress(0).sent
	w := r.start()
	r.ready(w)
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
	r.members = len(r.kafka.group().Members)
	r.event("it is ready after %.1f s; a new group begins at %s", (r.since() - w.began).Seconds(), r.result.Begins)
	switch {
	case r.members == 0:
		r.result.note("it is not a member of a group, so nobody stores how far it has read")
	case r.members > 1:
		r.result.note(fmt.Sprintf("it has %d members in one process", r.members))
	}
	r.load()
	r.more(300)
	r.finish()
}

// again starts the program again, after some messages have come.
func (r *run) again() *worker {
	r.unload()
	r.sendEach(1, true)
	before := r.kafka.groupName()
	w := r.another(1)
	if now := r.kafka.groupName(); now != before {
		r.result.note(fmt.Sprintf("each start is a new group: %s, and then %s", before, now))
	}
	r.load()
	return w
}

func stopTrial(r *run, signal syscall.Signal) {
	w := r.begin()
	for range 3 {
		r.more(r.between(50, 150))
		r.stop(w, signal)
		w = r.again()
	}
	r.finish()
}

func killTrial(r *run) {
	w := r.begin()
	for round := range 4 {
		r.more(r.between(30, 200))
		r.kill(w, round%2 == 0)
		w = r.again()
	}
	r.finish()
}

func membersTrial(r *run) {
	r.begin()
	var others []*worker
	for n := range 2 {
		r.more(r.between(30, 100))
		others = append(others, r.another(2+n))
		r.more(100)
	}
	for i, w := range others {
		r.stop(w, syscall.SIGINT)
		r.groupHas(len(others) - i)
		r.more(100)
	}
	r.finish()
}

func coordinatorTrial(r *run) {
	r.begin()
	for range 3 {
		r.more(r.between(30, 100))
		r.kafka.Kfake().RehashCoordinators()
		r.kafka.Kfake().ShufflePartitionLeaders()
		r.event("the coordinator and the leaders moved")
		r.more(100)
	}
	r.finish()
}

// brokerTrial kills the coordinator of the group. The other brokers become the leaders of its partitions.
func brokerTrial(r *run) {
	r.begin()
	r.more(r.between(30, 100))
	lost := r.kafka.Kfake().CoordinatorFor(r.kafka.groupName())
	r.must(r.kafka.kill(lost))
	r.event("broker %d died", lost)
	r.more(100)
	r.must(r.kafka.restart())
	r.event("broker %d came back", lost)
	r.more(200)
	r.finish()
}

func awayTrial(r *run) {
	r.begin()
	r.more(r.between(30, 100))
	r.must(r.kafka.killAll())
	r.event("all brokers are away")
	r.unload()
	r.until(r.limits.away, func() bool { return false })
	r.must(r.kafka.restart())
	r.event("all brokers are back")
	r.load()
	r.more(200)
	r.finish()
}

func rollingTrial(r *run) {
	r.begin()
	r.another(2)
	for broker := range r.kafka.Brokers() {
		r.more(r.between(30, 100))
		r.roll(broker)
	}
	r.more(200)
	r.finish()
}

// slowTrial pauses a process as a message does that takes longer than the session, or than
// max.poll.interval.ms. The group removes it, and another member gets its partitions.
func slowTrial(r *run) {
	slow := r.begin()
	other := r.another(2)
	r.more(r.between(50, 150))
	if err := slow.Pause(); err != nil {
		r.must(errors.New("this system cannot pause a program"))
	}
	r.event("%s was paused, as by a slow message", slow.name)
	r.must(r.kafka.remove(r.ctx, slow.ids))
	r.groupHas(1, other) // the paused one may have asked to join before
	r.event("its session ended; %s has its partitions", other.name)
	r.more(150)
	r.must(slow.Continue())
	r.event("%s continues", slow.name)
	r.groupHas(2)
	r.more(200)
	r.finish()
}
