package observer

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// nothing returns the commits of a group without any.
func nothing(partitions int) []describedCommit {
	return slices.Repeat([]describedCommit{{offset: -1, lag: -1}}, partitions)
}

// numbers returns the numbers of all partitions.
func numbers(partitions int) []int32 {
	all := make([]int32, partitions)
	for n := range all {
		all[n] = int32(n)
	}
	return all
}

func (o *Observer) fetchCommits(ctx context.Context, p *problems, names []string, answers map[string]*described, partitions int, id [16]byte) {
	req := kmsg.NewPtrOffsetFetchRequest()
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.TopicID, topic.Partitions = o.topic, id, numbers(partitions)
	for _, name := range names {
		group := kmsg.NewOffsetFetchRequestGroup()
		group.Group, group.Topics = name, []kmsg.OffsetFetchRequestGroupTopic{topic}
		req.Groups = append(req.Groups, group)
	}
	ask(ctx, o.asker, p, req, func(resp *kmsg.OffsetFetchResponse) {
		for _, group := range resp.Groups {
			answer := answers[group.Group]
			if answer == nil {
				continue
			}
			if err := kerr.ErrorForCode(group.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
				o.addGroup(p, group.Group, err)
				continue
			}
			commits := nothing(partitions)
			answer.commits, answer.noCommits = commits, false
			for _, topic := range group.Topics {
				for _, found := range topic.Partitions {
					n := int(found.Partition)
					switch err := kerr.ErrorForCode(found.ErrorCode); {
					case err != nil:
						answer.noCommits = true
						if !unknownTopic(err) { // the metadata shows it, too
							p.add("topic "+o.topic, err)
						}
					case n >= 0 && n < partitions && found.Offset >= 0:
						commits[n].offset = found.Offset
						if found.Metadata != nil {
							commits[n].metadata = *found.Metadata
						}
					}
				}
			}
		}
	})
}

func (o *Observer) fetchShareOffsets(ctx context.Context, p *problems, names []string, answers map[string]*described, partitions int) {
	req := kmsg.NewPtrDescribeShareGroupOffsetsRequest()
	topic := kmsg.NewDescribeShareGroupOffsetsRequestGroupTopic()
	topic.Topic, topic.Partitions = o.topic, numbers(partitions)
	for _, name := range names {
		group := kmsg.NewDescribeShareGroupOffsetsRequestGroup()
		group.GroupID, group.Topics = name, []kmsg.DescribeShareGroupOffsetsRequestGroupTopic{topic}
		req.Groups = append(req.Groups, group)
	}
	ask(ctx, o.asker, p, req, func(resp *kmsg.DescribeShareGroupOffsetsResponse) {
		for _, group := range resp.Groups {
			answer := answers[group.GroupID]
			if answer == nil {
				continue
			}
			if err := kerr.ErrorForCode(group.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
				o.addGroup(p, group.GroupID, err)
				continue
			}
			commits := nothing(partitions)
			answer.commits, answer.noCommits = commits, false
			for _, topic := range group.Topics {
				for _, found := range topic.Partitions {
					n := int(found.Partition)
					if found.ErrorCode == 0 && n >= 0 && n < partitions && found.StartOffset >= 0 {
						commits[n].offset, commits[n].lag = found.StartOffset, found.Lag
					}
				}
			}
		}
	})
}
