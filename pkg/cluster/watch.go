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

// watch tells when a broker is lost and when it is back: once per change, however many connections
// and attempts that takes. The client itself carries on through a loss without a word.
type watch struct {
	program *cli.Program
	cause   func(address string, err error) string

	mu   sync.Mutex
	away map[int32]bool
}

var _ kgo.HookBrokerConnect = (*watch)(nil)

func newWatch(program *cli.Program, cause func(address string, err error) string) *watch {
	return &watch{program: program, cause: cause, away: make(map[int32]bool)}
}

// OnBrokerConnect is called after each attempt to connect, with its error.
func (w *watch) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	switch {
	case broker.NodeID < 0: // an address to start from, whose broker is not known yet
	case err == nil:
		w.back(broker.NodeID)
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed), errors.Is(err, net.ErrClosed):
		// We hung up ourselves.
	default:
		address := net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
		w.lost(broker.NodeID, address, w.cause(address, err))
	}
}

func (w *watch) lost(id int32, address, cause string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.away[id] {
		w.away[id] = true
		w.program.Say("lost broker %d (%s): %s", id, address, cause)
	}
}

func (w *watch) back(id int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away[id] {
		delete(w.away, id)
		w.program.Say("back with broker %d", id)
	}
}
