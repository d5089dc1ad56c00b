package trial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/issuer"
)

// Topic is the topic of all trials.
const Topic = "judge"

const (
	defaultGroup = "judge-group"  // what stands for {group}
	ownName      = "tkafka-judge" // what the judge calls itself towards the brokers
	partitions   = 16             // of the topic
	outTopic     = "judge-out"    // for a program that writes what it has read
)

// kafka is the cluster of one trial.
type kafka struct {
	*broker.Cluster
	client *kgo.Client // inside the process, with all rights
	auth   string      // the credentials folder of the program, an absolute path

	mu    sync.Mutex
	asked asked
}

// openKafka starts a cluster, and writes the credentials for it.
func openKafka(auth string) (*kafka, error) {
	ca, err := issuer.New("judge", 24*time.Hour)
	if err != nil {
		return nil, err
	}
	own, err := broker.Start(broker.Config{CA: ca, Topics: []string{Topic, outTopic}, Partitions: partitions})
	if err != nil {
		return nil, err
	}
	k := &kafka{Cluster: own, auth: auth}
	byName := kversion.Stable()
	byName.SetMaxKeyVersion(kmsg.Produce.Int16(), 12) // see answersLost
	k.client, err = own.Client(kgo.SoftwareNameAndVersion(ownName, "1"), kgo.MaxVersions(byName), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(100*time.Millisecond)) // so after a fault messages soon come again
	if err == nil {
		err = ca.WriteFolder(auth, Topic, own.Brokers())
	}
	if err != nil {
		own.Close()
		return nil, err
	}
	own.Kfake().ControlKey(-1, k.watch)
	return k, nil
}

func (k *kafka) close() {
	k.client.Close()
	k.Close()
}

// groupName is the group that the program has joined last, or the one that it should join.
func (k *kafka) groupName() string { return cmp.Or(k.look().group, defaultGroup) }

// group returns the state of the program's group. Without a name, there is no such group.
func (k *kafka) group() (group kfake.GroupInfo) {
	if info := k.Kfake().GroupInfo(k.groupName()); info != nil {
		group = *info
	}
	return group
}

func memberIDs(group kfake.GroupInfo) (ids []string) {
	for _, member := range group.Members {
		ids = append(ids, member.MemberID)
	}
	return ids
}

// committed returns the committed offsets of the program's group, or nil if there is no group.
func (k *kafka) committed() (offsets map[int32]int64) {
	group := k.group()
	if group.Group != "" {
		offsets = make(map[int32]int64)
	}
	for partition, commit := range group.Commits[Topic] {
		offsets[partition] = commit.Offset
	}
	return offsets
}

// count returns how many messages are in the topic.
func (k *kafka) count() (total int) {
	for _, partition := range k.Kfake().PartitionInfos(Topic) {
		total += int(partition.HighWatermark)
	}
	return total
}

// read returns all messages of the topic, but not those of transactions that are open, or were aborted. It uses
// a client of its own, which no fault has met.
func (k *kafka) read(ctx context.Context) (messages []*kgo.Record, err error) {
	client, err := k.Client(kgo.ConsumeTopics(Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	next := make(map[int32]int64)
	isBehind := func(p *kfake.PartitionInfo) bool {
		return max(next[p.Partition], p.LogStartOffset) < p.LastStableOffset
	}
	for slices.ContainsFunc(k.Kfake().PartitionInfos(Topic), isBehind) {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("topic %s: only %d messages could be read: %w", Topic, len(messages), fetches.Err())
		}
		for _, message := range fetches.Records() {
			next[message.Partition] = message.Offset + 1
			if !message.Attrs.IsControl() {
				messages = append(messages, message)
			}
		}
	}
	return messages, nil
}

// asked is what the program has asked the brokers for.
type asked struct {
	connected, fetched bool
	transactional      bool   // offsets were committed in a transaction
	otherTopic, group  string // the last ones
	instance           string // the last group.instance.id
}

// watch sees a request of the program, or of our own client.
func (k *kafka) watch(request kmsg.Request) (kmsg.Response, error, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch r := request.(type) {
	case *kmsg.ApiVersionsRequest:
		k.asked.connected = k.asked.connected || r.ClientSoftwareName != ownName
	case *kmsg.FetchRequest:
		k.asked.fetched = true
	case *kmsg.MetadataRequest:
		for _, topic := range r.Topics {
			if topic.Topic != nil && *topic.Topic != Topic && *topic.Topic != outTopic {
				k.asked.otherTopic = *topic.Topic
			}
		}
	case *kmsg.TxnOffsetCommitRequest:
		k.asked.transactional = true
	case *kmsg.JoinGroupRequest:
		k.asked.group, k.asked.instance = r.Group, deref(r.InstanceID)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		k.asked.group, k.asked.instance = r.Group, cmp.Or(deref(r.InstanceID), k.asked.instance) // not in each
	}
	return nil, nil, false
}

func deref(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (k *kafka) look() asked {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked
}

// remove removes members from the group, as the end of their session would.
func (k *kafka) remove(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	return broker.RemoveMembers(ctx, k.client, k.groupName(), ids...)
}

// kill kills a broker, as a crash does: the others lead its partitions, and one of them coordinates the group.
func (k *kafka) kill(broker int32) error {
	err := k.Kill(broker)
	for k.Kfake().CoordinatorFor(k.groupName()) == broker {
		k.Kfake().RehashCoordinators()
	}
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
