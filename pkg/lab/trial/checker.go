package trial

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// facts are what is known about a trial at its end. All times are since its start.
type facts struct {
	messages  []message // by number
	prints    []printed // by time
	reports   []report
	starts    []start
	events    []event
	committed map[int32]int64 // the offsets of the group; nil: there is no group
	records   []record        // of a producer
	inFlight  int             // how many messages a process may work on, one for each of its members
	kept      int             // retention has deleted the messages before this number; 0: none
	stored    map[int]int     // by number, how often a message is in what the program has stored; nil: not known
	partial   bool            // the producer was stopped: a line that it has not reported may be missing
}

// record is a message in the topic.
type record struct {
	number    int
	key       string
	keyless   bool
	partition int32
	offset    int64 // -1: the cluster does not have it
}

// recordsOf returns the messages of a topic by the numbers in their texts.
func recordsOf(messages []*kgo.Record) (records []record) {
	for _, m := range messages {
		for _, number := range numbersIn(string(m.Value)) {
			records = append(records, record{number, string(m.Key), m.Key == nil, m.Partition, m.Offset})
		}
	}
	return records
}

// message is a message for a consumer, or a line for a producer.
type message struct {
	record
	sent     time.Duration
	required bool // the program must print it, because it was ready when the message was sent
	times    int  // that it was printed
}

// printed is a message that a process has printed.
type printed struct {
	number  int
	process string
	at      time.Duration
	line    string // what its kind of line has in common
}

// report is a line in which a producer reports a delivery: of a message by its text, or of a number of messages.
type report struct {
	line   string
	number int // -1: not by its text
	count  int // of messages, if it is not about one
}

// start is the start of a process, with the committed offsets of its group at that time.
type start struct {
	process   string
	at        time.Duration
	committed map[int32]int64
}

// event is something that happened to a process or a broker, such as "process 1 was killed".
type event struct {
	at   time.Duration
	text string
}

// Kind is what is wrong with a message.
type Kind string

// The kinds of findings.
const (
	LostCommitted Kind = "committed but never processed" // the group never reads it again
	LostAtReset   Kind = "skipped at the start"          // there was no committed offset to continue at
	LostGap       Kind = "gap"                           // a later message of its partition was printed
	LostWaiting   Kind = "not read"                      // nothing behind it was printed, either
	LostExpired   Kind = "skipped after retention"       // the committed offset was not in the topic any more
	LostContent   Kind = "unusual content"
	Changed       Kind = "changed"
	RandomKey     Kind = "random key"
	TwiceInOne    Kind = "twice by one process"
	TwiceInTwo    Kind = "twice by two processes"
	Interrupted   Kind = "interrupted by the stop, and read again" // no mistake
	OutOfOrder    Kind = "out of order"
	NotInTopic    Kind = "not in the topic"
	NotDelivered  Kind = "reported, but not in the topic"
	TwiceInTopic  Kind = "twice in the topic"
	TwiceStored   Kind = "stored twice"
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

func (r record) finding(kind Kind, format string, args ...any) Finding {
	return Finding{kind, textOf(r.number), r.partition, r.offset, fmt.Sprintf(format, args...)}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// checkConsumer finds the messages that are lost, printed twice, or out of order for their key.
func (f *facts) checkConsumer() (found Findings) {
	prints := make(map[int][]printed)
	last := make(map[string][]printed) // of each process
	for _, p := range f.prints {
		prints[p.number] = append(prints[p.number], p)
		last[p.process] = append(last[p.process], p)
	}
	for process, all := range last {
		last[process] = all[max(0, len(all)-max(1, f.inFlight)):]
	}
	for _, m := range f.messages {
		p, there := prints[m.number], len(prints[m.number])
		if m.offset < 0 {
			continue
		}
		if f.stored != nil {
			there = f.stored[m.number]
		}
		if m.required || there > 0 {
			found.Sent++
			found.Arrived += min(1, there)
		}
		switch {
		case there == 0 && m.required:
			found.Lost = append(found.Lost, f.lost(m, prints))
		case there > 1 && f.stored != nil:
			found.Twice = append(found.Twice, m.finding(TwiceStored, "stored %d times", there))
		case there > 1:
			found.Twice = append(found.Twice, m.twice(p, last))
		}
	}
	if f.stored == nil { // what is stored need not have an order
		found.OutOfOrder = f.swapped()
	}
	return found
}

// kinds returns the kinds of lines, if a process prints nearly each message in more than one of them.
func (f *facts) kinds() (kinds []string) {
	of := make(map[string][]string) // the kinds of lines of a message, by process
	several := 0
	for _, p := range f.prints {
		name := fmt.Sprint(p.process, p.number)
		if !slices.Contains(of[name], p.line) {
			if of[name] = append(of[name], p.line); len(of[name]) == 2 {
				several++
			}
		}
		if !slices.Contains(kinds, p.line) {
			kinds = append(kinds, p.line)
		}
	}
	if several*10 < len(of)*8 || several == 0 {
		return nil
	}
	return kinds[:min(len(kinds), 3)]
}

// lost explains why a message was not printed.
func (f *facts) lost(m message, prints map[int][]printed) Finding {
	var before, after *printed // of the same partition: the neighbours that were printed
	for _, other := range f.messages {
		switch p := prints[other.number]; {
		case len(p) == 0 || other.partition != m.partition || other.number == m.number:
		case other.offset < m.offset:
			before = &p[0]
		case after == nil:
			after = &p[0]
		}
	}
	seen, since := "never printed; sent at "+seconds(m.sent), m.sent
	if p := prints[m.number]; len(p) > 0 {
		seen, since = fmt.Sprintf("printed by %s at %s, but not stored", p[0].process, seconds(p[0].at)), p[0].at
	} else if f.stored != nil {
		seen = "not stored, and " + seen
	}
	neighbour := func(word string, p *printed) {
		if p != nil {
			seen += fmt.Sprintf("; %s printed %s, %s it in this partition, at %s", p.process, textOf(p.number), word, seconds(p.at))
		}
	}
	if neighbour("before", before); before != nil {
		since = max(since, before.at)
	}
	// The first event since then explains the loss, but not the start of a process: what came before it does.
	if at := slices.IndexFunc(f.events, func(e event) bool { return e.at >= since && !strings.HasSuffix(e.text, wasStarted) }); at >= 0 {
		seen += fmt.Sprintf("; %s at %s", f.events[at].text, seconds(f.events[at].at))
	}
	neighbour("after", after)

	kind := LostWaiting
	committed, has := f.committed[m.partition]
	if f.kept > 0 && m.number >= f.kept {
		kind = LostExpired
		seen += "; the committed offset was deleted, and this message was not"
	} else if reset := f.resetAt(m, after); reset != nil {
		kind = LostAtReset
		seen += fmt.Sprintf("; when %s started at %s, the group had no committed offset for the partition", reset.process, seconds(reset.at))
	} else if committed > m.offset {
		kind = LostCommitted
		seen += fmt.Sprintf("; the committed offset is %d, so the group does not read it again", committed)
	} else if after != nil {
		kind = LostGap
	}
	if f.committed == nil {
		seen += "; the committed offsets are not known"
	} else if !has {
		seen += "; the group has no committed offset for the partition"
	}
	return m.finding(kind, "%s", seen)
}

// resetAt returns the start of a later process that found no committed offset for the partition, and
// began behind the message. After is the first message behind it that was printed. If there is none, the
// last process began behind all of them.
func (f *facts) resetAt(m message, after *printed) *start {
	for i := 1; i < len(f.starts); i++ {
		s := &f.starts[i]
		_, has := s.committed[m.partition]
		behind := m.sent <= s.at || after != nil && after.process == s.process || after == nil && i == len(f.starts)-1
		if !has && behind {
			return s
		}
	}
	return nil
}

// twice describes a message that was printed more than once. Last is what each process printed last.
func (m message) twice(prints []printed, last map[string][]printed) Finding {
	kind, first := TwiceInOne, prints[0]
	var times []string
	for _, p := range prints {
		times = append(times, fmt.Sprintf("by %s at %s", p.process, seconds(p.at)))
		if p.process != first.process {
			kind = TwiceInTwo
		}
	}
	if kind == TwiceInTwo && len(prints) == 2 && slices.Contains(last[first.process], first) {
		kind = Interrupted // a program prints, works, and then commits: a clean stop may come in between, once
	}
	const most = 4
	if len(times) > most {
		times = append(times[:most], fmt.Sprintf("%d times more", len(times)-most))
	}
	return m.finding(kind, "printed %s", strings.Join(times, " and "))
}

// orderSlack is how much later than it was printed a line may be seen. Lines of two processes come through
// two pipes, so their order is known only from this difference on.
const orderSlack = 500 * time.Millisecond

// swapped finds messages that were printed first after a later message of their key. A message that comes
// again, after its group went back to an earlier offset, is not out of order: it came twice.
func (f *facts) swapped() (found []Finding) {
	seen := make(map[int]bool)
	latest := make(map[string]printed) // by key: the latest message that was printed
	for _, p := range f.prints {
		if p.number >= len(f.messages) || seen[p.number] {
			continue
		}
		seen[p.number] = true
		m := f.messages[p.number]
		last, any := latest[m.key]
		if !any || f.messages[last.number].offset < m.offset {
			latest[m.key] = p
		} else if last.process == p.process || p.at-last.at > orderSlack {
			found = append(found, m.finding(OutOfOrder, "printed by %s at %s, after %s at offset %d, which %s printed at %s; both have the key %s",
				p.process, seconds(p.at), textOf(last.number), f.messages[last.number].offset, last.process, seconds(last.at), m.key))
		}
	}
	return found
}

// checkProducer finds the lines that are missing in the topic, there twice, or out of order.
func (f *facts) checkProducer() (found Findings) {
	slices.SortFunc(f.records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
	})
	places := make(map[int][]record)
	for _, r := range f.records {
		places[r.number] = append(places[r.number], r)
	}
	reported := make(map[int]string)
	var most report // the largest number: a program may count as it goes
	for _, report := range f.reports {
		reported[report.number] = report.line // -1: a number of messages
		if report.count > most.count {
			most = report
		}
	}
	if f.partial {
		found.Sent += most.count
		if found.Arrived += min(most.count, len(places)); len(places) < most.count {
			found.Lost = append(found.Lost, Finding{NotDelivered, "some messages", -1, -1,
				fmt.Sprintf("%d lines are in the topic, but the program printed %q", len(places), most.line)})
		}
	}
	for number := range f.messages {
		there := places[number]
		line, isReported := reported[number]
		required := !f.partial || isReported || len(f.reports) == 0 && len(there) > 0
		if required {
			found.Sent++
			found.Arrived += min(1, len(there))
		}
		missing := record{number: number, partition: -1, offset: -1}
		switch {
		case len(there) > 1:
			var where []string
			for _, r := range there {
				where = append(where, fmt.Sprintf("partition %d, offset %d", r.partition, r.offset))
			}
			found.Twice = append(found.Twice, there[0].finding(TwiceInTopic, "line %d is in the topic %d times: %s",
				number+1, len(there), strings.Join(where, "; ")))
		case len(there) == 0 && isReported:
			found.Lost = append(found.Lost, missing.finding(NotDelivered, "line %d is not in the topic, but the program printed %q", number+1, line))
		case len(there) == 0 && required:
			seen := fmt.Sprintf("line %d of %d is not in the topic", number+1, len(f.messages))
			for _, e := range f.events[max(0, len(f.events)-2):] { // the last ones explain it
				seen += fmt.Sprintf("; %s at %s", e.text, seconds(e.at))
			}
			found.Lost = append(found.Lost, missing.finding(NotInTopic, "%s", seen))
		}
	}
	found.OutOfOrder = f.disorder()
	return found
}

// disorder finds lines that are behind a later line of the same key. Lines without a key have an order
// within their partition.
func (f *facts) disorder() (found []Finding) {
	seen := make(map[int]bool)
	latest := make(map[string]record) // by key, or by partition
	for _, r := range f.records {
		if seen[r.number] {
			continue // a copy: it is reported as that
		}
		seen[r.number] = true
		name := "the key " + r.key
		sequence := name
		if r.keyless {
			name, sequence = "no key", fmt.Sprint("partition ", r.partition)
		}
		last, any := latest[sequence]
		switch {
		case any && last.partition != r.partition:
			found = append(found, r.finding(OutOfOrder, "%s is also in partition %d, so its messages have no order", name, last.partition))
		case any && last.number > r.number:
			found = append(found, r.finding(OutOfOrder, "it is behind %s at offset %d, which was sent after it; both have %s",
				textOf(last.number), last.offset, name))
		default:
			latest[sequence] = r
		}
	}
	return found
}
