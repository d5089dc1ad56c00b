package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

const (
	// namedLines is how many lines that are not delivered are reported one by one.
	namedLines = 10
	// quietTime is how long lines wait for an answer before a line says so.
	quietTime = 3 * time.Second
)

// Answers counts the answers of the brokers to the lines of a producer.
type Answers struct {
	client *kgo.Client
	quiet  *time.Timer // ends when no answer has come for some time

	mu                sync.Mutex
	delivered, failed int
}

// NewAnswers begins to count. It prints a warning when no answer comes for three seconds.
func NewAnswers(client *kgo.Client) *Answers {
	a := &Answers{client: client}
	a.quiet = time.AfterFunc(time.Hour, a.reportWaiting)
	a.quiet.Reset(quietTime) // from now on, when reportWaiting sees a.quiet
	return a
}

// Add counts an answer. It prints the first ten lines that are not delivered.
func (a *Answers) Add(number int, message *kgo.Record, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.quiet.Reset(quietTime)
	switch {
	case err == nil:
		a.delivered++
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed): // the program ends without an answer
	case a.failed < namedLines:
		a.failed++
		cli.Warn(fmt.Errorf("line %d is not delivered: %w", number, Explain(err, "topic "+message.Topic)))
	default:
		if a.failed++; a.failed == namedLines+1 {
			cli.Say("more lines are not delivered; they are only counted, at the end")
		}
	}
}

// reportWaiting prints that messages wait for an answer, once until the next answer.
func (a *Answers) reportWaiting() {
	if waiting := a.client.BufferedProduceRecords(); waiting > 0 {
		cli.Say("%s without an answer for %v; the client tries again", messages(int(waiting)), quietTime)
		cli.Say("hint: a partition may have too few copies (min.insync.replicas), or no broker answers")
	} else {
		a.quiet.Reset(quietTime)
	}
}

// Result prints how many messages are delivered. It returns an error if some are not.
func (a *Answers) Result(sent int) error {
	a.quiet.Stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	if open := sent - a.delivered - a.failed; open+a.failed > 0 {
		return fmt.Errorf("%s delivered, %s not, %s sent but not acknowledged",
			messages(a.delivered), cli.Count(a.failed), cli.Count(open))
	}
	cli.Say("%s delivered", messages(a.delivered))
	return nil
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return cli.Count(n) + " messages"
}
