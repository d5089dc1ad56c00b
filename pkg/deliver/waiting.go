package deliver

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
)

const (
	// reportAfter is how long a line waits for its acknowledgement before that is reported.
	reportAfter = time.Second
	// repeatAfter is how long the same report is not repeated.
	repeatAfter = 30 * time.Second
	// readLogAfter is how long a line waits before the client's log is read for the cause.
	readLogAfter = 200 * time.Millisecond
)

// patience is how long a producer waits if no line gets an answer: delivery.timeout.ms of other clients.
// Theirs is a limit for each message, also for one that waits behind many others.
var patience = cluster.Patience

// waiting knows the oldest line without an answer.
type waiting struct {
	sent atomic.Int64 // the number of the line that was sent last

	mu       sync.Mutex
	oldest   int64  // the number of the oldest line without an answer
	answered []bool // whether each line has an answer, from the oldest on
}

// answer records that the brokers have acknowledged or refused the line, or that it is not sent.
func (w *waiting) answer(number int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for int64(len(w.answered)) <= number-w.oldest {
		w.answered = append(w.answered, false)
	}
	w.answered[number-w.oldest] = true
	for len(w.answered) > 0 && w.answered[0] {
		w.answered = w.answered[1:]
		w.oldest++
	}
}

// line returns the number of the oldest line that waits, or 0.
func (w *waiting) line() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.oldest > w.sent.Load() {
		return 0
	}
	return w.oldest
}

// watchWaiting reports the oldest line if it waits long, until stop is called. It gives up after
// patience.
func (in *Input) watchWaiting() (stop func()) {
	ticker := time.NewTicker(readLogAfter / 2)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var oldest, answers int64
		since, answered := time.Now(), time.Now()
		reported := make(map[string]time.Time) // when, by the name of the cause
		for {
			var now time.Time
			select {
			case <-done:
				return
			case now = <-ticker.C:
			}
			line, n := in.waiting.line(), in.delivered.Load()+in.failed.Load()
			if line == 0 || n != answers {
				answers, answered = n, now
			}
			if line != oldest {
				oldest, since = line, now
				if in.Typed {
					clear(reported) // each line has a report of its own
				}
			}
			in.cause.read(line > 0 && now.Sub(since) >= readLogAfter)
			if line == 0 || now.Sub(since) < reportAfter {
				continue
			}
			if now.Sub(answered) >= patience {
				in.giveUp()
				return
			}
			if name, text := in.cause.last(); now.Sub(reported[name]) >= repeatAfter {
				in.reportWaiting(line, text)
				reported[name], reported[""] = now, now
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}

func (in *Input) reportWaiting(line int64, cause string) {
	text := fmt.Sprintf("line %s waits for its acknowledgement", cli.Count(line))
	if more := in.unanswered() - 1; more > 0 {
		text = fmt.Sprintf("line %s and %s more wait for their acknowledgement", cli.Count(line), cli.Count(more))
	}
	if cause != "" {
		text += ": " + cause
	}
	in.program.Say("%s", text)
}

// giveUp ends the program as a signal would, but with an error. Only the end of the client makes it
// forget the lines.
func (in *Input) giveUp() {
	in.gaveUp.Store(true)
	in.stop()
	in.client.Close()
}
