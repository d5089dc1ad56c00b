// Package cluster connects a program to its cluster. It first checks the cluster, the topic, the group
// and the rights, and explains in plain words what is wrong. From then on it reports when a broker
// becomes unreachable, and when it is reachable again.
package cluster

import (
	"context"
	"crypto/tls"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const (
	// checkTime limits all of Open. A student waits less than five seconds for the cluster, even when
	// a busy machine takes a second to start the program.
	checkTime = 4 * time.Second
	// checkDialTime limits how long one broker may take to accept a connection during that check.
	checkDialTime = 2500 * time.Millisecond
)

// Cluster is a cluster that has passed the check.
type Cluster struct {
	Brokers []string    // where to start, without those that did not answer; they name the others
	TLS     *tls.Config // our keystore and our authority; nil if the settings ask for PLAINTEXT
	TopicID [16]byte    // of the topic (KIP-516); zero before Kafka 2.8

	program  *cli.Program
	settings *settings.Settings
	watch    *watch
	checked  bool // the check has passed
}

// Needs names what a program will use, so that Open can check it.
type Needs struct {
	Topic string // empty: check no topic
	Read  bool   // the right to read the topic
	Write bool   // the right to write to the topic
	Group string // the consumer group to join; empty: none
}

// Open finds the settings, loads the credentials and checks the cluster. The brokers must be
// reachable and accept the credentials. The topic must exist, and the credentials must have the
// rights that the program needs. Open takes less than five seconds, and its errors have hints. If
// some brokers do not answer, Open reports them and continues with the others.
func Open(ctx context.Context, program *cli.Program, found *settings.Settings, needs Needs) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	err := found.Find(program.Report)
	if err != nil {
		return nil, err
	}
	c := &Cluster{Brokers: slices.Clone(found.Brokers), program: program, settings: found}
	c.watch = newWatch(c)
	if found.TLS {
		if c.TLS, err = tlsconf.Load(found.Folder, found.Password, program.Report); err != nil {
			return nil, err
		}
	}
	if err := c.check(ctx, needs); err != nil {
		return nil, err
	}
	c.checked = true
	return c, nil
}

// Options are the options that each client of this cluster has, beside kgo.SeedBrokers and
// kgo.DialTLSConfig.
func (c *Cluster) Options() []kgo.Opt {
	return append(c.quiet(), kgo.WithHooks(c.watch),
		// After the check, a connection that breaks at its first request means a broker that stops.
		kgo.AlwaysRetryEOF())
}

// quiet are the options without the reports about brokers.
func (c *Cluster) quiet() []kgo.Opt {
	return []kgo.Opt{
		kgo.ClientID(c.program.Name),      // client.id
		kgo.DisableClientMetrics(),        // enable.metrics.push=false
		kgo.DialTimeout(10 * time.Second), // socket.connection.setup.timeout.ms
		// After a retriable refusal the client sends again when it has new metadata, and by default it
		// asks at most every five seconds. With this value 300 students without a leader ask 1,200 times
		// a second, for one topic each: little for three brokers.
		kgo.MetadataMinAge(250 * time.Millisecond), // retry.backoff.ms
	}
}

// OnSilence sets what to do when no broker has answered for Patience. It is called once, with an error.
func (c *Cluster) OnSilence(giveUp func(error)) {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	c.watch.silent = giveUp
}

// Client returns a client for questions to the cluster. The caller closes it.
func (c *Cluster) Client() (*kgo.Client, error) {
	return kgo.NewClient(append(c.Options(), kgo.SeedBrokers(c.Brokers...), kgo.DialTLSConfig(c.TLS))...)
}
