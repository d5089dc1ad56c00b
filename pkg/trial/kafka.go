package trial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/tlsconf"
)

// Topic is the topic on a cluster of the judge's own.
const Topic = "judge"

// ownName is what the judge calls itself towards the brokers. So its own requests do not count.
const ownName = "tkafka-judge"

// Existing is a cluster that others run, with the credentials of a student or of an admin.
type Existing struct {
	Topic    string // empty: each trial makes a topic of its own, as an admin may
	Docker   bool   // the brokers are containers on this machine, and the trials may stop them
	Brokers  []string
	Folder   string // the credentials folder
	Password string
	TLS      *tls.Config
}

// kafka is the cluster of a trial.
type kafka struct {
	place
	own        *embedded.Cluster // nil on an existing cluster
	client     *kgo.Client
	admin      *kadm.Client
	ids        []int32 // of the brokers
	breaker    breaker // nil: the brokers must not be stopped
	partitions int
	made       bool // the topic was made for this trial
	watch      watch

	namesGroup bool      // the program has a group of its own, instead of the one that it should join
	looked     time.Time // for that group
}

// openOwn starts a cluster for one trial, and writes the credentials for it.
func openOwn(ca *issuer.CA, identity tls.Certificate, auth string) (_ *kafka, err error) {
	k := &kafka{place: place{topic: Topic, group: "judge-group", auth: auth, password: password}, partitions: embedded.DefaultPartitions}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	if k.own, err = localcluster.Start(ca, embedded.Config{Topics: []string{Topic}}); err != nil {
		return nil, err
	}
	k.brokers = k.own.Brokers()
	if err = (issuer.Folder{CA: ca, Identity: identity, Brokers: k.brokers}).Write(auth); err != nil {
		return nil, err
	}
	if k.client, err = k.own.Client(clientOptions()...); err != nil {
		return nil, err
	}
	k.admin = kadm.NewClient(k.client)
	for broker := range k.brokers {
		k.ids = append(k.ids, int32(broker))
	}
	k.breaker = &ownBrokers{kafka: k}
	k.own.Kfake().ControlKey(-1, func(request kmsg.Request) (kmsg.Response, error, bool) {
		k.watch.request(request)
		return nil, nil, false
	})
	return k, nil
}

// openExisting connects to a cluster that others run. It copies the credentials. The name is that of the
// group, and of the topic if it makes one.
func openExisting(ctx context.Context, e *Existing, name, auth string) (_ *kafka, err error) {
	k := &kafka{place: place{topic: e.Topic, group: name, brokers: e.Brokers, auth: auth, password: e.Password}}
	if err := os.CopyFS(auth, os.DirFS(e.Folder)); err != nil {
		return nil, err
	}
	if err := os.Chmod(filepath.Join(auth, tlsconf.KeystoreFile), 0o600); err != nil {
		return nil, err
	}
	if k.client, err = kgo.NewClient(append(clientOptions(), kgo.SeedBrokers(e.Brokers...), kgo.DialTLSConfig(e.TLS))...); err != nil {
		return nil, err
	}
	k.admin = kadm.NewClient(k.client)
	if err := k.prepare(ctx, e.Docker); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// prepare finds the brokers and the topic of an existing cluster, or makes the topic.
func (k *kafka) prepare(ctx context.Context, mayStop bool) error {
	brokers, err := k.admin.ListBrokers(ctx)
	if err != nil {
		return err
	}
	k.ids = brokers.NodeIDs()
	if mayStop {
		if k.breaker, err = findContainers(ctx, brokers); err != nil {
			return err
		}
	}
	if k.topic == "" {
		k.topic, k.partitions = k.group, embedded.DefaultPartitions
		if _, err := k.admin.CreateTopic(ctx, int32(k.partitions), -1, nil, k.topic); err != nil {
			return fmt.Errorf("cannot create topic %s: %w; only an admin can leave out --topic", k.topic, err)
		}
		k.made = true
		return nil
	}
	details, err := k.admin.ListTopics(ctx, k.topic)
	if err == nil {
		err = details[k.topic].Err
	}
	if err != nil {
		return fmt.Errorf("topic %s: %w", k.topic, err)
	}
	k.partitions = len(details[k.topic].Partitions)
	return nil
}

// deleteTopic deletes the topic that was made for the trial, and its group.
func (k *kafka) deleteTopic(ctx context.Context) error {
	// After a signal a program has two seconds. See cli.LeaveTime.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 1500*time.Millisecond)
	defer cancel()
	k.admin.DeleteGroup(ctx, k.groupName()) // one with a member ends with its offsets
	deleted, err := k.admin.DeleteTopic(ctx, k.topic)
	return errors.Join(err, deleted.Err)
}

func clientOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.SoftwareNameAndVersion(ownName, "1"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	}
}

func (k *kafka) close() {
	if k.client != nil {
		k.client.Close()
	}
	if k.own != nil {
		k.own.Close()
	}
}

// groupState is the state of the program's group.
type groupState struct {
	stable  bool
	members []string // their IDs
}

// groupName is the group that the program has joined last, or the one that it should join.
func (k *kafka) groupName() string {
	if groups := k.watch.groups(); len(groups) > 0 {
		return groups[len(groups)-1]
	}
	return k.group
}

// state returns the state of the program's group.
func (k *kafka) state(ctx context.Context) (state groupState) {
	if k.own != nil {
		if info := k.own.Kfake().GroupInfo(k.groupName()); info != nil {
			state.stable = info.State == "Stable"
			for _, member := range info.Members {
				state.members = append(state.members, member.MemberID)
			}
		}
		return state
	}
	name := k.groupName()
	groups, _ := k.admin.DescribeGroups(ctx, name) // without an answer, or without the group, it has no members
	state.stable = groups[name].State == "Stable"
	for _, member := range groups[name].Members {
		state.members = append(state.members, member.MemberID)
	}
	if len(state.members) == 0 && k.namesGroup && time.Since(k.looked) > 500*time.Millisecond {
		k.looked = time.Now()
		k.findGroup(ctx)
		if k.groupName() != name {
			return k.state(ctx)
		}
	}
	return state
}

// findGroup looks for a group with a member that reads the topic of an existing cluster.
func (k *kafka) findGroup(ctx context.Context) {
	listed, err := k.admin.ListGroups(ctx)
	if err != nil {
		return
	}
	groups, err := k.admin.DescribeGroups(ctx, listed.Groups()...)
	if err != nil {
		return
	}
	for _, group := range groups {
		if slices.Contains(group.JoinTopics(), k.topic) {
			k.watch.add(&k.watch.joined, group.Group)
		}
	}
}

// coordinator returns the broker that coordinates the program's group.
func (k *kafka) coordinator(ctx context.Context) (int32, error) {
	name := k.groupName()
	if k.own != nil {
		return k.own.Kfake().CoordinatorFor(name), nil
	}
	found := k.admin.FindGroupCoordinators(ctx, name)[name]
	return found.NodeID, found.Err
}

// committed returns the committed offsets of the program's group.
func (k *kafka) committed(ctx context.Context) (offsets map[int32]int64, known bool) {
	offsets = make(map[int32]int64)
	if k.own != nil {
		info := k.own.Kfake().GroupInfo(k.groupName())
		if info == nil {
			return nil, false
		}
		for partition, commit := range info.Commits[k.topic] {
			offsets[partition] = commit.Offset
		}
		return offsets, true
	}
	all, err := k.admin.FetchOffsets(ctx, k.groupName())
	if err != nil {
		return nil, false
	}
	for _, offset := range all.Sorted() {
		if offset.Topic == k.topic && offset.At >= 0 {
			offsets[offset.Partition] = offset.At
		}
	}
	return offsets, true
}

// remove removes members from the group, as the end of their session would.
func (k *kafka) remove(ctx context.Context, ids []string) error {
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

// ends returns how many messages the topic has, and the end of each partition.
func (k *kafka) ends(ctx context.Context) (total int64, ends map[int32]int64, err error) {
	ends = make(map[int32]int64)
	if k.own != nil {
		for partition, info := range k.own.Kfake().PartitionInfos(k.topic) {
			ends[int32(partition)] = info.HighWatermark
			total += info.HighWatermark
		}
		return total, ends, nil
	}
	listed, err := k.admin.ListEndOffsets(ctx, k.topic)
	if err = errors.Join(err, listed.Error()); err != nil {
		return 0, nil, err
	}
	for _, end := range listed.Offsets().Sorted() {
		ends[end.Partition] = end.At
		total += end.At
	}
	return total, ends, nil
}

// readTime is how long one attempt to read the topic may take.
const readTime = 20 * time.Second

// read returns the messages of the topic from these offsets on. After all connections were cut, a fetch was
// seen that stood still, so a second attempt begins anew.
func (k *kafka) read(ctx context.Context, from map[int32]int64) (records []Record, err error) {
	for range 3 {
		if records, err = k.tryToRead(ctx, from); err == nil || ctx.Err() != nil {
			break
		}
	}
	return records, err
}

func (k *kafka) tryToRead(ctx context.Context, from map[int32]int64) (records []Record, err error) {
	_, ends, err := k.ends(ctx)
	if err != nil {
		return nil, err
	}
	offsets := make(map[int32]kgo.Offset)
	for partition, end := range ends {
		if from[partition] < end {
			offsets[partition] = kgo.NewOffset().At(from[partition])
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	k.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{k.topic: offsets})
	defer k.client.RemoveConsumePartitions(map[string][]int32{k.topic: slices.Collect(maps.Keys(offsets))})
	left := maps.Clone(offsets)
	for len(left) > 0 {
		fetches := k.client.PollFetches(ctx)
		if err := fetches.Err(); ctx.Err() != nil {
			return nil, fmt.Errorf("topic %s: the ends of %d partitions could not be read within %v", k.topic, len(left), readTime)
		} else if err != nil {
			return nil, err
		}
		for _, record := range fetches.Records() {
			if record.Offset == ends[record.Partition]-1 {
				delete(left, record.Partition)
			}
			for _, number := range numbersIn(string(record.Value)) {
				records = append(records, Record{number, string(record.Key), record.Key == nil, record.Partition, record.Offset})
			}
		}
	}
	return records, nil
}

// watch sees the requests of the program to a cluster of the judge's own.
type watch struct {
	connections, fetches, produces atomic.Int64

	mu       sync.Mutex
	joined   []string // groups, in the order in which the program joined them
	topics   []string // that it asked for
	onCommit func()   // called once, when a commit arrives and before it is stored
}

func (w *watch) request(request kmsg.Request) {
	switch r := request.(type) {
	case *kmsg.ApiVersionsRequest:
		if r.ClientSoftwareName != ownName {
			w.connections.Add(1)
		}
	case *kmsg.FetchRequest:
		w.fetches.Add(1)
	case *kmsg.ProduceRequest:
		w.produces.Add(1)
	case *kmsg.MetadataRequest:
		for _, topic := range r.Topics {
			if topic.Topic != nil {
				w.add(&w.topics, *topic.Topic)
			}
		}
	case *kmsg.JoinGroupRequest:
		w.add(&w.joined, r.Group)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		w.add(&w.joined, r.Group)
	case *kmsg.OffsetCommitRequest:
		w.mu.Lock()
		call := w.onCommit
		w.onCommit = nil
		w.mu.Unlock()
		if call != nil {
			call()
		}
	}
}

func (w *watch) add(to *[]string, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(*to, name) {
		*to = append(*to, name)
	}
}

func (w *watch) groups() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.joined)
}

// atCommit calls f when the next commit arrives. Nil cancels it.
func (w *watch) atCommit(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onCommit = f
}
