package livepage

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"tkafka/pkg/observer"
)

// scene is a picture of a class at work: logs of different lengths, and members that are nearly at the end.
func scene(partitions, members int, longest int64) *scripted {
	random := rand.New(rand.NewPCG(1, 2))
	picture := topic("client60", partitions)
	for i := range picture.Partitions {
		p := &picture.Partitions[i]
		p.End = int64(float64(longest) * (0.35 + 0.65*random.Float64()))
		p.Rate = float64(random.IntN(40)) / 10
	}
	addGroup(picture, "simple_consumer", observer.Classic, 0)
	addGroup(picture, "consumer_group_1", observer.Classic, members)
	group := &picture.Groups[1]
	for i, p := range picture.Partitions {
		lag := int64(math.Pow(random.Float64(), 4) * float64(longest) / 2)
		commit(picture, group, i, max(0, p.End-lag))
		commit(picture, &picture.Groups[0], i, p.End/2)
	}
	for i := range group.Members {
		group.Members[i].Rate = float64(random.IntN(60)) / 10
		group.Members[i].LastCommit = picture.Time.Add(-time.Duration(random.IntN(9)) * time.Second)
	}
	s := newScripted(picture)
	start := picture.Time.Add(-time.Minute)
	event := func(seconds int, e observer.Event) {
		e.Time, e.Group = start.Add(time.Duration(seconds)*time.Second), group.Name
		s.show(nil, e)
	}
	event(0, observer.Event{Kind: observer.Joined, To: 1, Client: "consumer", Text: "member 1 joined (consumer)"})
	event(3, observer.Event{Kind: observer.Moved, To: 1, Text: fmt.Sprintf("%d partitions went to member 1", partitions)})
	if members > 1 {
		event(20, observer.Event{Kind: observer.Joined, To: 2, Client: "consumer", Text: "member 2 joined (consumer)"})
		event(21, observer.Event{Kind: observer.Moved, From: 1, To: 2, Text: fmt.Sprintf("%d-%d went from member 1 to member 2", partitions/2, partitions-1)})
		event(21, observer.Event{Kind: observer.StoodStill, Seconds: 0.4, Text: "the group stood still 0.4 s"})
	}
	for i := range 30 {
		p := random.IntN(partitions)
		key := fmt.Sprint(i)
		s.show(nil, observer.Message{Time: start.Add(time.Duration(i*2) * time.Second), Partition: int32(p), Offset: max(0, picture.Partitions[p].End-int64(30-i)), Key: &key,
			Value: fmt.Sprintf("message %d", i+1), Holders: map[string]int{group.Name: group.Commits[p].Holder}})
	}
	for i := range s.rates.Total {
		n := int32(8 + 6*math.Sin(float64(i)/20) + random.Float64()*5)
		if i < 60 {
			n = 0
		}
		s.rates.Total[i] = n
	}
	return s
}

// Screenshots are for people who change the page: look at them. They are in the folder that
// TKAFKA_SCREENSHOTS names, or in the test's own (go test -artifacts).
func TestScreenshots(t *testing.T) {
	b := newBrowser(t)
	folder := screenshots(t)
	scenes := []struct {
		name                string
		partitions, members int
		longest             int64
	}{{"1", 1, 1, 14}, {"16", 16, 2, 1200}, {"256", 256, 64, 90000}}
	for _, scene_ := range scenes {
		page := b.open(t, scene(scene_.partitions, scene_.members, scene_.longest))
		page.wait(t, `document.querySelectorAll('.lane').length`, scene_.partitions)
		for _, width := range []int{400, 1280, 1920} {
			for _, theme := range []string{"light", "dark"} {
				page.look(t, width, theme)
				page.shot(t, fmt.Sprintf("%s/%s-%d-%s.png", folder, scene_.name, width, theme))
			}
		}
	}
}
