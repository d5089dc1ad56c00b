package trial

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kill kills a process. If atCommit is set, that happens when a commit arrives, before it is stored.
func (r *run) kill(w *worker, atCommit bool) {
	w.stopped.Store(true)
	how := "was killed"
	if atCommit && !r.neverCommits {
		arrives := r.kafka.Kfake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, When: func(kmsg.Request) bool {
			w.SignalAll(syscall.SIGKILL)
			return false // there is no fault in the answer
		}})
		how = "was killed while it committed"
		if !r.until(r.limits.end, func() bool { return !w.running() }) {
			how = fmt.Sprintf("was killed; it had not committed for %v", r.limits.end)
			r.neverCommits = true
		}
		arrives.Remove()
	}
	w.KillAll()
	r.event("%s %s", w.name, how)
	r.leave(w, "")
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

// roll restarts a broker, as for a new version of Kafka.
func (r *run) roll(broker int) {
	r.event("broker %d restarts", broker)
	r.must(errors.Join(r.kafka.kill(int32(broker)), r.kafka.restart()))
}

func (r *run) cutConnections() {
	r.must(errors.Join(r.kafka.killAll(), r.kafka.restart()))
	r.event("all connections were cut")
}

// loseAnswers lets one of n answers to a producer get lost: a broker stores the messages, and the connection
// breaks before its answer. The first one always gets lost, because some programs send few large requests. It
// returns the numbers of answers and of lost ones.
func (r *run) loseAnswers(n int) (answers, lost *atomic.Int64) {
	answers, lost = new(atomic.Int64), new(atomic.Int64)
	fake, storing := r.kafka.Kfake(), false
	fake.ControlKey(kmsg.Produce.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if storing { // the request is that of our own client, or it comes meanwhile
			return nil, nil, false
		}
		if answers.Add(1) > 1 && r.between(1, n) > 1 {
			return nil, nil, false
		}
		lost.Add(1)
		fake.KeepControl()
		broker := r.kafka.client.Broker(int(fake.CurrentNode()))
		storing = true
		fake.SleepControl(func() { broker.Request(r.ctx, request) })
		storing = false
		return nil, errors.New("the answer gets lost"), true
	})
	return answers, lost
}
