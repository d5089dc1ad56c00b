package trial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// oddMessages are messages that ordinary ones do not resemble. Each function changes an ordinary message. Before is
// the one that was printed last.
var oddMessages = []struct {
	name string
	make func(message, before *kgo.Record)
}{
	{"a message with the same value as the one before", func(m, before *kgo.Record) { m.Value = before.Value }},
	{"a message with an empty value", func(m, _ *kgo.Record) { m.Value = []byte{} }},
	{"a message with the value null", func(m, _ *kgo.Record) { m.Value = nil }},
	{"a message with bytes that are not UTF-8", func(m, _ *kgo.Record) { m.Value = append(m.Value, " \xff\xfe\x80"...) }},
	{"a message of 300,000 bytes", func(m, _ *kgo.Record) { m.Value = append(m.Value, bytes.Repeat([]byte(" long"), 60_000)...) }},
	{"a message without a key", func(m, _ *kgo.Record) { m.Key = nil }},
	{"a message with a key that is not UTF-8", func(m, _ *kgo.Record) { m.Key = []byte("\xff\xfe") }},
}

// readContents sends odd messages to one partition, one at a time, and an ordinary one behind each. For an odd
// message, the program must print its text, or as many lines as for an ordinary one.
func (r *run) readContents() {
	r.ready(r.start(), 0)
	before := r.sendOne(nil)
	r.settle()
	const ordinary = 3
	fewest, findings := math.MaxInt, Findings{}
	for i := range ordinary + len(oddMessages) {
		name, lines, prints := "an ordinary message", r.progress(0).lines, r.progress(0).times
		odd := func(*kgo.Record) {}
		if i >= ordinary {
			name = oddMessages[i-ordinary].name
			odd = func(m *kgo.Record) { oddMessages[i-ordinary].make(m, before) }
		}
		r.sending.Store(name)
		message := r.sendOne(odd)
		before = r.sendOne(nil)
		if i < ordinary {
			r.settle()
			fewest = min(fewest, r.progress(0).lines-lines)
			continue
		}
		findings.Sent++
		if r.until(r.limits.odd, func() bool { return r.progress(0).lines-lines >= fewest || r.progress(0).times-prints >= 2 }) {
			findings.Arrived++
		} else {
			findings.Lost = append(findings.Lost, Finding{LostContent, name, message.Partition, message.Offset, "no line was printed for it, and the next message was"})
		}
		r.settle()
	}
	r.stop(r.processes[0], syscall.SIGINT)
	r.result.Findings = findings
}

// sendOne sends a message to the first partition. An ordinary one, without a change, must be printed soon.
func (r *run) sendOne(change func(*kgo.Record)) *kgo.Record {
	number := r.add(message{})
	record := &kgo.Record{Topic: Topic, Key: []byte("key"), Value: []byte(textOf(number))}
	if change != nil {
		change(record)
	}
	r.must(r.kafka.client.ProduceSync(r.ctx, record).FirstErr())
	if change == nil && !r.until(r.limits.patience, func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.messages[number].times > 0 }) {
		r.must(&problem{fmt.Sprint("it printed nothing more after ", r.sending.Load()), "report a message that you cannot use, and read on"})
	}
	return record
}

// settle waits until the program prints nothing more.
func (r *run) settle() {
	lines, since := r.progress(0).lines, time.Now()
	r.until(2*time.Second, func() bool {
		if n := r.progress(0).lines; n != lines {
			lines, since = n, time.Now()
		}
		return time.Since(since) > 200*time.Millisecond
	})
}

// oddLines are lines that ordinary ones do not resemble. T stands for the text of the line, and = for the line before.
// The last one has no line end.
var oddLines = []struct{ name, line string }{
	{"a line like the one before", "="},
	{"a line with blanks at both ends", "  T  "},
	{"a line with a tab, quotes and a backslash", "\"T\"\t'\\"},
	{"an empty line", ""},
	{"a line of 100,000 bytes", "T" + strings.Repeat(" long", 20_000)},
	{"a line with bytes that are not UTF-8", "T \xff\xfe\x80"},
	{"a last line without a line end", "T"},
}

// writeContents gives odd lines to a producer, one at a time, after some ordinary ones.
func (r *run) writeContents() {
	const ordinary = 5
	r.sending.Store("an ordinary line")
	w := r.start()
	var lines []string
	for i := range ordinary + len(oddLines) {
		line, end := textOf(r.add(message{})), "\n"
		if i >= ordinary {
			odd := oddLines[i-ordinary]
			if line = strings.ReplaceAll(odd.line, "T", line); line == "=" {
				line = lines[i-1]
			}
			r.sending.Store(odd.name)
		}
		if i == ordinary+len(oddLines)-1 {
			end = ""
		}
		lines = append(lines, line)
		w.Type(line + end)
		limit := r.limits.odd / 2 // it may wait for more lines
		if i == 0 {
			limit = r.limits.patience
		}
		r.until(limit, func() bool { return !w.running() || end == "" || r.kafka.count() > i })
		if !w.running() {
			r.setWhy(fmt.Sprintf("it ended at %v, with status %d%s", r.sending.Load(), w.Status(), r.lastLines(w)), "report a line that cannot be sent, and continue with the next one")
			break
		}
	}
	w.CloseInput()
	r.awaitEnd(w, time.Now(), new(growth))
	messages, err := r.kafka.read(r.ctx)
	r.must(err)
	r.result.Findings = r.checkContents(lines, ordinary, messages)
}

// checkContents compares lines with messages. If a program adds something to each line, only what is left of it counts.
func (r *run) checkContents(lines []string, ordinary int, messages []*kgo.Record) (found Findings) {
	of := make(map[int]*kgo.Record) // by the number in the text
	exact, plain := make(map[string]int), true
	for _, m := range messages {
		exact[string(m.Value)]++
		for _, number := range numbersIn(string(m.Value)) {
			if of[number] == nil {
				of[number] = m
			}
		}
	}
	keys := make(map[string]bool)
	for i, line := range lines[:min(ordinary-1, len(lines))] { // the last one comes again
		if m := of[i]; m != nil {
			plain = plain && string(m.Value) == line
			keys[string(m.Key)] = true
			if key, known := r.keys[i]; known && m.Key != nil && key != string(m.Key) && len(found.OutOfOrder) == 0 {
				found.OutOfOrder = append(found.OutOfOrder, Finding{RandomKey, line, m.Partition, m.Offset,
					fmt.Sprintf("its key is %q, and in the trial %s it was %q", m.Key, r.Trials[0].Name, key)})
			}
		}
	}
	if len(keys) == 1 {
		found.OutOfOrder = nil // one key for each run
	}
	for i, line := range lines[min(ordinary, len(lines)):] {
		name, m := oddLines[i].name, of[ordinary+i]
		found.Sent++
		there := exact[line] > 0
		switch {
		case i == 0:
			there = exact[line] > 1 || !plain && len(messages) >= len(lines)
		case !plain && line == "":
			there = len(messages) >= len(lines)
		case !plain && m != nil:
			there = json.Valid(m.Value) || bytes.Contains(m.Value, []byte(line))
		}
		switch {
		case there:
			found.Arrived++
		case m == nil:
			found.Lost = append(found.Lost, Finding{LostContent, name, -1, -1, "it is not in the topic"})
		default:
			found.Arrived++
			found.Lost = append(found.Lost, Finding{Changed, name, m.Partition, m.Offset, fmt.Sprintf("the line is %.40q, and the message is %.40q", line, m.Value)})
		}
	}
	return found
}
