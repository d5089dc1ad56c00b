package trial

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A fault breaks something, or repairs it, while messages come.
type fault func(*run)

// stopped stops the last process as Ctrl-C or docker stop does, and starts the program again.
func stopped(signal syscall.Signal) fault {
	return func(r *run) {
		r.stop(r.processes[len(r.processes)-1], signal)
		r.again()
	}
}

// killed kills the last process, and starts the program again.
func killed(r *run) { r.kill("was killed") }

// killedAtCommit kills the last process when its commit arrives, before that is stored.
func killedAtCommit(r *run) {
	if r.neverCommits {
		killed(r)
		return
	}
	w := r.processes[len(r.processes)-1]
	w.stopped.Store(true)
	commit := r.kafka.Kfake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit, kmsg.TxnOffsetCommit}, When: func(kmsg.Request) bool {
		w.SignalAll(syscall.SIGKILL)
		return false // there is no fault in the answer
	}})
	r.neverCommits = !r.until(max(r.limits.end, 2*r.cost), func() bool { return !w.running() })
	commit.Remove()
	if r.neverCommits {
		r.kill(fmt.Sprintf("was killed; it had not committed for %v", r.limits.end))
	} else {
		r.kill("was killed while it committed")
	}
}

func (r *run) kill(how string) {
	w := r.processes[len(r.processes)-1]
	w.stopped.Store(true)
	w.KillAll()
	r.event("%s %s", w.name, how)
	r.leave(w, "")
	r.again()
}

// joined starts one more member.
func joined(r *run) {
	if id := r.kafka.look().instance; id != "" && id == r.instance {
		r.must(fmt.Errorf("each process has the group.instance.id %s, so the group has only one of them at a time: take it from the host name or the process", id))
	}
	r.join(r.start())
}

// left stops the last member.
func left(r *run) {
	r.stop(r.processes[len(r.running())-1], syscall.SIGINT)
	r.groupHas(len(r.running()))
}

// paused pauses the first process as a message does that takes longer than the session, or than
// max.poll.interval.ms. The group removes it, and the second one gets its partitions.
func paused(r *run) {
	slow, other := r.processes[0], r.processes[1]
	first := r.progress(0).sent
	r.until(r.patience(), func() bool { // it has its partitions when it prints a message that was sent since the second one joined
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.ContainsFunc(r.prints, func(p printed) bool { return p.process == slow.name && p.number >= first })
	})
	if err := slow.Pause(); err != nil {
		r.must(errors.New("this system cannot pause a program"))
	}
	r.event("%s was paused, as by a slow message", slow.name)
	r.must(r.kafka.remove(r.ctx, slow.ids))
	r.groupHas(1, other) // the paused one may have asked to join before
	r.event("its session ended; %s has its partitions", other.name)
}

// resumed lets the paused process continue. It was removed, so it may also end with an error, for a supervisor.
func resumed(r *run) {
	slow := r.processes[0]
	slow.stopped.Store(true)
	r.must(slow.Continue())
	r.event("%s continues", slow.name)
	r.until(r.limits.start, func() bool { return !slow.running() || len(r.kafka.group().Members) == 2*r.members })
	if slow.running() {
		r.groupHas(2)
		return
	}
	if slow.Status() == 0 {
		r.must(r.endedEarly(slow))
	}
	r.result.note(fmt.Sprintf("when it was removed from its group, it ended with status %d, and was started again, as a supervisor does%s", slow.Status(), r.lastLines(slow)))
	r.join(r.start())
}

// expired stops the last process, and deletes all messages at and behind its committed offsets, as retention does
// when a program is away for long. Some messages come after that, and then it starts again.
func expired(r *run) {
	r.unload()
	r.stop(r.processes[len(r.processes)-1], syscall.SIGINT)
	r.sendEach(2, false)
	r.mu.Lock()
	for i := range r.messages { // what was not printed until now is deleted, too
		r.messages[i].required = r.messages[i].required && r.messages[i].times > 0
	}
	r.mu.Unlock()
	for partition := range int32(partitions) {
		r.must(r.kafka.Kfake().DeleteRecords(Topic, partition, -1))
	}
	r.event("the messages were deleted")
	r.kept = r.sendEach(3, true)
	r.join(r.start())
	r.load()
}

// brokerDied kills the coordinator of the group.
func brokerDied(r *run) {
	r.lost = r.kafka.Kfake().CoordinatorFor(r.kafka.groupName())
	r.must(r.kafka.kill(r.lost))
	r.event("broker %d died", r.lost)
}

func brokerBack(r *run) {
	r.must(r.kafka.restart())
	r.event("broker %d came back", r.lost)
}

func allAway(r *run) {
	r.must(r.kafka.killAll())
	r.event("all brokers are away")
	r.unload()
	r.until(r.limits.away, func() bool { return false })
	r.must(r.kafka.restart())
	r.event("all brokers are back")
	r.load()
}

// rolled restarts a broker, as for a new version of Kafka.
func rolled(broker int32) fault {
	return func(r *run) {
		r.event("broker %d restarts", broker)
		r.must(errors.Join(r.kafka.kill(broker), r.kafka.restart()))
	}
}

func connectionsCut(r *run) {
	r.must(errors.Join(r.kafka.killAll(), r.kafka.restart()))
	r.event("all connections were cut")
}

func leadersMoved(r *run) {
	r.kafka.Kfake().ShufflePartitionLeaders()
	r.event("the leaders moved")
}

func coordinatorMoved(r *run) {
	r.kafka.Kfake().RehashCoordinators()
	r.kafka.Kfake().ShufflePartitionLeaders()
	r.event("the coordinator and the leaders moved")
}

// terminated stops a producer in the middle.
func terminated(r *run) {
	r.partial = true
	r.stop(r.processes[0], syscall.SIGTERM)
}

// answersRefused answers every tenth request of a producer with an error, when the messages are stored.
func answersRefused(r *run) (note func() string) {
	requests := 0
	fault := r.kafka.Kfake().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend, Count: -1,
		When: func(kmsg.Request) bool {
			requests++
			return requests == 1 || r.between(1, 10) == 1
		},
	})
	return func() string { return fmt.Sprintf("%d answers were NOT_ENOUGH_REPLICAS_AFTER_APPEND", fault.Hits()) }
}

// messagesRefused refuses two requests of a producer, and does not store their messages. Then lines are missing, and
// the program must not report them as delivered. It must say it, or end with another status than 0.
func messagesRefused(r *run) (note func() string) {
	requests := 0
	fault := r.kafka.Kfake().Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidRecord, Count: 2,
		When: func(kmsg.Request) bool {
			requests++
			return requests == 1 || requests == 4
		},
	})
	return func() string {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.partial = r.partial || r.denied || len(r.reports) > 0 || !r.processes[0].running() && r.processes[0].Status() != 0
		return fmt.Sprintf("%d requests were refused", fault.Hits())
	}
}

// answersLost lets every twentieth answer to a producer get lost: our own client stores the messages, and then the
// connection breaks. The first one always gets lost, because some programs send few large requests.
func answersLost(r *run) (note func() string) {
	var answers, lost atomic.Int64
	fake, storing := r.kafka.Kfake(), false
	fake.ControlKey(kmsg.Produce.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if storing { // it is our own request, or it comes meanwhile
			return nil, nil, false
		}
		if answers.Add(1) > 1 && r.between(1, 20) > 1 {
			return nil, nil, false
		}
		lost.Add(1)
		fake.KeepControl()
		broker, produce := r.kafka.client.Broker(int(fake.CurrentNode())), request.(*kmsg.ProduceRequest)
		for i := range produce.Topics {
			produce.Topics[i].Topic = Topic // from version 13 on, it has the ID instead
		}
		storing = true
		fake.SleepControl(func() { broker.Request(r.ctx, produce) })
		storing = false
		return nil, errors.New("the answer gets lost"), true
	})
	return func() string { return fmt.Sprintf("%d of %d answers got lost", lost.Load(), answers.Load()) }
}
