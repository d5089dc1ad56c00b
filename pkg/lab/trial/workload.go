package trial

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	window = 100                  // how many messages may wait for the program, so that a slow one is not flooded
	pace   = 4 * time.Millisecond // the time between two messages
)

// textOf is the text of a message. A program has processed a message when it prints a line with its text.
func textOf(number int) string { return fmt.Sprintf("judge-%06d", number) }

var textPattern = regexp.MustCompile(`\bjudge-(\d{6})\b`)

// numbersIn returns the messages in a line that a program has printed.
func numbersIn(line string) (numbers []int) {
	for _, found := range textPattern.FindAllStringSubmatch(line, -1) {
		number, _ := strconv.Atoi(found[1]) // so many digits always fit in it
		numbers = append(numbers, number)
	}
	return numbers
}

var countPattern = regexp.MustCompile(`(?i)\b([1-9][\d,]{0,9}) (?:messages?|lines?|records?) (?:were )?(?:delivered|sent)`)

// reportsIn returns what a line reports about deliveries: of messages by their text, or of a number of messages.
func reportsIn(line string) (reports []report) {
	for _, number := range numbersIn(line) {
		reports = append(reports, report{line: line, number: number})
	}
	if found := countPattern.FindStringSubmatch(line); reports == nil && found != nil {
		count, _ := strconv.Atoi(strings.ReplaceAll(found[1], ",", "")) // so many digits always fit in it
		reports = []report{{line: line, number: -1, count: count}}
	}
	return reports
}

// history is what happens in a trial. Several goroutines add messages, prints and reports.
type history struct {
	facts
	began  time.Time
	mu     sync.Mutex
	random *rand.Rand
	lines  int // that the programs have printed
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
			h.prints = append(h.prints, printed{number, process, h.since()})
			h.messages[number].times++
		}
	}
}

// report adds what a line of a producer reports.
func (h *history) report(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reports = append(h.reports, reportsIn(line)...)
}

// progress is how far the programs have come.
type progress struct {
	sent, printed int           // messages
	unread        int           // those that must be printed, and are not
	last          time.Duration // when the last one was printed
}

// progress counts the messages from this number on.
func (h *history) progress(from int) (p progress) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p.sent = len(h.messages)
	for _, m := range h.messages[from:] {
		p.printed += min(1, m.times)
		if m.required && m.times == 0 {
			p.unread++
		}
	}
	if n := len(h.prints); n > 0 {
		p.last = h.prints[n-1].at
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

// sendEach sends messages to all partitions in turn, and waits until the cluster has them. It returns the
// number of the first one.
func (r *run) sendEach(times int, required bool) (first int) {
	first = r.progress(0).sent
	for range times {
		for partition := range partitions {
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
		from := r.progress(0).sent // what a process before did not read is for the checker
		for tick := time.NewTicker(pace); ctx.Err() == nil; <-tick.C {
			if r.progress(from).unread < window {
				r.send(r.between(0, partitions-1), true)
			}
		}
	})
	r.unload = func() {
		stop()
		loading.Wait()
	}
}
