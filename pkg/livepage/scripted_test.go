package livepage

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"tkafka/pkg/observer"
)

// scripted is a source that shows what a test wants.
type scripted struct {
	mu        sync.Mutex
	picture   *observer.Picture
	events    []observer.Event
	messages  []observer.Message
	rates     observer.Rates
	followers map[chan observer.Update]bool
}

func newScripted(picture *observer.Picture) *scripted {
	s := &scripted{picture: picture, followers: make(map[chan observer.Update]bool)}
	s.rates = observer.Rates{End: time.Now().Truncate(time.Second), Total: make([]int32, 300), Partitions: make(map[int32][]int32)}
	return s
}

func (s *scripted) Picture() *observer.Picture {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.picture
}

func (s *scripted) Events() []observer.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.events
}

func (s *scripted) Messages() []observer.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messages
}

func (s *scripted) Rates() observer.Rates {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rates
}

func (s *scripted) Follow() (<-chan observer.Update, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	updates := make(chan observer.Update, 1000)
	s.followers[updates] = true
	return updates, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.followers, updates)
	}
}

// following is how many follow the source.
func (s *scripted) following() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.followers)
}

// show changes the picture, adds events and messages, and sends them.
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
	if change != nil {
		change(next)
	}
	s.picture = next
	update := observer.Update{Picture: next}
	for _, one := range more {
		switch one := one.(type) {
		case observer.Event:
			one.ID = int64(len(s.events) + 1)
			if one.Time.IsZero() {
				one.Time = next.Time
			}
			s.events = append(s.events, one)
			update.Events = append(update.Events, one)
		case observer.Message:
			s.messages = append(s.messages, one)
			update.Messages = append(update.Messages, one)
		case int:
			update.Skipped += one
		}
	}
	for updates := range s.followers {
		updates <- update
	}
}

// topic is a picture of a topic without messages and groups.
func topic(name string, partitions int) *observer.Picture {
	picture := &observer.Picture{Time: time.Now(), Topic: observer.Topic{Name: name, ID: "AAAAAAAAAAAAAAAAAAAAAQ", Exists: true}}
	for p := range partitions {
		picture.Partitions = append(picture.Partitions, observer.Partition{Partition: int32(p), Leader: int32(p % 3)})
	}
	return picture
}

// addGroup adds a group without commits. Its members share the partitions as the range strategy does.
func addGroup(picture *observer.Picture, name string, kind observer.GroupType, members int) *observer.Group {
	group := observer.Group{Name: name, Type: kind, State: "Stable", Epoch: -1, TargetEpoch: -1}
	if members == 0 {
		group.State = "Empty"
	}
	for n := range members {
		group.Members = append(group.Members, observer.Member{Number: n + 1, ID: fmt.Sprintf("kgo-%d", n+1), Client: "consumer",
			Host: fmt.Sprintf("/127.0.0.%d", n+1), Since: picture.Time})
	}
	count := len(picture.Partitions)
	for p := range count {
		commit := observer.Commit{Partition: int32(p), Offset: -1, Lag: -1}
		if members > 0 {
			holder := holders(count, members, p)
			commit.Holder = holder + 1
			group.Members[holder].Partitions = append(group.Members[holder].Partitions, int32(p))
		}
		group.Commits = append(group.Commits, commit)
	}
	picture.Groups = append(picture.Groups, group)
	return &picture.Groups[len(picture.Groups)-1]
}

// holders is the member, from 0, that holds the partition: the first members have one more.
func holders(count, members, partition int) int {
	each, rest := count/members, count%members
	if partition < rest*(each+1) {
		return partition / (each + 1)
	}
	return rest + (partition-rest*(each+1))/each
}

// commit lets the group commit an offset, and keeps the sums.
func commit(picture *observer.Picture, group *observer.Group, partition int, offset int64) {
	c, p := &group.Commits[partition], picture.Partitions[partition]
	c.Offset, c.Time, c.By = offset, picture.Time, c.Holder
	c.Lag = max(0, p.End-max(offset, p.Start))
	group.Lag = 0
	for i := range group.Members {
		group.Members[i].Lag = 0
	}
	for _, c := range group.Commits {
		if c.Lag > 0 {
			group.Lag += c.Lag
			if c.Holder > 0 {
				group.Members[c.Holder-1].Lag += c.Lag
			}
		}
	}
	if c.Holder > 0 {
		group.Members[c.Holder-1].LastCommit = picture.Time
	}
}
