package trial

import (
	"fmt"
	"syscall"
	"time"
)

// Trial is something that is tried with a program.
type Trial struct {
	Name string
	What string // a sentence
	Once bool   // a message that comes twice fails the trial: nobody was killed, and all left cleanly

	own     bool // it needs a cluster of the judge's own
	stops   bool // it stops brokers
	grouped bool // it needs a member of a group
	perform func(*run) error
}

// Consumer are the trials of a consumer. The first one finds out how the program reads.
var Consumer = []Trial{
	{Name: "start", What: "it reads a topic", Once: true, perform: startTrial},
	{Name: "stop", What: "stopped with Ctrl-C and started again, three times", Once: true, grouped: true,
		perform: func(r *run) error { return stopTrial(r, syscall.SIGINT) }},
	{Name: "sigterm", What: "stopped with SIGTERM, as docker stop does, and started again", grouped: true,
		perform: func(r *run) error { return stopTrial(r, syscall.SIGTERM) }},
	{Name: "kill", What: "killed while it works, and started again", grouped: true, perform: killTrial},
	{Name: "members", What: "a second and a third member join and leave", Once: true, grouped: true, perform: membersTrial},
	{Name: "coordinator", What: "the coordinator and the leaders move", own: true, perform: coordinatorTrial},
	{Name: "broker", What: "a broker dies and comes back", stops: true, perform: brokerTrial},
	{Name: "away", What: "all brokers are away for 20 s", stops: true, perform: awayTrial},
	{Name: "rolling", What: "the brokers restart one after the other, and two members read", stops: true, grouped: true, perform: rollingTrial},
	{Name: "slow", What: "a slow message outlasts the session", grouped: true, perform: slowTrial},
}

// begin starts the first process, and waits until it reads all partitions.
func (r *run) begin() (*worker, error) {
	w, err := r.start()
	if err == nil {
		err = r.ready(w)
	}
	if err == nil && r.grouped {
		err = r.join(w, 1)
	}
	return w, err
}

// another starts one more process, and waits until the group has the members of so many.
func (r *run) another(processes int) (*worker, error) {
	w, err := r.start()
	if err == nil {
		err = r.join(w, processes)
	}
	return w, err
}

// ready sends messages until the program has printed one of each partition. They are not required: a
// program may begin at the end of the topic at any time before that.
func (r *run) ready(w *worker) error {
	probes := make(map[int]int32)
	missing := make(map[int32]bool)
	for partition := range int32(r.kafka.partitions) {
		missing[partition] = true
	}
	gap, next := 300*time.Millisecond, time.Duration(0)
	reported := r.since()
	enough := time.Now().Add(r.limits.start)
	err := r.until(2*r.limits.start, "", func() bool {
		r.mu.Lock()
		for number, partition := range probes {
			if r.count[number] > 0 {
				delete(missing, partition)
			}
		}
		last, lines := r.lastPrint, r.lines
		r.mu.Unlock()
		if len(missing) == 0 || time.Now().After(enough) {
			return true
		}
		if now := r.since(); now > next && now-last > gap {
			for partition := range missing {
				probes[r.send(partition, false)] = partition
			}
			next, gap = now+gap, min(2*gap, 2*time.Second)
		}
		if now := r.since(); now-reported > 10*time.Second {
			reported = now
			r.say("waiting for the first messages: %s has printed %d lines in %.0f s", w.name, lines, (now - w.began).Seconds())
		}
		return false
	})
	if err == nil && len(missing) > 0 {
		return r.explainSilence(w, len(missing))
	}
	return err
}

// explainSilence explains why a program has not printed the messages that it should.
func (r *run) explainSilence(w *worker, missing int) error {
	r.mu.Lock()
	lines, messages := r.lines, len(r.printed)
	r.mu.Unlock()
	limit := r.limits.start
	see := &r.kafka.watch
	see.mu.Lock()
	topics := see.topics
	see.mu.Unlock()
	other := ""
	for _, topic := range topics {
		if topic != r.kafka.topic {
			other = topic
		}
	}
	switch own := r.kafka.own != nil; {
	case messages > 0:
		return &problem{fmt.Sprintf("it printed %d messages in %v, and none of %d partitions", messages, limit, missing),
			"the judge needs a quick program: if it takes seconds for a message, make that time shorter, and let it read all partitions"}
	case own && see.connections.Load() == 0 && see.fetches.Load() == 0:
		return &problem{fmt.Sprintf("it has not connected to the brokers in %v", limit) + lastLines(w),
			"put {brokers} into its arguments, or read the addresses from the variable KAFKA_BROKERS"}
	case own && see.fetches.Load() == 0 && other != "":
		return &problem{fmt.Sprintf("it asks for the topic %s, and the messages are in the topic %s", other, r.kafka.topic) + lastLines(w),
			"put {topic} into its arguments"}
	case own && see.fetches.Load() == 0:
		return &problem{fmt.Sprintf("it has connected, and asked for no messages in %v", limit) + lastLines(w),
			"does it subscribe to the topic, and poll?"}
	case lines > 0:
		return &problem{fmt.Sprintf("none of the %d lines that it printed in %v has the text of a message", lines, limit) + lastLines(w),
			"print the text of each message on standard output, such as " + textOf(r.base)}
	}
	return &problem{fmt.Sprintf("it reads the topic, and has printed nothing on standard output in %v", limit) + lastLines(w),
		"if it prints, its output waits in a buffer: python3 -u, print(..., flush=True), or stdbuf -oL COMMAND"}
}

// startTrial also finds out where the program starts, and whether it is a member of a group.
func startTrial(r *run) error {
	if err := r.sendEach(2, false); err != nil {
		return err
	}
	older := len(r.messages)
	w, err := r.start()
	if err == nil {
		err = r.ready(w)
	}
	if err != nil {
		return err
	}
	r.mu.Lock()
	read := 0
	for _, m := range r.messages[:older] {
		read += min(1, r.count[m.Number])
	}
	if read > 0 { // then it must read all of them
		for i := range older {
			r.messages[i].Required = true
		}
	}
	r.mu.Unlock()
	members := len(r.kafka.state(r.ctx).members)
	r.grouped, r.perProcess = members > 0, max(1, members)
	r.result.Begins = "latest"
	if read > 0 {
		r.result.Begins = "earliest"
	}
	r.event("it is ready after %.1f s; a new group begins at %s", (r.since() - w.began).Seconds(), r.result.Begins)
	switch {
	case members == 0:
		r.result.note("it is not a member of a group, so nobody stores how far it has read")
	case members > 1:
		r.result.note(fmt.Sprintf("it has %d members in one process", members))
	}
	r.load()
	if err := r.more(300); err != nil {
		return err
	}
	return r.finish()
}

// again starts the program again, after some messages have come.
func (r *run) again() (*worker, error) {
	if err := r.sendEach(1, true); err != nil {
		return nil, err
	}
	before := r.kafka.groupName()
	w, err := r.start()
	if err == nil {
		err = r.join(w, 1)
	}
	if now := r.kafka.groupName(); now != before {
		r.result.note(fmt.Sprintf("each start is a new group: %s, and then %s", before, now))
	}
	return w, err
}

func stopTrial(r *run, signal syscall.Signal) error {
	w, err := r.begin()
	if err != nil {
		return err
	}
	for range 3 {
		r.load()
		if err := r.more(r.between(50, 150)); err != nil {
			return err
		}
		if err := r.stop(w, signal); err != nil {
			return err
		}
		r.endLoad()
		if w, err = r.again(); err != nil {
			return err
		}
	}
	return r.finish()
}

func killTrial(r *run) error {
	w, err := r.begin()
	if err != nil {
		return err
	}
	rounds := 4
	if r.Long {
		rounds = 20
	}
	for round := range rounds {
		r.load()
		if err := r.more(r.between(30, 200)); err != nil {
			return err
		}
		if err := r.kill(w, round%2 == 0); err != nil {
			return err
		}
		r.endLoad()
		if w, err = r.again(); err != nil {
			return err
		}
	}
	return r.finish()
}

func membersTrial(r *run) error {
	if _, err := r.begin(); err != nil {
		return err
	}
	r.load()
	var others []*worker
	for range 2 {
		if err := r.more(r.between(30, 100)); err != nil {
			return err
		}
		w, err := r.another(2 + len(others))
		if err != nil {
			return err
		}
		others = append(others, w)
		if err := r.more(100); err != nil {
			return err
		}
	}
	for i, w := range others {
		if err := r.stop(w, syscall.SIGINT); err != nil {
			return err
		}
		if err := r.groupHas(len(others) - i); err != nil {
			return err
		}
		if err := r.more(100); err != nil {
			return err
		}
	}
	return r.finish()
}

func coordinatorTrial(r *run) error {
	if _, err := r.begin(); err != nil {
		return err
	}
	r.load()
	fake := r.kafka.own.Kfake()
	for range 3 {
		if err := r.more(r.between(30, 100)); err != nil {
			return err
		}
		fake.RehashCoordinators()
		fake.ShufflePartitionLeaders()
		r.event("the coordinator and the leaders moved")
		if err := r.more(100); err != nil {
			return err
		}
	}
	return r.finish()
}

// brokerTrial kills the coordinator of the group. The other brokers become the leaders of its partitions.
func brokerTrial(r *run) error {
	if _, err := r.begin(); err != nil {
		return err
	}
	r.load()
	if err := r.more(r.between(30, 100)); err != nil {
		return err
	}
	lost, err := r.kafka.coordinator(r.ctx)
	if err != nil {
		return err
	}
	if err := r.kafka.breaker.kill(lost); err != nil {
		return err
	}
	r.event("broker %d died", lost)
	if err := r.more(100); err != nil {
		return err
	}
	if err := r.back(); err != nil {
		return err
	}
	r.event("broker %d came back", lost)
	if err := r.more(200); err != nil {
		return err
	}
	return r.finish()
}

func awayTrial(r *run) error {
	if _, err := r.begin(); err != nil {
		return err
	}
	r.load()
	if err := r.more(r.between(30, 100)); err != nil {
		return err
	}
	if err := r.kafka.breaker.freeze(); err != nil {
		return err
	}
	r.event("all brokers are away")
	r.endLoad()
	back := time.Now().Add(r.limits.away)
	if err := r.until(2*r.limits.away, "", func() bool { return time.Now().After(back) }); err != nil {
		return err
	}
	if err := r.back(); err != nil {
		return err
	}
	r.event("all brokers are back")
	r.load()
	if err := r.more(200); err != nil {
		return err
	}
	return r.finish()
}

// rollingTrial restarts each broker when the one before is in sync again, as for a new version of Kafka.
func rollingTrial(r *run) error {
	if _, err := r.begin(); err != nil {
		return err
	}
	r.load()
	if _, err := r.another(2); err != nil {
		return err
	}
	for _, broker := range r.kafka.ids {
		if err := r.more(r.between(30, 100)); err != nil {
			return err
		}
		if err := r.rollOn(broker); err != nil {
			return err
		}
	}
	if err := r.more(200); err != nil {
		return err
	}
	return r.finish()
}

// rollOn restarts a broker, and waits until it is in sync.
func (r *run) rollOn(broker int32) error {
	r.event("broker %d restarts", broker)
	if err := r.kafka.breaker.restart(r.ctx, broker); err != nil {
		return err
	}
	err := r.inSync()
	r.event("broker %d is in sync", broker)
	return err
}

// slowTrial pauses a process as a message does that takes longer than the session, or than
// max.poll.interval.ms. The group removes it, and another member gets its partitions.
func slowTrial(r *run) error {
	slow, err := r.begin()
	if err != nil {
		return err
	}
	r.load()
	other, err := r.another(2)
	if err != nil {
		return err
	}
	if err := r.more(r.between(50, 150)); err != nil {
		return err
	}
	if err := slow.Pause(); err != nil {
		return &notTried{"this system cannot pause a program"}
	}
	r.event("%s was paused, as by a slow message", slow.name)
	if err := r.kafka.remove(r.ctx, slow.ids); err != nil {
		return err
	}
	if err := r.alone(other); err != nil {
		return err
	}
	r.event("its session ended; %s has its partitions", other.name)
	if err := r.more(150); err != nil {
		return err
	}
	if err := slow.Continue(); err != nil {
		return err
	}
	r.event("%s continues", slow.name)
	if err := r.groupHas(2); err != nil {
		return err
	}
	if err := r.more(200); err != nil {
		return err
	}
	return r.finish()
}

// between returns a random number from a to b.
func (r *run) between(a, b int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return a + r.random.IntN(b-a+1)
}
