// Package embedded runs a Kafka cluster inside the process, for the tutorial, the guided run and
// the tests: brokers on loopback that speak the real protocol, over mutual TLS if asked.
//
// The brokers are kfake's. They keep topics, groups and committed offsets as real ones do, but there
// is no replication behind them: nothing about durability or speed can be learnt from them. kfake
// was made for tests among friends, so in front of each broker stands a guard that lets only
// well-formed requests through, see guard.go.
package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// DefaultPartitions is how many partitions a topic of the course has.
const DefaultPartitions = 16

// Config describes a cluster. The zero value is three brokers on free ports without TLS, topics or
// access control, that keep nothing.
type Config struct {
	// Ports has one entry for each broker; 0 takes a free port. None at all means 0, 0, 0.
	Ports []int

	// Topics are there from the start, with DefaultPartitions each.
	Topics []string

	// DataDir keeps messages, topics and committed offsets across restarts. It is made where it is
	// missing and belongs to one cluster at a time. Empty keeps everything in memory.
	DataDir string

	// TLS is the brokers' side of every connection; nil is plaintext.
	TLS *tls.Config

	// Rights turns access control on. It maps a user, which is the common name of a client
	// certificate, to what that user may do; whoever is not in it may do nothing. The Principal of
	// an entry is filled in. Without TLS every client is the user ANONYMOUS.
	Rights map[string][]kfake.ACL

	limits limits // of a test; otherwise defaultLimits
}

// Cluster is a running cluster. Its brokers have the numbers 0, 1, 2 in the order of Config.Ports.
type Cluster struct {
	kfake *kfake.Cluster
	doors []*door
	lock  *flock.Flock // nil without a DataDir
	vouch *voucher     // nil without access control
}

// Start brings a cluster up; when it returns, clients can connect. A port that is taken is a
// [*PortError], a DataDir that another cluster uses a [*InUseError].
func Start(config Config) (_ *Cluster, err error) {
	if len(config.Ports) == 0 {
		config.Ports = []int{0, 0, 0}
	}
	if config.limits == (limits{}) {
		config.limits = defaultLimits
	}
	if config.Rights != nil && config.DataDir != "" {
		return nil, errors.New("embedded: Rights are for a cluster in memory")
	}
	c := &Cluster{}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()

	if config.DataDir != "" {
		if c.lock, err = lockDir(config.DataDir); err != nil {
			return nil, err
		}
	}
	if config.Rights != nil {
		c.vouch = newVoucher(config.Rights)
	}
	for _, topic := range config.Topics {
		if err := CheckTopic(topic); err != nil {
			return nil, err
		}
	}
	for _, port := range config.Ports {
		d, err := openDoor(port, config.TLS, c.vouch, config.limits)
		if err != nil {
			return nil, err
		}
		c.doors = append(c.doors, d)
	}
	options := []kfake.Opt{
		kfake.Ports(c.ports()...),
		kfake.ListenFn(c.listen),
		kfake.DefaultNumPartitions(DefaultPartitions),
		kfake.MaxVersions(topicsByName()),
		// What real brokers allow by default (group.max.session.timeout.ms).
		kfake.GroupMaxSessionTimeout(30 * time.Minute),
	}
	if config.DataDir != "" {
		options = append(options, kfake.DataDir(config.DataDir))
	}
	if c.vouch != nil {
		options = append(options, c.vouch.options()...)
	}
	if c.kfake, err = kfake.NewCluster(options...); err != nil {
		return nil, err
	}
	if err := c.prepare(config.Topics); err != nil {
		return nil, err
	}
	for _, d := range c.doors {
		d.serve()
	}
	return c, nil
}

// topicsByName is all that kfake can do, except for produce requests that name topics by ID (version
// 13): where kfake does not know two of the IDs, of topics deleted meanwhile, it mixes up their
// answers and ends.
func topicsByName() *kversion.Versions {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.Produce.Int16(), 12)
	return versions
}

// prepare does what has to be done before clients come in: ask kfake which requests it knows, which
// only a connection can, and make the topics that are missing.
func (c *Cluster) prepare(topics []string) error {
	client, err := c.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	admin := kadm.NewClient(client)

	versions, err := admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	known := make(rules)
	for _, broker := range versions {
		if broker.Err != nil {
			return broker.Err
		}
		broker.EachKeySorted(func(key, min, max int16) { known[key] = versionRange{min, max} })
	}
	// Who a client is, its certificate says and nothing else.
	delete(known, kmsg.SASLHandshake.Int16())
	delete(known, kmsg.SASLAuthenticate.Int16())
	for _, d := range c.doors {
		d.rules = known
	}

	if len(topics) == 0 {
		return nil
	}
	made, err := admin.CreateTopics(ctx, DefaultPartitions, -1, nil, topics...)
	if err != nil {
		return err
	}
	for _, topic := range made.Sorted() {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("topic %s: %w", topic.Topic, topic.Err)
		}
	}
	return nil
}

// ports are the doors' ports, in the order of the brokers.
func (c *Cluster) ports() []int {
	var ports []int
	for _, d := range c.doors {
		ports = append(ports, d.port)
	}
	return ports
}

// listen is what kfake calls to open a broker's port, which is open already.
func (c *Cluster) listen(_, address string) (net.Listener, error) {
	for _, d := range c.doors {
		if address == net.JoinHostPort("127.0.0.1", strconv.Itoa(d.port)) {
			return d.enter(), nil
		}
	}
	return nil, fmt.Errorf("no port was opened for %s", address)
}

func (c *Cluster) door(node int32) (*door, error) {
	if node < 0 || int(node) >= len(c.doors) {
		return nil, fmt.Errorf("no broker %d", node)
	}
	return c.doors[node], nil
}

// Brokers are the addresses that clients connect to, such as localhost:19093.
func (c *Cluster) Brokers() []string {
	var brokers []string
	for _, d := range c.doors {
		brokers = append(brokers, d.address())
	}
	return brokers
}

// Kfake gives access to the brokers' inside: faults, moved leaders, the state of groups.
func (c *Cluster) Kfake() *kfake.Cluster { return c.kfake }

// Close ends all connections and stops the brokers. With a DataDir, everything is on disk
// afterwards.
func (c *Cluster) Close() {
	if c.kfake != nil {
		c.kfake.Close()
	}
	for _, d := range c.doors {
		d.shut() // those that a failing Start opened and kfake never saw
	}
	if c.lock != nil {
		c.lock.Unlock()
	}
}

// Kill makes a broker unreachable, as if its process had died: its connections break and new ones
// are refused. Its partitions stand still until [Cluster.Restart].
func (c *Cluster) Kill(node int32) error {
	d, err := c.door(node)
	if err != nil {
		return err
	}
	d.kill()
	return nil
}

// Restart brings a killed broker back at its old address.
func (c *Cluster) Restart(node int32) error {
	d, err := c.door(node)
	if err != nil {
		return err
	}
	return d.reopen()
}

// Dial connects to a broker from inside the process: no socket, no TLS, and all rights. It is made
// for [kgo.Dialer].
func (c *Cluster) Dial(_ context.Context, _, address string) (net.Conn, error) {
	for _, d := range c.doors {
		if d.address() == address {
			return d.dial()
		}
	}
	return nil, fmt.Errorf("the embedded cluster has no broker at %s", address)
}

// Client is a client inside the process, see [Cluster.Dial]. The caller closes it.
func (c *Cluster) Client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers()...),
		kgo.Dialer(c.Dial),
	}, options...)...)
}
