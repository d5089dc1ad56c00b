package observer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// askTime limits each request. A broker that was switched off does not refuse a connection: it is silent.
const askTime = 2 * time.Second

// askOptions are the options of the client that asks, beside those of the program.
func askOptions() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequestRetries(2), // the next round asks again
		kgo.RetryTimeout(time.Second),
		kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }),
	}
}

// problem is an error about something: the cluster, a broker, the topic or a group.
type problem struct {
	what string
	err  error
}

// problems collects what went wrong in a round. The first one is reported.
type problems struct {
	mu  sync.Mutex
	all []problem
}

func (p *problems) add(what string, err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all = append(p.all, problem{what, err})
}

// brokerName is how problems name a broker.
func brokerName(broker kgo.BrokerMetadata) string {
	if broker.NodeID < 0 {
		return "the cluster"
	}
	return fmt.Sprintf("broker %d (%s)", broker.NodeID, net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port))))
}

// ask sends the request to all brokers that it concerns, and calls use with each answer. It returns
// false if an answer is missing.
func ask[Response kmsg.Response](ctx context.Context, client *kgo.Client, p *problems, req kmsg.Request, use func(Response)) bool {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	complete := true
	for _, shard := range client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			complete = false
			p.add(brokerName(shard.Meta), shard.Err)
			continue
		}
		use(shard.Resp.(Response))
	}
	return complete
}

// unknownTopic reports whether a broker does not know the topic.
func unknownTopic(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}
