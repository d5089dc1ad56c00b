package observer

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// listed is what a list of groups has about one.
type listed struct {
	kind  GroupType
	state string
}

// described is what the cluster answers about a group.
type described struct {
	kind       GroupType
	state      string
	epoch      int32
	target     int32
	members    []describedMember
	commits    []describedCommit // by partition
	gone       bool              // the cluster does not know the group
	noMembers  bool              // no answer about the members: they are as before
	noCommits  bool              // no answer about the offsets
	failed     bool              // one of the answers is missing because of an error
	assignment bool              // the answer has the assignment: a classic group has none in a rebalance
}

type describedMember struct {
	id, client, host   string
	subscribed, maybe  bool // to the topic; maybe if that is not known
	partitions, target []int32
}

type describedCommit struct {
	offset   int64 // -1: none
	lag      int64 // of a share group; -1: not known
	metadata string
}

// isSettled reports whether the members and the assignment stay as they are until somebody comes or goes.
func isSettled(state string) bool { return state == "Stable" || state == "Empty" || state == "Dead" }

// askGroups lists all groups that these credentials may describe. It returns false if some brokers did
// not answer.
func (o *Observer) askGroups(ctx context.Context, p *problems) (groups map[string]listed, complete bool) {
	groups = make(map[string]listed)
	complete = ask(ctx, o.asker, p, kmsg.NewPtrListGroupsRequest(), func(resp *kmsg.ListGroupsResponse) {
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			p.add("the groups", err)
		}
		for _, group := range resp.Groups {
			kind := GroupType(strings.ToLower(group.GroupType))
			switch {
			case group.ProtocolType != "" && group.ProtocolType != "consumer" && group.ProtocolType != "share":
				continue // such as Kafka Connect
			case kind == "": // before Kafka 3.8
				kind = Classic
			case kind != Classic && kind != Consumer && kind != Share:
				continue
			}
			groups[group.Group] = listed{kind, group.GroupState}
		}
	})
	return groups, complete
}

// askAbout asks for the members and the committed offsets of the groups.
func (o *Observer) askAbout(ctx context.Context, p *problems, kinds map[string]GroupType, partitions int, id [16]byte) map[string]*described {
	answers := make(map[string]*described, len(kinds))
	names := make(map[GroupType][]string)
	for name, kind := range kinds {
		answers[name] = &described{kind: kind, epoch: -1, target: -1, noMembers: true, noCommits: true}
		names[kind] = append(names[kind], name)
	}
	var all sync.WaitGroup // each goroutine has its own fields of the answers
	if len(names[Classic]) > 0 {
		all.Go(func() { o.describeClassic(ctx, p, names[Classic], answers) })
	}
	if len(names[Consumer]) > 0 {
		all.Go(func() { o.describeConsumer(ctx, p, names[Consumer], answers, id) })
	}
	if len(names[Share]) > 0 {
		all.Go(func() { o.describeShare(ctx, p, names[Share], answers) })
	}
	if partitions > 0 {
		if of := append(names[Classic], names[Consumer]...); len(of) > 0 {
			all.Go(func() { o.fetchCommits(ctx, p, of, answers, partitions, id) })
		}
		if len(names[Share]) > 0 {
			all.Go(func() { o.fetchShareOffsets(ctx, p, names[Share], answers, partitions) })
		}
	}
	all.Wait()
	for _, answer := range answers {
		answer.failed = answer.noMembers || answer.noCommits && partitions > 0
	}
	return answers
}

// isGoneGroup handles the error of a group that was described. It returns true if there is nothing more
// in the answer.
func (o *Observer) isGoneGroup(p *problems, name string, answer *described, code int16) bool {
	switch err := kerr.ErrorForCode(code); {
	case err == nil:
		return false
	case errors.Is(err, kerr.GroupIDNotFound):
		answer.gone, answer.noMembers, answer.state = true, false, "Dead"
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		// A member reads another topic, too, that these credentials may not see.
		answer.noMembers = false
	default:
		o.addGroup(p, name, err)
	}
	return true
}

// addGroup adds a problem with a group, unless it is known that the group does not concern the topic.
func (o *Observer) addGroup(p *problems, name string, err error) {
	o.mu.Lock()
	matters := !o.started || o.groups[name] != nil
	o.mu.Unlock()
	if matters {
		p.add("group "+name, err)
	}
}

func (o *Observer) describeClassic(ctx context.Context, p *problems, names []string, answers map[string]*described) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = names
	ask(ctx, o.asker, p, req, func(resp *kmsg.DescribeGroupsResponse) {
		for _, group := range resp.Groups {
			answer := answers[group.Group]
			if answer == nil || o.isGoneGroup(p, group.Group, answer, group.ErrorCode) {
				continue
			}
			answer.noMembers, answer.state = false, group.State
			answer.gone, answer.assignment = group.State == "Dead", isSettled(group.State)
			for _, member := range group.Members {
				// In a rebalance, Apache Kafka returns the members without what they read.
				found := describedMember{id: member.MemberID, client: member.ClientID, host: host(member.ClientHost), maybe: true}
				var subscription kmsg.ConsumerMemberMetadata
				if len(member.ProtocolMetadata) > 0 && subscription.ReadFrom(member.ProtocolMetadata) == nil {
					found.subscribed, found.maybe = slices.Contains(subscription.Topics, o.topic), false
				}
				var assignment kmsg.ConsumerMemberAssignment
				if len(member.MemberAssignment) > 0 && assignment.ReadFrom(member.MemberAssignment) == nil {
					for _, topic := range assignment.Topics {
						if topic.Topic == o.topic {
							found.partitions, found.subscribed, found.maybe = topic.Partitions, true, false
						}
					}
				}
				answer.members = append(answer.members, found)
			}
		}
	})
}

func (o *Observer) describeConsumer(ctx context.Context, p *problems, names []string, answers map[string]*described, id [16]byte) {
	req := kmsg.NewPtrConsumerGroupDescribeRequest()
	req.Groups = names
	ask(ctx, o.asker, p, req, func(resp *kmsg.ConsumerGroupDescribeResponse) {
		for _, group := range resp.Groups {
			answer := answers[group.Group]
			if answer == nil || o.isGoneGroup(p, group.Group, answer, group.ErrorCode) {
				continue
			}
			answer.noMembers, answer.assignment, answer.state = false, true, group.State
			answer.epoch, answer.target = group.Epoch, group.AssignmentEpoch
			for _, member := range group.Members {
				found := describedMember{
					id: member.MemberID, client: member.ClientID, host: host(member.ClientHost),
					subscribed: member.SubscribedTopicRegex != nil && *member.SubscribedTopicRegex != "" || slices.Contains(member.SubscribedTopics, o.topic),
				}
				found.partitions = o.ofTopic(member.Assignment, id)
				found.target = o.ofTopic(member.TargetAssignment, id)
				answer.members = append(answer.members, found)
			}
		}
	})
}

// ofTopic returns the partitions of our topic. The embedded brokers give its ID alone.
func (o *Observer) ofTopic(assignment kmsg.Assignment, id [16]byte) (partitions []int32) {
	for _, topic := range assignment.TopicPartitions {
		if topic.Topic == o.topic || topic.Topic == "" && topic.TopicID == id {
			partitions = append(partitions, topic.Partitions...)
		}
	}
	return partitions
}

func (o *Observer) describeShare(ctx context.Context, p *problems, names []string, answers map[string]*described) {
	req := kmsg.NewPtrShareGroupDescribeRequest()
	req.GroupIDs = names
	ask(ctx, o.asker, p, req, func(resp *kmsg.ShareGroupDescribeResponse) {
		for _, group := range resp.Groups {
			answer := answers[group.GroupID]
			if answer == nil || o.isGoneGroup(p, group.GroupID, answer, group.ErrorCode) {
				continue
			}
			answer.noMembers, answer.assignment, answer.state = false, true, group.GroupState
			answer.epoch, answer.target = group.GroupEpoch, group.AssignmentEpoch
			for _, member := range group.Members {
				found := describedMember{
					id: member.MemberID, client: member.ClientID, host: host(member.ClientHost),
					subscribed: slices.Contains(member.SubscribedTopicNames, o.topic),
				}
				for _, topic := range member.Assignment.TopicPartitions {
					if topic.Topic == o.topic {
						found.partitions = append(found.partitions, topic.Partitions...)
					}
				}
				answer.members = append(answer.members, found)
			}
		}
	})
}

// host removes the slash that Java puts before an address.
func host(text string) string { return strings.TrimPrefix(text, "/") }
