package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// Reporter is for kgo.WithHooks. It prints a line when a broker becomes unreachable, and one when it is reachable
// again; one when a member waits for its group, and one when it has joined a share group. The client itself tries
// again and prints nothing.
func Reporter() kgo.Hook {
	return &reporter{away: make(map[int32]bool), fetched: make(map[int32]bool)}
}

type reporter struct {
	client *kgo.Client

	mu      sync.Mutex
	away    map[int32]bool // the brokers that are unreachable, by ID
	waiting *time.Timer    // for the other members of the group
	fetched map[int32]bool // the brokers that have answered the member of a share group, by ID; nil when it has joined
}

// OnNewClient is called when the client exists.
func (r *reporter) OnNewClient(client *kgo.Client) { r.client = client }

// OnBrokerConnect is called after each attempt to connect.
func (r *reporter) OnBrokerConnect(broker kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed) || errors.Is(err, kgo.ErrClientClosed) {
		return // a broker is reachable again when it answers
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if broker.NodeID < 0 || r.away[broker.NodeID] { // an address to start from has no ID: Check reports it
		return
	}
	r.away[broker.NodeID] = true
	address := net.JoinHostPort(broker.Host, fmt.Sprint(broker.Port))
	cause, _ := diagnose(err, address)
	cli.Say("broker %d (%s) is unreachable: %s", broker.NodeID, address, cause)
	go r.probe(broker.NodeID)
}

// probe asks the broker until it answers. The client itself asks only a broker that leads a partition.
func (r *reporter) probe(id int32) {
	for range time.Tick(2 * time.Second) {
		_, err := kmsg.NewPtrListGroupsRequest().RequestWith(context.Background(), r.client.Broker(int(id)))
		if err == nil || errors.Is(err, kgo.ErrClientClosed) {
			return
		}
	}
}

// OnBrokerWrite is called when a request is sent.
func (r *reporter) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if err != nil || key != kmsg.JoinGroup.Int16() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	// A new group waits for three seconds (group.initial.rebalance.delay.ms), and no line is needed.
	r.waiting = time.AfterFunc(4*time.Second, func() {
		cli.Say("waiting for the other members of the group; if one was killed, this takes up to 45 s (session.timeout.ms)")
	})
}

// OnBrokerE2E is called after each request.
func (r *reporter) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, request kgo.BrokerE2E) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key == kmsg.JoinGroup.Int16() && r.waiting != nil {
		r.waiting.Stop()
	}
	if request.Err() != nil || key == kmsg.ApiVersions.Int16() {
		return
	}
	if r.away[broker.NodeID] {
		delete(r.away, broker.NodeID)
		cli.Say("broker %d is reachable again", broker.NodeID)
	}
	// The brokers of a new share group find the end of a partition with the first request for messages. The client
	// asks them in turn: all have answered when one does it again.
	if key == kmsg.ShareFetch.Int16() && r.fetched != nil {
		if !r.fetched[broker.NodeID] {
			r.fetched[broker.NodeID] = true
			return
		}
		r.fetched = nil
		cli.Say("joined share group %s", r.client.OptValue(kgo.ShareGroup))
	}
}
