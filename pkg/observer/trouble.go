package observer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
)

const (
	// troubleTime is how long answers must be missing until that is trouble. A broker that is no longer
	// the leader, or the coordinator, refuses requests for a moment.
	troubleTime = time.Second
	momentTime  = 3 * time.Second
)

// applyTrouble reports that answers are missing, and that they have come again. The caller holds the lock.
func (o *Observer) applyTrouble(p *problems, now time.Time) {
	if len(p.all) == 0 {
		if o.trouble != nil {
			text := fmt.Sprintf("everything answers again, after %.1f s", now.Sub(o.trouble.Since).Seconds())
			o.record(Event{Time: now, Kind: Back, Seconds: now.Sub(o.trouble.Since).Seconds(), Text: text})
			o.changed()
		}
		o.troubleSince, o.trouble = time.Time{}, nil
		clear(o.hints)
		return
	}
	if o.troubleSince.IsZero() {
		o.troubleSince = now
	}
	worst := slices.MinFunc(p.all, func(a, b problem) int { return rank(a) - rank(b) })
	wait := troubleTime
	if kerr.IsRetriable(worst.err) && !unknownTopic(worst.err) {
		wait = momentTime
	}
	if now.Sub(o.troubleSince) < wait {
		return
	}
	err := cluster.Explain(worst.err, worst.what)
	text := err.Error()
	if !strings.Contains(text, worst.what) {
		text = worst.what + ": " + text
	}
	hint := cli.HintOf(err)
	// The first error may be that of a connection, and a later one has the reason for it.
	if o.trouble == nil || hint != "" && !o.hints[hint] {
		o.record(Event{Time: now, Kind: Lost, Text: text})
	} else if o.trouble.Error == text {
		return
	}
	o.hints[hint] = true
	o.trouble = &Trouble{Since: o.troubleSince, Error: text, Hint: hint}
	o.changed()
}

// rank orders problems: an answer explains more than a silence, and the topic matters most.
func rank(p problem) int {
	var kafka *kerr.Error
	switch {
	case strings.HasPrefix(p.what, "topic ") && errors.As(p.err, &kafka):
		return 0
	case errors.As(p.err, &kafka):
		return 1
	case p.what == "the cluster":
		return 2
	case errors.Is(p.err, context.DeadlineExceeded):
		return 4
	}
	return 3
}
