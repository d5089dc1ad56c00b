package trial

import (
	"context"
	"errors"
	"fmt"
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
	commit := r.kafka.Kfake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, When: func(kmsg.Request) bool {
		w.SignalAll(syscall.SIGKILL)
		return false // there is no fault in the answer
	}})
	r.neverCommits = !r.until(r.limits.end, func() bool { return !w.running() })
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
func joined(r *run) { r.join(r.start()) }

// left stops the last member.
func left(r *run) {
	r.stop(r.processes[len(r.running())-1], syscall.SIGINT)
	r.groupHas(len(r.running()))
}

// paused pauses the first process as a message does that takes longer than the session, or than
// max.poll.interval.ms. The group removes it, and the second one gets its partitions.
func paused(r *run) {
	slow, other := r.processes[0], r.processes[1]
	if err := slow.Pause(); err != nil {
		r.must(errors.New("this system cannot pause a program"))
	}
	r.event("%s was paused, as by a slow message", slow.name)
	r.must(r.kafka.remove(r.ctx, slow.ids))
	r.groupHas(1, other) // the paused one may have asked to join before
	r.event("its session ended; %s has its partitions", other.name)
}

func resumed(r *run) {
	r.must(r.processes[0].Continue())
	r.event("%s continues", r.processes[0].name)
	r.groupHas(2)
}

// brokerDied kills the coordinator of the group. The other brokers lead its partitions.
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

// remove removes members from the group, as the end of their session would.
func (k *kafka) remove(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group = k.groupName()
	for _, id := range ids {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = id
		request.Members = append(request.Members, member)
	}
	_, err := request.RequestWith(ctx, k.client)
	return err
}

// kill kills a broker, as a crash does: the others lead its partitions.
func (k *kafka) kill(broker int32) error {
	err := k.Kill(broker)
	for partition := range int32(partitions) {
		if k.Kfake().LeaderFor(Topic, partition) == broker {
			err = errors.Join(err, k.Kfake().MoveTopicPartition(Topic, partition, (broker+1)%int32(len(k.Brokers()))))
		}
	}
	return err
}

// killAll kills all brokers. Nobody leads their partitions.
func (k *kafka) killAll() (err error) {
	for broker := range k.Brokers() {
		err = errors.Join(err, k.Kill(int32(broker)))
	}
	return err
}

// restart starts all brokers that were killed.
func (k *kafka) restart() (err error) {
	for broker := range k.Brokers() {
		err = errors.Join(err, k.Restart(int32(broker)))
	}
	return err
}
