package observer

import (
	"fmt"
	"slices"
	"time"

	"tkafka/pkg/cli"
)

// record adds the event. The caller holds the lock.
func (o *Observer) record(event Event) {
	o.lastEvent++
	event.ID = o.lastEvent
	o.events = newest(append(o.events, event), keptEvents)
	o.newEvents = newest(append(o.newEvents, event), keptEvents)
}

// memberName is how events name a member: "member 2 (consumer)".
func memberName(number int, client string) string {
	return fmt.Sprintf("member %d (%s)", number, short(client))
}

// holderName is how events name who holds partitions.
func holderName(number int) string {
	if number == 0 {
		return "nobody"
	}
	return fmt.Sprintf("member %d", number)
}

// short limits a name that a client chooses.
func short(name string) string {
	const most = 100
	if letters := []rune(name); len(letters) > most {
		return string(letters[:most]) + "…"
	}
	return name
}

// partitionsText is "partition 3" or "partitions 0-7,12".
func partitionsText(partitions []int32) string {
	if len(partitions) == 1 {
		return fmt.Sprintf("partition %d", partitions[0])
	}
	return "partitions " + cli.Ranges(partitions)
}

// countText is "1 partition" or "16 partitions".
func countText(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return cli.Count(n) + " " + what + "s"
}

func joinedEvent(now time.Time, group string, m *member) Event {
	return Event{Time: now, Kind: Joined, Group: group, To: m.number, Client: m.client,
		Text: memberName(m.number, m.client) + " joined"}
}

func leftEvent(now time.Time, group string, m *member) Event {
	return Event{Time: now, Kind: Left, Group: group, From: m.number, Client: m.client,
		Text: memberName(m.number, m.client) + " left"}
}

// movedEvents returns one event for each pair of members between which partitions moved.
func movedEvents(now time.Time, group string, moves map[[2]int][]int32) []Event {
	var events []Event
	for pair, partitions := range moves {
		from, to := pair[0], pair[1]
		text := fmt.Sprintf("%s went from %s to %s", partitionsText(partitions), holderName(from), holderName(to))
		if from == 0 {
			text = fmt.Sprintf("%s went to %s", partitionsText(partitions), holderName(to))
		}
		events = append(events, Event{Time: now, Kind: Moved, Group: group, From: from, To: to,
			Partitions: partitions, Text: text})
	}
	slices.SortFunc(events, func(a, b Event) int {
		if a.From != b.From {
			return a.From - b.From
		}
		return a.To - b.To
	})
	return events
}

func stoodStillEvent(now time.Time, group string, since time.Time) Event {
	seconds := now.Sub(since).Seconds()
	return Event{Time: now, Kind: StoodStill, Group: group, Seconds: seconds,
		Text: fmt.Sprintf("the group stood still for %.1f s", seconds)}
}
