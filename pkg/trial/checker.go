package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Record is a message in the topic.
type Record struct {
	Number    int
	Key       string
	Keyless   bool
	Partition int32
	Offset    int64
}

// Message is a message for a consumer, or a line for a producer.
type Message struct {
	Record
	Sent     time.Duration // since the start of the trial
	Required bool          // the program must print it, because it was ready when the message was sent
	times    int           // that it was printed
}

// Print is a message that a process has printed.
type Print struct {
	Number  int
	Process string
	At      time.Duration // since the start of the trial
}

// Event is something that happened to a process or a broker.
type Event struct {
	At   time.Duration
	Text string // "process 1 was killed"
}

// Start is the start of a process, with the committed offsets of its group at that time.
type Start struct {
	Process   string
	At        time.Duration
	Committed map[int32]int64
}

// Reading is what is known about a consumer at the end of a trial.
type Reading struct {
	Sent      []Message       // those that the cluster has, in the order of their numbers
	Printed   []Print         // in the order of time
	Committed map[int32]int64 // nil: there is no group
	Starts    []Start
	Events    []Event
}

// Report is a line in which a program reports a delivery: of a message by its text, of a message by its
// place, or of a number of messages.
type Report struct {
	Line      string
	Number    int // -1: not by its text
	Place     bool
	Partition int32
	Offset    int64
	Count     int // 0: one message
}

// Writing is what is known about a producer at the end of a trial.
type Writing struct {
	Lines    int // on its standard input: the messages 0, 1, 2 and so on
	Records  []Record
	Reported []Report // what it printed about deliveries
	Partial  bool     // it was stopped: a line that it has not reported may be missing
	Events   []Event
}

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

// dropUnread removes the messages that the program had not read, and has not committed. If it ended by
// itself, it would read them when it is started again. It returns their number.
func (f *Findings) dropUnread() int {
	before := len(f.Lost)
	f.Lost = slices.DeleteFunc(f.Lost, func(lost Finding) bool { return lost.Kind == LostWaiting })
	f.Sent -= before - len(f.Lost)
	return before - len(f.Lost)
}

func (r Record) finding(kind Kind, format string, args ...any) Finding {
	return Finding{kind, textOf(r.Number), r.Partition, r.Offset, fmt.Sprintf(format, args...)}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// Check finds the messages that are lost, printed twice, or out of order for their key.
func (r *Reading) Check() (f Findings) {
	prints := make(map[int][]Print)
	last := make(map[string]Print) // of each process
	for _, p := range r.Printed {
		prints[p.Number] = append(prints[p.Number], p)
		last[p.Process] = p
	}
	for _, m := range r.Sent {
		p := prints[m.Number]
		if m.Required {
			f.Sent++
			f.Arrived += min(1, len(p))
		}
		switch {
		case len(p) == 0 && m.Required:
			f.Lost = append(f.Lost, r.lost(m, prints))
		case len(p) == 2 && p[0] == last[p[0].Process] && p[1].Process != p[0].Process:
			// A program prints, works, and then commits. A clean stop may come in between, once.
			f.Twice = append(f.Twice, m.finding(Interrupted, "%s", times(p)))
		case len(p) > 1:
			kind := TwiceInOne
			if slices.ContainsFunc(p, func(other Print) bool { return other.Process != p[0].Process }) {
				kind = TwiceInTwo
			}
			f.Twice = append(f.Twice, m.finding(kind, "%s", times(p)))
		}
	}
	f.OutOfOrder = r.disorder()
	return f
}

// lost explains why a message was not printed.
func (r *Reading) lost(m Message, prints map[int][]Print) Finding {
	var before, after *Print // of the same partition: the neighbours that were printed
	for _, other := range r.Sent {
		switch p := prints[other.Number]; {
		case len(p) == 0 || other.Partition != m.Partition:
		case other.Offset < m.Offset:
			before = &p[0]
		case after == nil:
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
	// The first event after the message was sent and the one before it was printed explains it, but not a start.
	since := m.Sent
	if before != nil {
		since = max(since, before.At)
	}
	if at := slices.IndexFunc(r.Events, func(e Event) bool { return e.At >= since && !strings.HasSuffix(e.Text, wasStarted) }); at >= 0 {
		seen += fmt.Sprintf("; %s at %s", r.Events[at].Text, seconds(r.Events[at].At))
	}
	neighbour("after", after)

	kind := LostWaiting
	committed, has := r.Committed[m.Partition]
	if reset := r.resetAt(m, after); reset != nil {
		kind = LostAtReset
		seen += fmt.Sprintf("; when %s started at %s, the group had no committed offset for the partition", reset.Process, seconds(reset.At))
	} else if committed > m.Offset {
		kind = LostCommitted
		seen += fmt.Sprintf("; the committed offset is %d, so the group does not read it again", committed)
	} else if after != nil {
		kind = LostGap
	}
	if r.Committed == nil {
		seen += "; the committed offsets are not known"
	} else if !has {
		seen += "; the group has no committed offset for the partition"
	}
	return m.finding(kind, "%s", seen)
}

// resetAt returns the start of a later process that found no committed offset for the partition, and
// began behind the message. After is the first message behind it that was printed. If there is none, the
// last process began behind all of them.
func (r *Reading) resetAt(m Message, after *Print) *Start {
	for i := 1; i < len(r.Starts); i++ {
		s := &r.Starts[i]
		_, has := s.Committed[m.Partition]
		behind := m.Sent <= s.At || after != nil && after.Process == s.Process || after == nil && i == len(r.Starts)-1
		if !has && behind {
			return s
		}
	}
	return nil
}

func times(prints []Print) string {
	var times []string
	for _, p := range prints {
		times = append(times, fmt.Sprintf("by %s at %s", p.Process, seconds(p.At)))
	}
	const most = 4
	if len(times) > most {
		times = append(times[:most], fmt.Sprintf("and %d times more", len(times)-most))
	}
	return "printed " + strings.Join(times, " and ")
}

// orderSlack is how much later than it was printed a line may be seen. Lines of two processes come through
// two pipes, so their order is known only from this difference on.
const orderSlack = 500 * time.Millisecond

// disorder finds messages that were printed first after a later message of their key. A message that
// comes again, after its group went back to an earlier offset, is not out of order: it came twice.
func (r *Reading) disorder() (found []Finding) {
	unseen := make(map[int]Message)
	for _, m := range r.Sent {
		unseen[m.Number] = m
	}
	type printed struct {
		Print
		offset int64
	}
	latest := make(map[string]printed) // by key: the latest message that was printed
	for _, p := range r.Printed {
		m, ok := unseen[p.Number]
		if !ok {
			continue
		}
		delete(unseen, p.Number)
		if last, any := latest[m.Key]; !any || last.offset < m.Offset {
			latest[m.Key] = printed{p, m.Offset}
		} else if last.Process == p.Process || p.At-last.At > orderSlack {
			found = append(found, m.finding(OutOfOrder, "printed by %s at %s, after %s at offset %d, which %s printed at %s; both have the key %s",
				p.Process, seconds(p.At), textOf(last.Number), last.offset, last.Process, seconds(last.At), m.Key))
		}
	}
	return found
}

// Check finds the lines that are missing in the topic, there twice, or out of order.
func (w *Writing) Check() (f Findings) {
	slices.SortFunc(w.Records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	places := make(map[int][]Record)
	for _, record := range w.Records {
		places[record.Number] = append(places[record.Number], record)
	}
	reported := make(map[int]string)
	for _, report := range w.Reported {
		w.checkReport(&f, report, len(places))
		reported[report.Number] = report.Line
	}
	for number := range w.Lines {
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
			f.Twice = append(f.Twice, there[0].finding(TwiceInTopic, "line %d is in the topic %d times: %s", number+1, len(there), strings.Join(where, "; ")))
		case len(there) == 0 && isReported:
			f.Lost = append(f.Lost, Finding{NotDelivered, textOf(number), -1, -1,
				fmt.Sprintf("line %d is not in the topic, but the program printed %q", number+1, line)})
		case len(there) == 0 && required:
			seen := fmt.Sprintf("line %d of %d is not in the topic", number+1, w.Lines)
			const most = 2 // the last ones explain it
			for _, event := range w.Events[max(0, len(w.Events)-most):] {
				seen += fmt.Sprintf("; %s at %s", event.Text, seconds(event.At))
			}
			f.Lost = append(f.Lost, Finding{NotInTopic, textOf(number), -1, -1, seen})
		}
	}
	f.OutOfOrder = w.disorder()
	return f
}

// checkReport checks a report that names no message. Distinct is the number of lines in the topic.
func (w *Writing) checkReport(f *Findings, report Report, distinct int) {
	switch {
	case report.Place:
		f.Sent++
		if slices.ContainsFunc(w.Records, func(r Record) bool { return r.Partition == report.Partition && r.Offset == report.Offset }) {
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

// disorder finds lines that are behind a later line of the same key. Lines without a key have an order
// within their partition.
func (w *Writing) disorder() (found []Finding) {
	type sequence struct {
		key       string
		partition int32 // for records without a key
	}
	seen := make(map[int]bool)
	latest := make(map[sequence]Record)
	partitions := make(map[string]int32)
	for _, record := range w.Records {
		if seen[record.Number] {
			continue // a copy: it is reported as that
		}
		seen[record.Number] = true
		s, name := sequence{record.Key, -1}, "the key "+record.Key
		if record.Keyless {
			s, name = sequence{"", record.Partition}, "no key"
		} else if other, ok := partitions[record.Key]; ok && other != record.Partition {
			found = append(found, record.finding(OutOfOrder, "the key %s is also in partition %d, so its messages have no order", record.Key, other))
			continue
		} else {
			partitions[record.Key] = record.Partition
		}
		if last, any := latest[s]; any && last.Number > record.Number {
			found = append(found, record.finding(OutOfOrder, "it is behind %s at offset %d, which was sent after it; both have %s", textOf(last.Number), last.Offset, name))
		} else {
			latest[s] = record
		}
	}
	return found
}
