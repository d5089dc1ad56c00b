package trial

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const window = 100 // how many messages may wait for the program, so that a slow one is not flooded

// textOf is the text of a message. A program has processed a message when it prints a line with its text.
func textOf(number int) string { return fmt.Sprintf("judge-%06d", number) }

var textPattern = regexp.MustCompile(`judge-(\d+)`)

// numbersIn returns the messages in a line that a program has printed. What is before and behind a text does not
// matter, such as a colour, except a digit.
func numbersIn(line string) (numbers []int) {
	for _, found := range textPattern.FindAllStringSubmatch(line, -1) {
		if number, err := strconv.Atoi(found[1]); err == nil && len(found[1]) == len("000000") {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

var changing = regexp.MustCompile(`\d[\d.,:]*|\x1b\[[\d;]*m`)

// kindOf is what the lines of a kind have in common, such as "received judge-#" and "stored judge-#".
func kindOf(line string) string { return strings.TrimSpace(changing.ReplaceAllString(line, "#")) }

const (
	count  = `(\d[\d,]{0,9})(?: ?(?:/|of|out of) ?\d[\d,]*)?` // "184 of 185" is 184
	things = `(?:messages?|lines?|records?)`
	done   = `(?:delivered|acknowledged|confirmed)`
)

var (
	delivered = regexp.MustCompile(`(?i)\b` + count + ` ` + things + ` (?:were |are |successfully )*` + done + `\b|\b` + done + `:? ` + count + ` ` + things + `\b|\b` + done + ` ?[:=] ?` + count + `(?:[,;)]|$)`)
	onlySent  = regexp.MustCompile(`(?i)\b` + count + ` ` + things + ` (?:were |are |successfully )*sent\b|\bsent:? ` + count + ` ` + things + `\b`)

	// A line with one of these words is no report: it denies a delivery, or is about what comes before it.
	denied = regexp.MustCompile(`(?i)(?:\b|_)(?:not|never|fail\w*|err\w*|exception|timed out|timeout|cannot|can't|couldn't|refused|rejected|expired|unable|lost|dropped|` +
		`abort\w*|retrying|sending|producing|queue\w*|queuing|enqueued?|buffer\w*|pending|waiting|read|reading)(?:\b|_)`)
	allWell = regexp.MustCompile(`(?i)\b(?:no|without|0) (?:err\w*|fail\w*)|\b(?:err\w*|fail\w*|exception)["']?\s*[:=]\s*(?:null|none|nil|<nil>|false|0|""|'')`)
)

func denies(line string) bool { return denied.MatchString(allWell.ReplaceAllString(line, "")) }

// reportsIn returns what a line reports about deliveries: of messages by their text, or of a number of messages.
func reportsIn(line string) (reports []report) {
	if numbers := numbersIn(line); numbers != nil {
		for _, number := range numbers {
			reports = append(reports, report{line: line, number: number})
		}
		if denies(line) {
			return nil
		}
		return reports
	}
	found := delivered.FindStringSubmatch(line)
	if found == nil && !denies(line) {
		found = onlySent.FindStringSubmatch(line)
	}
	if found == nil {
		return nil
	}
	total, _ := strconv.Atoi(strings.ReplaceAll(strings.Join(found[1:], ""), ",", "")) // so many digits always fit in it
	return []report{{line: line, number: -1, count: total}}
}

// history is what happens in a trial. Several goroutines add messages, prints and reports.
type history struct {
	facts
	began  time.Time
	mu     sync.Mutex
	random *rand.Rand

	lines   int          // that the programs have printed
	denied  bool         // a line says that something was not delivered
	sending atomic.Value // a string: the content that a program gets at the moment
}

func (h *history) since() time.Duration { return time.Since(h.began) }

// between returns a random number from a to b.
func (h *history) between(a, b int) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return a + h.random.IntN(b-a+1)
}

// add adds a message, and returns its number.
func (h *history) add(m message) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.number, m.sent, m.offset = len(h.messages), h.since(), -1
	h.messages = append(h.messages, m)
	return m.number
}

// print adds the messages in a line that a consumer has printed.
func (h *history) print(process, line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines++
	for _, number := range numbersIn(line) {
		if number < len(h.messages) {
			h.prints = append(h.prints, printed{number, process, h.since(), kindOf(line)})
			h.messages[number].times++
		}
	}
}

// report adds what a line of a producer reports.
func (h *history) report(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports = append(h.reports, reportsIn(line)...)
	h.denied = h.denied || denies(line)
}

// progress is how far the programs have come.
type progress struct {
	sent, printed int           // messages
	unread        int           // those that must be printed, and are not
	times, lines  int           // how often a message was printed; all lines
	last          time.Duration // when the last one was printed
}

// progress counts the messages from this number on.
func (h *history) progress(from int) (p progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.sent, p.lines = len(h.messages), h.lines
	for _, m := range h.messages[from:] {
		p.printed += min(1, m.times)
		if m.required && m.times == 0 {
			p.unread++
		}
	}
	if p.times = len(h.prints); p.times > 0 {
		p.last = h.prints[p.times-1].at
	}
	return p
}

// send sends a message to a partition. Required messages must be printed.
func (r *run) send(partition int, required bool) {
	key := fmt.Sprintf("key-%d-%d", partition, r.between(0, 2))
	number := r.add(message{record: record{key: key, partition: int32(partition)}, required: required})
	record := &kgo.Record{Topic: Topic, Partition: int32(partition), Key: []byte(key), Value: []byte(textOf(number))}
	r.kafka.client.Produce(r.ctx, record, func(record *kgo.Record, err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.messages[number].offset = record.Offset
		}
	})
}

// slow is from when on a message takes long. Then a trial has as many as the program can process in its time.
const slow = 50 * time.Millisecond

func (r *run) setCost(cost time.Duration) {
	if r.cost = cost; cost < slow {
		r.cost = 0
	}
}

func (r *run) slowness() string {
	return fmt.Sprintf("a message takes about %.2f s, so the trials have only as many messages as the program can process", r.cost.Seconds())
}

// used returns the partitions that get messages: all, or for a slow program some of each third.
func (r *run) used() (used []int) {
	for partition := 0; partition < partitions; partition++ {
		if r.cost == 0 || partition%4 == 0 {
			used = append(used, partition)
		}
	}
	return used
}

// atMost returns n, or how many messages a slow program can process in this time.
func (r *run) atMost(n int, limit time.Duration) int {
	if r.cost > 0 {
		n = min(n, max(2, int(limit/r.cost)))
	}
	return n
}

// patience is how long a trial waits for the next message.
func (r *run) patience() time.Duration { return max(r.limits.patience, 5*r.cost) }

// sendEach sends messages to all partitions in turn, and waits until the cluster has them. It returns the
// number of the first one.
func (r *run) sendEach(times int, required bool) (first int) {
	first = r.progress(0).sent
	for range times {
		for _, partition := range r.used() {
			r.send(partition, required)
		}
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Minute) // the brokers may have been away
	defer cancel()
	r.must(r.kafka.client.Flush(ctx))
	return first
}

// load sends messages until r.unload is called. Few of them wait for the program at any time, so that it is
// busy and is not flooded.
func (r *run) load() {
	ctx, stop := context.WithCancel(r.ctx)
	var loading sync.WaitGroup
	loading.Go(func() {
		used, ahead := r.used(), r.atMost(window, 2*time.Second)
		from := r.progress(0).sent // what a process before did not read is for the checker
		for tick := time.NewTicker(r.limits.pace); ctx.Err() == nil; <-tick.C {
			if r.progress(from).unread < ahead {
				r.send(used[r.between(0, len(used)-1)], true)
			}
		}
	})
	r.unload = func() {
		stop()
		loading.Wait()
	}
}
