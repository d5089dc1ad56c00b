package cluster

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

const lookOutInterval = 2 * time.Second

// watch tells when a broker is lost and when it is back: once per change, however many connections
// and attempts that takes. The client itself carries on through a loss without a word.
type watch struct {
	program *cli.Program
	cause   func(address string, err error) string
	answers func(address string) bool

	mu   sync.Mutex
	ids  map[string]int32 // the number of the broker at an address, as far as known
	away map[string]bool
}

var _ kgo.HookBrokerConnect = (*watch)(nil)

func newWatch(c *Cluster) *watch {
	return &watch{
		program: c.program,
		cause:   func(address string, err error) string { return c.diagnose(address, err).cause },
		answers: c.answers,
		ids:     make(map[string]int32),
		away:    make(map[string]bool),
	}
}

// OnBrokerConnect is called after each attempt to connect, with its error.
func (w *watch) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	address := net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
	if broker.NodeID >= 0 { // the client has no number for an address to start from
		w.know(address, broker.NodeID)
	}
	switch {
	case err == nil:
		w.back(address)
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed), errors.Is(err, net.ErrClosed):
		// We hung up ourselves.
	default:
		w.lost(address, w.cause(address, err))
	}
}

func (w *watch) know(address string, id int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids[address] = id
}

func (w *watch) lost(address, cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away[address] {
		return
	}
	w.away[address] = true
	if id, ok := w.ids[address]; ok {
		w.program.Say("lost broker %d (%s): %s", id, address, cause)
	} else {
		w.program.Say("lost %s: %s", address, cause)
	}
	go w.lookOut(address)
}

// lookOut asks after a lost broker until it answers. The client itself would connect to it only when
// it leads a partition again, and brokers take up to five minutes to give one back its own
// (leader.imbalance.check.interval.seconds).
func (w *watch) lookOut(address string) {
	for range time.Tick(lookOutInterval) {
		if !w.isAway(address) {
			return
		}
		if w.answers(address) {
			w.back(address)
			return
		}
	}
}

func (w *watch) isAway(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.away[address]
}

func (w *watch) back(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.away[address] {
		return
	}
	delete(w.away, address)
	if id, ok := w.ids[address]; ok {
		w.program.Say("back with broker %d", id)
	} else {
		w.program.Say("back with %s", address)
	}
}
