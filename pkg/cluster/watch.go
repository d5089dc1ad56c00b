package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// Patience is how long a program waits if no broker answers. Other clients wait as long for the
// acknowledgement of a message (delivery.timeout.ms), but a consumer waits for ever.
const Patience = 2 * time.Minute

// watch reports each broker that becomes unreachable, and that is reachable again: once per change,
// not once per connection. The client itself continues and prints nothing.
type watch struct {
	program  *cli.Program
	cause    func(address string, err error) string
	answers  func(address string) bool
	interval time.Duration // between two attempts to reach a broker
	patience time.Duration

	mu       sync.Mutex
	ids      map[string]int32 // the number of the broker at an address, if known
	away     map[string]bool
	answered time.Time   // when a broker has answered, or the first one became unreachable
	silent   func(error) // called once, after patience without an answer; nil for never
}

var (
	_ kgo.HookBrokerConnect = (*watch)(nil)
	_ kgo.HookBrokerE2E     = (*watch)(nil)
)

func newWatch(c *Cluster) *watch {
	return &watch{
		program:  c.program,
		cause:    func(address string, err error) string { return c.diagnose(address, err).cause },
		answers:  c.answers,
		interval: 2 * time.Second, patience: Patience,
		ids:  make(map[string]int32),
		away: make(map[string]bool),
	}
}

// OnBrokerConnect is called after each attempt to connect, with its error.
func (w *watch) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	address := brokerAddress(broker)
	if broker.NodeID >= 0 { // a bootstrap address has no number
		w.know(address, broker.NodeID)
	}
	switch {
	case err == nil: // a broker is reachable when it answers requests
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed), errors.Is(err, net.ErrClosed):
		// The client closed the connection itself.
	default:
		w.unreachable(address, w.cause(address, err))
	}
}

// OnBrokerE2E is called after each request. The port of a KRaft controller accepts connections and the
// request for versions, but not those of clients.
func (w *watch) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, request kgo.BrokerE2E) {
	if request.Err() == nil && key != kmsg.ApiVersions.Int16() {
		w.reachable(brokerAddress(broker))
	}
}

func brokerAddress(broker kgo.BrokerMetadata) string {
	return net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
}

func (w *watch) know(address string, id int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ids[address] = id
}

func (w *watch) unreachable(address, cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away[address] {
		return
	}
	if len(w.away) == 0 {
		w.answered = time.Now()
	}
	w.away[address] = true
	if id, ok := w.ids[address]; ok {
		w.program.Say("broker %d (%s) is unreachable: %s", id, address, cause)
	} else {
		w.program.Say("%s is unreachable: %s", address, cause)
	}
	go w.probe(address)
}

// probe tries to reach the broker until it answers. The client itself connects to it only when it
// leads a partition again, and the cluster takes up to five minutes to give a broker its partitions
// back (leader.imbalance.check.interval.seconds).
func (w *watch) probe(address string) {
	for range time.Tick(w.interval) {
		if !w.isAway(address) {
			return
		}
		if w.answers(address) {
			w.reachable(address)
			return
		}
		w.checkSilence()
	}
}

func (w *watch) isAway(address string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.away[address]
}

// checkSilence gives up if no broker has answered for too long.
func (w *watch) checkSilence() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.silent == nil || time.Since(w.answered) < w.patience {
		return
	}
	addresses := slices.Sorted(maps.Keys(w.away))
	w.silent(cli.WithHint(fmt.Errorf("no broker has answered for %v: %s", w.patience, strings.Join(addresses, ",")),
		"start this program again when the brokers run"))
	w.silent = nil
}

func (w *watch) reachable(address string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered = time.Now()
	if !w.away[address] {
		return
	}
	delete(w.away, address)
	if id, ok := w.ids[address]; ok {
		w.program.Say("broker %d is reachable again", id)
	} else {
		w.program.Say("%s is reachable again", address)
	}
}
