package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind is what is wrong with a message.
type Kind string

// The kinds of findings.
const (
	LostCommitted Kind = "committed but never processed" // the group never reads it again
	LostAtReset   Kind = "skipped at the start"          // there was no committed offset to continue at
	LostGap       Kind = "gap"                           // a later message of its partition was printed
	LostWaiting   Kind = "not read"                      // nothing behind it was printed, either
	TwiceInOne    Kind = "twice by one process"
	TwiceInTwo    Kind = "twice by two processes"
	Interrupted   Kind = "interrupted by the stop, and read again" // no mistake
	OutOfOrder    Kind = "out of order"
	NotInTopic    Kind = "not in the topic"
	NotDelivered  Kind = "reported, but not in the topic"
	TwiceInTopic  Kind = "twice in the topic"
)

// Finding is one message that was lost, came twice or came out of order.
type Finding struct {
	Kind      Kind   `json:"kind"`
	Text      string `json:"message"`
	Partition int32  `json:"partition"` // -1: it is in no partition
	Offset    int64  `json:"offset"`
	Seen      string `json:"seen"` // a sentence: when, and by which process
}

// String names the message, and what was seen.
func (f Finding) String() string {
	if f.Partition < 0 {
		return fmt.Sprintf("%s: %s", f.Text, f.Seen)
	}
	return fmt.Sprintf("%s (partition %d, offset %d): %s", f.Text, f.Partition, f.Offset, f.Seen)
}

// Findings are the result of a check.
type Findings struct {
	Sent       int       `json:"sent"`    // messages that had to be there
	Arrived    int       `json:"arrived"` // of these, the ones that were there at least once
	Lost       []Finding `json:"lost,omitempty"`
	Twice      []Finding `json:"twice,omitempty"`
	OutOfOrder []Finding `json:"out_of_order,omitempty"`
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// orderSlack is how much later than it was printed a line may be seen. Lines of two processes come through
// two pipes, so their order is known only from this difference on.
const orderSlack = 500 * time.Millisecond

// Check finds the messages that are lost, printed twice, or out of order for their key.
func (r *Reading) Check() (f Findings) {
	prints := make(map[int][]Print)
	last := make(map[string]Print) // of each process
	for _, p := range r.Printed {
		prints[p.Number] = append(prints[p.Number], p)
		last[p.Process] = p
	}
	byPartition := make(map[int32][]Message)
	known := make(map[int]Message)
	for _, m := range r.Sent {
		byPartition[m.Partition] = append(byPartition[m.Partition], m)
		known[m.Number] = m
	}
	for _, m := range r.Sent {
		if m.Required {
			f.Sent++
			if len(prints[m.Number]) > 0 {
				f.Arrived++
			} else {
				f.Lost = append(f.Lost, r.lost(m, byPartition[m.Partition], prints))
			}
		}
		if p := prints[m.Number]; len(p) > 1 {
			finding := r.twice(m, p)
			// A program prints, works, and then commits. A clean stop may come in between, once.
			if len(p) == 2 && p[0] == last[p[0].Process] && p[1].Process != p[0].Process {
				finding.Kind = Interrupted
			}
			f.Twice = append(f.Twice, finding)
		}
	}
	f.OutOfOrder = r.disorder(known)
	return f
}

// lost explains why a message was not printed.
func (r *Reading) lost(m Message, partition []Message, prints map[int][]Print) Finding {
	var before, after *Print // of the same partition: the neighbours that were printed
	for _, other := range partition {
		p := prints[other.Number]
		if len(p) == 0 {
			continue
		}
		if other.Offset < m.Offset {
			before = &p[0]
		} else if after == nil {
			after = &p[0]
		}
	}
	seen := "never printed; sent at " + seconds(m.Sent)
	neighbour := func(word string, p *Print) {
		if p != nil {
			seen += fmt.Sprintf("; %s printed %s, %s it in this partition, at %s", p.Process, textOf(p.Number), word, seconds(p.At))
		}
	}
	neighbour("before", before)
	if event := eventAfter(r.Events, m.Sent, before); event != nil {
		seen += fmt.Sprintf("; %s at %s", event.Text, seconds(event.At))
	}
	neighbour("after", after)

	committed, has := r.Committed[m.Partition]
	finding := Finding{Text: textOf(m.Number), Partition: m.Partition, Offset: m.Offset}
	reset := r.resetAt(m, after)
	switch {
	case reset != nil:
		finding.Kind = LostAtReset
		seen += fmt.Sprintf("; when %s started at %s, the group had no committed offset for the partition", reset.Process, seconds(reset.At))
	case has && committed > m.Offset:
		finding.Kind = LostCommitted
		seen += fmt.Sprintf("; the committed offset is %d, so the group does not read it again", committed)
	case after != nil:
		finding.Kind = LostGap
	default:
		finding.Kind = LostWaiting
	}
	if !r.Known {
		seen += "; the committed offsets are not known"
	} else if !has {
		seen += "; the group has no committed offset for the partition"
	}
	finding.Seen = seen
	return finding
}

// resetAt returns the start of a later process that found no committed offset for the partition, and
// began behind the message. After is the first message behind it that was printed. If there is none, the
// last process began behind all of them.
func (r *Reading) resetAt(m Message, after *Print) *Start {
	for i := range r.Starts {
		s := &r.Starts[i]
		_, has := s.Committed[m.Partition]
		behind := m.Sent <= s.At || after != nil && after.Process == s.Process || after == nil && i == len(r.Starts)-1
		if i > 0 && s.Committed != nil && !has && behind {
			return s
		}
	}
	return nil
}

// eventAfter returns the first event after a message was sent and the one before it was printed. A start
// explains nothing: what came before it does.
func eventAfter(events []Event, sent time.Duration, before *Print) *Event {
	if before != nil {
		sent = max(sent, before.At)
	}
	for i := range events {
		if events[i].At >= sent && !strings.HasSuffix(events[i].Text, wasStarted) {
			return &events[i]
		}
	}
	return nil
}

func (r *Reading) twice(m Message, prints []Print) Finding {
	kind := TwiceInOne
	var times []string
	for i, p := range prints {
		times = append(times, fmt.Sprintf("by %s at %s", p.Process, seconds(p.At)))
		if i > 0 && p.Process != prints[0].Process {
			kind = TwiceInTwo
		}
	}
	const most = 4
	if len(times) > most {
		times = append(times[:most], fmt.Sprintf("and %d times more", len(times)-most))
	}
	return Finding{kind, textOf(m.Number), m.Partition, m.Offset, "printed " + strings.Join(times, " and ")}
}

// disorder finds messages that were printed first after a later message of their key. A message that
// comes again, after its group went back to an earlier offset, is not out of order: it came twice.
func (r *Reading) disorder(known map[int]Message) (found []Finding) {
	printed := make(map[int]bool)
	latest := make(map[string]Print) // by key: the latest message that was printed
	for _, p := range r.Printed {
		m, ok := known[p.Number]
		if !ok || printed[p.Number] {
			continue
		}
		printed[p.Number] = true
		last, any := latest[m.Key]
		if any && known[last.Number].Offset > m.Offset {
			if last.Process == p.Process || p.At-last.At > orderSlack {
				found = append(found, Finding{OutOfOrder, textOf(m.Number), m.Partition, m.Offset,
					fmt.Sprintf("printed by %s at %s, after %s at offset %d, which %s printed at %s; both have the key %s",
						p.Process, seconds(p.At), textOf(last.Number), known[last.Number].Offset, last.Process, seconds(last.At), m.Key)})
			}
			continue
		}
		latest[m.Key] = p
	}
	return found
}

// dropUnread removes the messages that the program had not read, and has not committed. If it ended by
// itself, it would read them when it is started again. It returns their number.
func (f *Findings) dropUnread() int {
	before := len(f.Lost)
	f.Lost = slices.DeleteFunc(f.Lost, func(lost Finding) bool { return lost.Kind == LostWaiting })
	f.Sent -= before - len(f.Lost)
	return before - len(f.Lost)
}

// Check finds the lines that are missing in the topic, there twice, or out of order.
func (w *Writing) Check() (f Findings) {
	records := slices.Clone(w.Records)
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	places := make(map[int][]Record)
	for _, record := range records {
		places[record.Number] = append(places[record.Number], record)
	}
	reported := make(map[int]string)
	for _, report := range w.Reported {
		if report.Number >= 0 {
			reported[report.Number] = report.Line
		}
	}
	for position, number := range w.Lines {
		line, isReported := reported[number]
		there := places[number]
		required := !w.Partial || isReported || len(w.Reported) == 0 && len(there) > 0
		if required {
			f.Sent++
			f.Arrived += min(1, len(there))
		}
		switch {
		case len(there) > 1:
			var where []string
			for _, record := range there {
				where = append(where, fmt.Sprintf("partition %d, offset %d", record.Partition, record.Offset))
			}
			f.Twice = append(f.Twice, Finding{TwiceInTopic, textOf(number), there[0].Partition, there[0].Offset,
				fmt.Sprintf("line %d is in the topic %d times: %s", position+1, len(there), strings.Join(where, "; "))})
		case len(there) == 0 && isReported:
			f.Lost = append(f.Lost, Finding{NotDelivered, textOf(number), -1, -1,
				fmt.Sprintf("line %d is not in the topic, but the program printed %q", position+1, line)})
		case len(there) == 0 && required:
			seen := fmt.Sprintf("line %d of %d is not in the topic", position+1, len(w.Lines))
			const most = 2 // the last ones explain it
			for _, event := range w.Events[max(0, len(w.Events)-most):] {
				seen += fmt.Sprintf("; %s at %s", event.Text, seconds(event.At))
			}
			f.Lost = append(f.Lost, Finding{NotInTopic, textOf(number), -1, -1, seen})
		}
	}
	w.checkReports(&f, records, len(places))
	f.OutOfOrder = w.disorder(records)
	return f
}

// checkReports checks the reports that name no message.
func (w *Writing) checkReports(f *Findings, records []Record, distinct int) {
	for _, report := range w.Reported {
		switch {
		case report.Place:
			f.Sent++
			if slices.ContainsFunc(records, func(r Record) bool { return r.Partition == report.Partition && r.Offset == report.Offset }) {
				f.Arrived++
			} else {
				f.Lost = append(f.Lost, Finding{NotDelivered, "a message", report.Partition, report.Offset,
					fmt.Sprintf("no line is there, but the program printed %q", report.Line)})
			}
		case report.Count > 0 && w.Partial:
			f.Sent += report.Count
			f.Arrived += min(report.Count, distinct)
			if distinct < report.Count {
				f.Lost = append(f.Lost, Finding{NotDelivered, "some messages", -1, -1,
					fmt.Sprintf("%d lines are in the topic, but the program printed %q", distinct, report.Line)})
			}
		}
	}
}

// disorder finds lines that are behind a later line of the same key. Lines without a key have an order
// within their partition. The records are sorted.
func (w *Writing) disorder(records []Record) (found []Finding) {
	type sequence struct {
		key       string
		partition int32 // for records without a key
	}
	seen := make(map[int]bool)
	latest := make(map[sequence]Record)
	partitions := make(map[string]int32)
	for _, record := range records {
		if seen[record.Number] {
			continue // a copy: it is reported as that
		}
		seen[record.Number] = true
		s, name := sequence{key: record.Key, partition: -1}, "the key "+record.Key
		if record.Keyless {
			s, name = sequence{partition: record.Partition}, "no key"
		} else if other, ok := partitions[record.Key]; ok && other != record.Partition {
			found = append(found, Finding{OutOfOrder, textOf(record.Number), record.Partition, record.Offset,
				fmt.Sprintf("the key %s is also in partition %d, so its messages have no order", record.Key, other)})
			continue
		} else {
			partitions[record.Key] = record.Partition
		}
		last, any := latest[s]
		if any && last.Number > record.Number {
			found = append(found, Finding{OutOfOrder, textOf(record.Number), record.Partition, record.Offset,
				fmt.Sprintf("it is behind %s at offset %d, which was sent after it; both have %s", textOf(last.Number), last.Offset, name)})
			continue
		}
		latest[s] = record
	}
	return found
}
