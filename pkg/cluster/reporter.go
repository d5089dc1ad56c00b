package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// Reporter is for kgo.WithHooks. It prints a line when a broker becomes unreachable, one when it is reachable
// again, and one when a member waits for its group. The client itself tries again and prints nothing.
func Reporter() kgo.Hook { return &reporter{away: make(map[string]bool)} }

type reporter struct {
	client *kgo.Client

	mu       sync.Mutex
	answered bool            // a broker has answered; before that, Check reports
	early    []string        // lines for the time after that
	away     map[string]bool // by address
	joining  *time.Timer
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
	if address := addressOf(broker); !r.away[address] {
		r.away[address] = true
		cause, _ := diagnose(err, address)
		r.say(fmt.Sprintf("%s is unreachable: %s", nameOf(broker), cause))
		go r.probe(broker)
	}
}

// say prints the line, and those before it, when a broker has answered.
func (r *reporter) say(lines ...string) {
	r.early = append(r.early, lines...)
	for r.answered && len(r.early) > 0 {
		cli.Say("%s", r.early[0])
		r.early = r.early[1:]
	}
}

// probe asks the broker until it answers. The client itself asks only a broker that leads a partition.
func (r *reporter) probe(broker kgo.BrokerMetadata) {
	for range time.Tick(2 * time.Second) {
		request := kmsg.NewPtrMetadataRequest()
		request.Topics = []kmsg.MetadataRequestTopic{}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, err := r.client.Broker(int(broker.NodeID)).Request(ctx, request)
		cancel()
		r.mu.Lock()
		away := r.away[addressOf(broker)]
		r.mu.Unlock()
		if !away || errors.Is(err, kgo.ErrClientClosed) {
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
	if r.joining != nil {
		r.joining.Stop()
	}
	// A new group waits for three seconds (group.initial.rebalance.delay.ms).
	r.joining = time.AfterFunc(4*time.Second, func() {
		cli.Say("waiting for the other members of the group; if one was killed, this takes up to 45 s (session.timeout.ms)")
	})
}

// OnBrokerE2E is called after each request.
func (r *reporter) OnBrokerE2E(broker kgo.BrokerMetadata, key int16, request kgo.BrokerE2E) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key == kmsg.JoinGroup.Int16() && r.joining != nil {
		r.joining.Stop()
	}
	if request.Err() != nil || key == kmsg.ApiVersions.Int16() { // the port of a controller answers ApiVersions
		return
	}
	r.answered = true
	r.say()
	if r.away[addressOf(broker)] {
		delete(r.away, addressOf(broker))
		name, _, _ := strings.Cut(nameOf(broker), " (")
		r.say(name + " is reachable again")
	}
}

func addressOf(broker kgo.BrokerMetadata) string {
	return net.JoinHostPort(broker.Host, fmt.Sprint(broker.Port))
}

func nameOf(broker kgo.BrokerMetadata) string {
	if broker.NodeID < 0 { // only its address is known
		return addressOf(broker)
	}
	return fmt.Sprintf("broker %d (%s)", broker.NodeID, addressOf(broker))
}
