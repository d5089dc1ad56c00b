package observer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// askTime limits each question. A broker that was switched off does not refuse a connection: it is silent.
	askTime = 2 * time.Second
	// othersEvery is how often all groups are described, also those that do not concern the topic: in each
	// round they would be many in a class.
	othersEvery = 10
)

// asker asks the cluster. Only one goroutine uses it.
type asker struct {
	admin  *kadm.Client
	topic  string
	round  int
	others map[string]kadm.ListedGroup // that did not concern the topic, as they were listed
}

// answer is what the cluster answers in one round.
type answer struct {
	problems
	partitions []Partition          // nil: no answer; where an offset is -1, there is none
	groups     map[string]described // those that were asked about, and whose answer is complete
}

// described is what the cluster answers about a group.
type described struct {
	kind    GroupType
	state   string
	epoch   int32
	members []describedMember
	offsets map[int32]describedOffset
}

type describedMember struct {
	Member            // without a number
	reads, maybe bool // the topic; maybe if that is not known
}

type describedOffset struct {
	at, lag int64  // the lag of a share group; -1: not known
	by      string // the metadata of the commit
}

// isSettled reports whether the members and what they hold stay as they are until somebody comes or goes.
func (d described) isSettled() bool {
	return slices.Contains([]string{"Stable", "Empty", "Dead", "Unknown"}, d.state)
}

// isAssigned reports whether the answer has what the members hold. A classic group has nothing in a rebalance.
func (d described) isAssigned() bool { return d.kind != Classic || d.isSettled() }

// concerns reports whether the group is about the topic: it has an offset there, or a member that is known
// to read it. The group of somebody else must not appear while it is new.
func (d described) concerns() bool {
	return len(d.offsets) > 0 || slices.ContainsFunc(d.members, func(m describedMember) bool { return m.reads })
}

// ask asks once for everything: the groups that are watched, those that are new or have another state, and the
// partitions.
func (a *asker) ask(ctx context.Context, watched map[string]GroupType) *answer {
	found := &answer{}
	asked := a.list(ctx, found, watched)
	found.groups = a.describe(ctx, found, asked, watched)
	for name := range asked {
		if group, ok := found.groups[name]; !ok || group.concerns() || !group.isSettled() {
			delete(a.others, name) // ask again in the next round
		}
	}
	found.partitions = a.askPartitions(ctx, found) // after the commits: otherwise they could be beyond the end
	return found
}

// list returns the groups to ask about.
func (a *asker) list(ctx context.Context, found *answer, watched map[string]GroupType) map[string]GroupType {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	if a.round++; a.round%othersEvery == 0 {
		clear(a.others)
	}
	listed, err := a.admin.ListGroups(ctx)
	found.add("the groups", err)
	asked := maps.Clone(watched) // also one that is not listed any more: the answer about it shows why
	for name, group := range listed {
		kind := GroupType(strings.ToLower(group.GroupType))
		if kind == "" { // before Kafka 3.8
			kind = Classic
		}
		if protocol := group.ProtocolType; protocol != "" && protocol != "consumer" && protocol != "share" {
			continue // such as Kafka Connect
		}
		if _, ok := watched[name]; ok || a.others[name] != group {
			asked[name] = kind
			a.others[name] = group
		}
	}
	return asked
}

// describe asks for the members and the committed offsets of the groups. A problem with a group that is not watched
// is none of ours.
func (a *asker) describe(ctx context.Context, found *answer, asked, watched map[string]GroupType) map[string]described {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	names := make(map[GroupType][]string)
	for name, kind := range asked {
		names[kind] = append(names[kind], name)
	}
	var (
		all     sync.WaitGroup
		mu      sync.Mutex
		groups  = make(map[string]described)
		fetched kadm.FetchOffsetsResponses
	)
	report := func(name string, err error) {
		if _, ok := watched[name]; ok {
			found.add("group "+name, err)
		}
	}
	add := func(name string, err error, d described) {
		switch {
		case errors.Is(err, kerr.GroupIDNotFound):
			d = described{kind: asked[name], state: "Dead", epoch: -1}
		case errors.Is(err, kerr.TopicAuthorizationFailed): // a member also reads a topic that we may not see
			d = described{kind: asked[name], state: "Unknown", epoch: -1}
		case err != nil:
			report(name, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		groups[name] = d
	}
	if len(names[Classic]) > 0 {
		all.Go(func() {
			answers, err := a.admin.DescribeGroups(ctx, names[Classic]...)
			found.add("the groups", err)
			for name, group := range answers {
				add(name, group.Err, a.classic(group))
			}
		})
	}
	// The right to see a topic may be missing in one of these groups. Then kadm returns none of them, so ask
	// for each alone.
	for _, name := range names[Consumer] {
		all.Go(func() {
			answers, err := a.admin.DescribeConsumerGroups(ctx, name)
			group := answers[name]
			add(name, errors.Join(err, group.Err), a.consumer(group))
		})
	}
	for _, name := range names[Share] {
		all.Go(func() {
			answers, err := a.admin.DescribeShareGroups(ctx, name)
			offsets, offsetsErr := a.admin.DescribeShareGroupOffsets(ctx, name)
			group := answers[name]
			add(name, errors.Join(err, group.Err, offsetsErr), a.share(group, offsets[name].Offsets))
		})
	}
	all.Go(func() { fetched = a.admin.FetchManyOffsets(ctx, slices.Concat(names[Classic], names[Consumer])...) })
	all.Wait()
	for name, offsets := range fetched {
		group, ok := groups[name]
		switch {
		case !ok:
		case offsets.Err != nil && !errors.Is(offsets.Err, kerr.GroupIDNotFound):
			report(name, offsets.Err)
			delete(groups, name)
		default:
			group.offsets = make(map[int32]describedOffset)
			for n, o := range offsets.Fetched[a.topic] {
				if o.Err == nil && o.At >= 0 {
					group.offsets[n] = describedOffset{o.At, -1, o.Metadata}
				}
			}
			groups[name] = group
		}
	}
	return groups
}

func (a *asker) classic(group kadm.DescribedGroup) described {
	d := described{kind: Classic, state: group.State, epoch: -1}
	for _, m := range group.Members {
		found := describedMember{Member: Member{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}}
		// In a rebalance, Apache Kafka returns the members without what they read.
		joined, _ := m.Join.AsConsumer()
		found.maybe = joined == nil || len(joined.Topics) == 0
		found.reads = !found.maybe && slices.Contains(joined.Topics, a.topic)
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, topic := range assigned.Topics {
				if topic.Topic == a.topic {
					found.Partitions, found.reads = topic.Partitions, true
				}
			}
		}
		d.members = append(d.members, found)
	}
	return d
}

func (a *asker) consumer(group kadm.DescribedConsumerGroup) described {
	d := described{kind: Consumer, state: group.State, epoch: group.Epoch}
	for _, m := range group.Members {
		found := describedMember{Member: Member{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}}
		found.reads = m.SubscribedTopicRegex != nil && *m.SubscribedTopicRegex != "" || slices.Contains(m.SubscribedTopics, a.topic)
		of := func(assignment kadm.TopicsSet) []int32 {
			partitions := assignment[a.topic]
			if partitions == nil && slices.Equal(m.SubscribedTopics, []string{a.topic}) {
				partitions = assignment[""] // kfake returns the topic's ID alone
			}
			return slices.Sorted(maps.Keys(partitions))
		}
		found.Partitions, found.Target = of(m.Assignment), of(m.TargetAssignment)
		d.members = append(d.members, found)
	}
	return d
}

func (a *asker) share(group kadm.DescribedShareGroup, offsets kadm.ShareOffsets) described {
	d := described{kind: Share, state: group.GroupState, epoch: group.GroupEpoch, offsets: make(map[int32]describedOffset)}
	for _, m := range group.Members {
		found := describedMember{Member: Member{ID: m.MemberID, Client: m.ClientID, Host: m.ClientHost}}
		found.reads = slices.Contains(m.SubscribedTopicNames, a.topic)
		found.Partitions = slices.Sorted(maps.Keys(m.Assignment[a.topic]))
		d.members = append(d.members, found)
	}
	for n, o := range offsets[a.topic] {
		if o.Err == nil && o.StartOffset >= 0 {
			d.offsets[n] = describedOffset{o.StartOffset, o.Lag, ""}
		}
	}
	return d
}

// askPartitions asks for the leader, the start and the end of each partition.
func (a *asker) askPartitions(ctx context.Context, found *answer) []Partition {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	what := "topic " + a.topic
	topics, err := a.admin.ListTopics(ctx, a.topic)
	if err = errors.Join(err, topics[a.topic].Err); err != nil {
		if _, ok := errors.AsType[*kerr.Error](err); !ok {
			what = "the cluster" // it did not answer
		}
		found.add(what, err)
		return nil
	}
	var starts, ends kadm.ListedOffsets
	var startsErr, endsErr error
	var all sync.WaitGroup
	all.Go(func() { starts, startsErr = a.admin.ListStartOffsets(ctx, a.topic) })
	all.Go(func() { ends, endsErr = a.admin.ListEndOffsets(ctx, a.topic) })
	all.Wait()
	found.add(what, startsErr)
	found.add(what, endsErr)
	partitions := make([]Partition, len(topics[a.topic].Partitions))
	for n := range partitions {
		start, end := starts[a.topic][int32(n)], ends[a.topic][int32(n)]
		leader := topics[a.topic].Partitions[int32(n)].Leader
		partitions[n] = Partition{Start: -1, End: -1, Leader: leader}
		if leader < 0 {
			found.add(what, fmt.Errorf("partition %d has no leader", n))
			continue
		}
		if found.add(what, errors.Join(start.Err, end.Err)); start.Topic != "" && start.Err == nil {
			partitions[n].Start = start.Offset
		}
		if end.Topic != "" && end.Err == nil {
			partitions[n].End = end.Offset
		}
	}
	return partitions
}
