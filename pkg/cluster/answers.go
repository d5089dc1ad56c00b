package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// quietTime is how long messages wait for an answer before a line says so.
const quietTime = 3 * time.Second

// Answers counts the answers of the brokers to the lines of a producer.
type Answers struct {
	quiet             *time.Timer // ends when no answer has come for some time
	delivered, failed atomic.Int64
}

// NewAnswers begins to count. It prints a warning when no answer comes for three seconds.
func NewAnswers(client *kgo.Client) *Answers {
	a := new(Answers)
	a.quiet = time.AfterFunc(time.Hour, func() {
		if waiting := client.BufferedProduceRecords(); waiting > 0 {
			cli.Say("%s without an answer for %v; the client tries again", messages(waiting), quietTime)
			cli.Say("hint: a partition may have too few copies (min.insync.replicas), or no broker answers")
		} else {
			a.quiet.Reset(quietTime)
		}
	})
	a.quiet.Reset(quietTime) // from now on, when the function sees a.quiet
	return a
}

// Add counts an answer. It prints the first ten lines that are not delivered.
func (a *Answers) Add(number int, message *kgo.Record, err error) {
	a.quiet.Reset(quietTime)
	if err == nil {
		a.delivered.Add(1)
		return
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed) {
		return // the program ends without an answer
	}
	switch failed := a.failed.Add(1); {
	case failed <= 10:
		cli.Warn(fmt.Errorf("line %d is not delivered: %w", number, Explain(err, "topic "+message.Topic)))
	case failed == 11:
		cli.Say("more lines are not delivered; they are only counted, at the end")
	}
}

// Result prints how many messages are delivered. It returns an error if some are not.
func (a *Answers) Result(sent int) error {
	a.quiet.Stop()
	delivered, failed := a.delivered.Load(), a.failed.Load()
	if delivered < int64(sent) {
		return fmt.Errorf("%s delivered, %s not, %s sent but not acknowledged",
			messages(delivered), cli.Count(failed), cli.Count(int64(sent)-delivered-failed))
	}
	cli.Say("%s delivered", messages(delivered))
	return nil
}

func messages(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return cli.Count(n) + " messages"
}
