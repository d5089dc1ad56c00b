package page

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"tkafka/pkg/watch/observer"
)

// scripted is a source that shows what a test wants.
type scripted struct {
	mu      sync.Mutex
	picture *observer.Picture
	newer   chan struct{}
	asked   int
}

func newScripted(picture *observer.Picture) *scripted {
	picture.Version = time.Now().UnixMilli()
	return &scripted{picture: picture, newer: make(chan struct{})}
}

func (s *scripted) Next(ctx context.Context, version int64) (*observer.Picture, error) {
	s.mu.Lock()
	picture, newer := s.picture, s.newer
	s.asked++
	s.mu.Unlock()
	if picture.Version != version {
		return picture, nil
	}
	select {
	case <-newer:
		return s.Next(ctx, version)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// count is how often somebody has asked.
func (s *scripted) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// show changes the picture, and adds events and messages.
func (s *scripted) show(change func(*observer.Picture), more ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := json.Marshal(s.picture)
	if err != nil {
		panic(err)
	}
	next := new(observer.Picture)
	if err := json.Unmarshal(text, next); err != nil {
		panic(err)
	}
	next.Time = time.Now()
	next.Version = max(next.Version+1, next.Time.UnixMilli())
	if change != nil {
		change(next)
	}
	for _, one := range more {
		switch one := one.(type) {
		case observer.Event:
			one.ID, one.Time = int64(len(next.Events)+1), next.Time
			next.Events = append(next.Events, one)
		case observer.Message:
			next.Messages = append(next.Messages, one)
		}
	}
	s.picture = next
	close(s.newer)
	s.newer = make(chan struct{})
}

// topic is a picture of a topic without messages and groups.
func topic(partitions int) *observer.Picture {
	picture := &observer.Picture{Time: time.Now(), Groups: []observer.Group{}, Events: []observer.Event{}, Messages: []observer.Message{}}
	picture.Topic = observer.Topic{Name: "client60", Partitions: make([]observer.Partition, partitions)}
	return picture
}

// addGroup adds a group without commits. Its members share the partitions as the range strategy does.
func addGroup(picture *observer.Picture, name string, kind observer.GroupType, members int) *observer.Group {
	count := len(picture.Topic.Partitions)
	group := observer.Group{Name: name, Type: kind, State: "Stable", Epoch: -1, Members: []observer.Member{}}
	if members == 0 {
		group.State = "Empty"
	}
	for n := range members {
		group.Members = append(group.Members, observer.Member{Number: n + 1, ID: fmt.Sprintf("kgo-%d", n+1), Client: "consumer",
			Host: fmt.Sprintf("127.0.0.%d", n+1), Partitions: []int32{}})
	}
	for p := range count {
		commit := observer.Commit{Offset: -1, Lag: -1}
		if members > 0 {
			m := &group.Members[p*members/count]
			m.Partitions = append(m.Partitions, int32(p))
			commit.Holder = m.Number
		}
		group.Commits = append(group.Commits, commit)
	}
	picture.Groups = append(picture.Groups, group)
	return &picture.Groups[len(picture.Groups)-1]
}

// commit lets the group commit an offset, and keeps the sums.
func commit(picture *observer.Picture, group *observer.Group, partition int, offset int64) {
	c, p := &group.Commits[partition], picture.Topic.Partitions[partition]
	lag := max(0, p.End-max(offset, p.Start))
	more := lag - max(0, c.Lag)
	c.Offset, c.By, c.Lag = offset, c.Holder, lag
	group.Lag += more
	if c.Holder > 0 {
		m := &group.Members[c.Holder-1]
		m.Lag += more
		m.LastCommit = picture.Time
	}
}

// scene is a picture of a class at work: logs of different lengths, and members that are nearly at the end.
func scene(partitions, members int, longest int64) *scripted {
	random := rand.New(rand.NewPCG(1, 2))
	picture := topic(partitions)
	for i := range picture.Topic.Partitions {
		picture.Topic.Partitions[i].End = int64(float64(longest) * (0.35 + 0.65*random.Float64()))
	}
	picture.Topic.Partitions[0].End, picture.Topic.Rate = longest, 12.4
	addGroup(picture, "simple_consumer", observer.Classic, 0)
	group := addGroup(picture, "consumer_group_1", observer.Classic, members)
	for i, p := range picture.Topic.Partitions {
		commit(picture, group, i, max(0, p.End-int64(math.Pow(random.Float64(), 4)*float64(longest)/2)))
		commit(picture, &picture.Groups[0], i, p.End/2)
	}
	for i := range group.Members {
		group.Members[i].Rate = float64(random.IntN(60)) / 10
	}
	s := newScripted(picture)
	for _, e := range []observer.Event{
		{Kind: observer.Joined, To: 1, Text: "member 1 (consumer) joined"},
		{Kind: observer.Moved, To: 1, Text: fmt.Sprintf("partitions 0-%d went to member 1", partitions-1)},
		{Kind: observer.Joined, To: 2, Text: "member 2 (consumer) joined"},
		{Kind: observer.Moved, From: 1, To: 2, Text: fmt.Sprintf("partitions %d-%d went from member 1 to member 2", partitions/2, partitions-1)},
		{Kind: observer.StoodStill, Text: "the group stood still for 0.4 s"},
	} {
		e.Group = group.Name
		s.show(nil, e)
	}
	for i := range 30 {
		p, key := random.IntN(partitions), fmt.Sprint(i)
		s.show(nil, observer.Message{Time: picture.Time.Add(time.Duration(i-30) * time.Second), Partition: int32(p),
			Offset: max(0, picture.Topic.Partitions[p].End-int64(30-i)), Key: &key, Value: fmt.Sprintf("message %d", i+1),
			Holders: map[string]int{group.Name: group.Commits[p].Holder}})
	}
	return s
}
