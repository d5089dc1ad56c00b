package observer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
)

// patience is how long answers must be missing until that is trouble. A broker that is no longer the leader,
// or the coordinator, refuses requests for a moment.
const patience = 2 * time.Second

// problem is an error about something: a broker, the topic or a group.
type problem struct {
	what string
	err  error
}

// problems collects what went wrong in a round.
type problems struct {
	mu  sync.Mutex
	all []problem
}

// add adds an error, or each error that it consists of: kadm returns one for each broker that did not answer.
func (p *problems) add(what string, err error) {
	var shards *kadm.ShardErrors
	if errors.As(err, &shards) {
		for _, shard := range shards.Errs {
			p.add(brokerName(shard.Broker), shard.Err)
		}
	} else if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.all = append(p.all, problem{what, err})
	}
}

func brokerName(broker kgo.BrokerMetadata) string {
	if broker.NodeID < 0 {
		return "the cluster"
	}
	return fmt.Sprintf("broker %d (%s)", broker.NodeID, net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port))))
}

// rank orders problems: an answer explains more than a silence, and the topic matters most.
func (p problem) rank() int {
	var kafka *kerr.Error
	switch {
	case errors.As(p.err, &kafka) && strings.HasPrefix(p.what, "topic "):
		return 0
	case errors.As(p.err, &kafka):
		return 1
	case errors.Is(p.err, context.DeadlineExceeded):
		return 3
	}
	return 2
}

// disturbance is the time in which answers are missing.
type disturbance struct {
	since time.Time       // zero: all answers come
	said  map[string]bool // the errors that it has had
	shown *Trouble
}

// update compares the problems of a round with those before. It returns what to show.
func (d *disturbance) update(all []problem, now time.Time) (shown *Trouble, events []Event) {
	switch {
	case len(all) == 0:
		if d.shown != nil {
			text := fmt.Sprintf("everything answers again, after %.1f s", now.Sub(d.since).Seconds())
			events = append(events, Event{Kind: Back, Text: text})
		}
		*d = disturbance{}
		return nil, events
	case d.since.IsZero():
		*d = disturbance{since: now, said: make(map[string]bool)}
	}
	if now.Sub(d.since) < patience {
		return nil, nil
	}
	worst := slices.MinFunc(all, func(a, b problem) int { return a.rank() - b.rank() })
	err := cluster.Explain(worst.err, worst.what)
	text := err.Error()
	if !strings.Contains(text, worst.what) {
		text = worst.what + ": " + text
	}
	if !d.said[text] { // the first error may be that of a connection, and a later one has the reason for it
		d.said[text] = true
		d.shown = &Trouble{Error: text, Hint: cli.HintOf(err)}
		events = append(events, Event{Kind: Lost, Text: text})
	}
	return d.shown, events
}
