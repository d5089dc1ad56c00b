// Package embedded runs a Kafka cluster inside the process: for the tutorial, the guided run and the
// tests. Its brokers listen on loopback and speak the Kafka protocol, over mutual TLS if you ask for it.
//
// The cluster is for teaching, not for production. Its brokers are those of kfake. They store topics,
// groups and committed offsets as real brokers do. But there is no replication, and nothing is
// promised about durability. Do not measure the speed of Kafka with it.
//
// # Who could attack it
//
// Only programs on the same machine can connect: those of its other users, other programs of yours, and
// web pages in a browser on this machine. Other machines cannot.
//
//   - With [Config].TLS, a client needs a certificate of the cluster's authority. All others are refused
//     in the TLS handshake. A client with a certificate may do everything, unless Config.Rights
//     limits its rights.
//   - Without TLS, every program on the machine may do everything: read, write and delete.
//   - A web page can make its browser send requests. None of them is a Kafka request, so the broker
//     closes the connection.
//   - Some requests would end kfake, and so the process. Each connection refuses those that we know. After
//     such a request, only this client loses its connection.
//   - A client that is silent or slow does not delay the others, and loses its connection in the end. All
//     requests together use a limited amount of memory. The client with the largest one loses its
//     connection at the limit.
//   - A client that may write can fill the memory, unless [Config].Retention limits it, or, with a DataDir,
//     the disk.
package embedded

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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

// Config describes a cluster. The zero value is three brokers on free ports, without TLS, topics and
// access control. They keep everything in memory.
type Config struct {
	// Ports has the port of each broker. 0 means a free port, and an empty list means 0, 0, 0.
	Ports []int

	// Topics are created at the start if they do not exist, with this many Partitions each. 0 means
	// DefaultPartitions.
	Topics     []string
	Partitions int

	// DataDir is a folder that keeps messages, topics and committed offsets across restarts. If it does
	// not exist, it is created. One cluster at a time can use it. Empty keeps everything in memory.
	DataDir string

	// Retention limits what the topics keep. The zero value keeps everything. A cluster with a DataDir cannot
	// have a Retention: kfake does not store the offset of a partition without messages.
	Retention Retention

	// Versions are those of an older version of Kafka, for tests. Nil means all that kfake knows.
	Versions *kversion.Versions

	// Say prints a line for the user. Nil prints nothing.
	Say func(format string, args ...any)

	// TLS is the configuration of the brokers. Nil means plaintext.
	TLS *tls.Config

	// Rights turns access control on. It maps a user to the rights of this user. The user is the common
	// name of a client's certificate; without TLS, every client is the user ANONYMOUS. A user who
	// is not in Rights has no rights. Start sets the Principal of each right.
	Rights map[string][]kfake.ACL

	limits limits // for tests; the zero value means defaultLimits
}

// Cluster is a running cluster. Its brokers have the numbers 0, 1, 2 in the order of Config.Ports.
type Cluster struct {
	kfake         *kfake.Cluster
	listeners     []*listener
	memory        *memory
	lock          *flock.Flock   // nil without a DataDir
	authenticator *authenticator // nil without access control
	retainer      *retainer      // nil without a Retention
	storage       *storage       // nil without a DataDir
	say           func(format string, args ...any)
}

// Start starts a cluster. When it returns, clients can connect. The error is a [*PortError] if another
// program uses a port, an [*InUseError] if another cluster uses the DataDir, and a [*DamageError] if
// the DataDir is damaged.
func Start(config Config) (_ *Cluster, err error) {
	if len(config.Ports) == 0 {
		config.Ports = []int{0, 0, 0}
	}
	if config.Partitions == 0 {
		config.Partitions = DefaultPartitions
	}
	if config.limits == (limits{}) {
		config.limits = defaultLimits
	}
	if config.DataDir != "" && (config.Rights != nil || config.Retention != (Retention{})) {
		return nil, errors.New("an embedded cluster with a DataDir can have neither Rights nor a Retention")
	}
	if config.Say == nil {
		config.Say = func(string, ...any) {}
	}
	c := &Cluster{say: config.Say}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()

	if config.DataDir != "" {
		if c.lock, err = lockDir(config.DataDir); err != nil {
			return nil, err
		}
		if err := checkData(config.DataDir); err != nil {
			return nil, err
		}
	}
	if config.Rights != nil {
		c.authenticator = newAuthenticator(config.Rights)
	}
	for _, topic := range config.Topics {
		if err := CheckTopic(topic); err != nil {
			return nil, err
		}
	}
	c.memory = newMemory(config.limits.memory)
	for _, port := range config.Ports {
		l, err := listen(port, config.TLS, c.authenticator, config.limits, c.memory)
		if err != nil {
			return nil, err
		}
		c.listeners = append(c.listeners, l)
	}
	options := []kfake.Opt{
		kfake.Ports(c.ports()...),
		kfake.ListenFn(c.listenerAt),
		kfake.DefaultNumPartitions(config.Partitions),
		kfake.MaxVersions(safeVersions(config.Versions)),
		// The default of real brokers (group.max.session.timeout.ms).
		kfake.GroupMaxSessionTimeout(30 * time.Minute),
	}
	if config.DataDir != "" {
		c.storage = &storage{dir: config.DataDir, say: config.Say}
		options = append(options, kfake.DataDir(config.DataDir), kfake.WithLogger(c.storage))
	}
	if config.Retention != (Retention{}) {
		options = append(options, config.Retention.options())
	}
	if c.authenticator != nil {
		options = append(options, c.authenticator.options()...)
	}
	if config.DataDir != "" {
		if err := os.Remove(filepath.Join(config.DataDir, sizesFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	if c.kfake, err = kfake.NewCluster(options...); err != nil {
		return nil, err
	}
	c.kfake.ControlKey(kmsg.OffsetForLeaderEpoch.Int16(), askAboutThisEpoch)
	if err := c.prepare(config); err != nil {
		return nil, err
	}
	if config.Retention != (Retention{}) {
		if err := c.startRetainer(config.Retention); err != nil {
			return nil, err
		}
	}
	for _, l := range c.listeners {
		l.serve()
	}
	return c, nil
}

// safeVersions are these versions, or all that kfake knows, except version 13 of Produce, which names topics by
// ID. If a request has two unknown IDs, for example of deleted topics, kfake confuses them and ends.
func safeVersions(versions *kversion.Versions) *kversion.Versions {
	if versions == nil {
		versions = kversion.Stable()
	}
	versions.SetMaxKeyVersion(kmsg.Produce.Int16(), 12)
	return versions
}

// askAboutThisEpoch changes a request for the end of an older epoch of a leader. Until a new leader has a
// message of its own, kfake answers that it does not know the epoch before. A real leader knows it. A
// consumer would take that as a loss of messages, go to its reset policy and, with latest, skip some. A
// leader of this cluster has all messages of the one before, so the end of its own epoch is as good.
func askAboutThisEpoch(request kmsg.Request) (kmsg.Response, error, bool) {
	topics := request.(*kmsg.OffsetForLeaderEpochRequest).Topics
	for t := range topics {
		for p := range topics[t].Partitions {
			partition := &topics[t].Partitions[p]
			if partition.CurrentLeaderEpoch > partition.LeaderEpoch {
				partition.LeaderEpoch = partition.CurrentLeaderEpoch
			}
		}
	}
	return nil, nil, false
}

// prepare finds out which requests kfake knows, and creates the topics. It runs before any client is
// accepted.
func (c *Cluster) prepare(config Config) error {
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
	known := make(knownRequests)
	for _, broker := range versions {
		if broker.Err != nil {
			return broker.Err
		}
		broker.EachKeySorted(func(key, min, max int16) { known[key] = versionRange{min, max} })
	}
	// Only its certificate decides who a client is.
	delete(known, kmsg.SASLHandshake.Int16())
	delete(known, kmsg.SASLAuthenticate.Int16())
	for _, l := range c.listeners {
		l.requests = known
	}

	if len(config.Topics) == 0 {
		return nil
	}
	created, err := admin.CreateTopics(ctx, int32(config.Partitions), -1, nil, config.Topics...)
	if err != nil {
		return err
	}
	for _, topic := range created.Sorted() {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("topic %s: %w", topic.Topic, topic.Err)
		}
	}
	return nil
}

// ports are the ports of the brokers, in their order.
func (c *Cluster) ports() []int {
	var ports []int
	for _, l := range c.listeners {
		ports = append(ports, l.port)
	}
	return ports
}

// listenerAt is what kfake calls instead of net.Listen. The port is open already.
func (c *Cluster) listenerAt(_, address string) (net.Listener, error) {
	for _, l := range c.listeners {
		if address == net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)) {
			return newKfakeListener(l), nil
		}
	}
	return nil, fmt.Errorf("no port was opened for %s", address)
}

func (c *Cluster) listener(broker int32) (*listener, error) {
	if broker < 0 || int(broker) >= len(c.listeners) {
		return nil, fmt.Errorf("there is no broker %d", broker)
	}
	return c.listeners[broker], nil
}

// Brokers returns the addresses that clients connect to, such as localhost:19093.
func (c *Cluster) Brokers() []string {
	var brokers []string
	for _, l := range c.listeners {
		brokers = append(brokers, l.address())
	}
	return brokers
}

// Kfake returns the cluster of kfake, with which a test can cause faults, move leaders and look at
// groups.
func (c *Cluster) Kfake() *kfake.Cluster { return c.kfake }

// Close closes all connections and stops the brokers. With a DataDir, everything is on disk then,
// unless [Cluster.Err] returns an error.
func (c *Cluster) Close() {
	if c.retainer != nil {
		c.retainer.close() // kfake must still run
	}
	if c.kfake != nil {
		c.kfake.Close()
	}
	for _, l := range c.listeners {
		l.close() // if Start failed, kfake may not have all of them
	}
	if c.lock != nil {
		if c.kfake != nil && c.Err() == nil {
			if err := saveSizes(c.storage.dir); err != nil {
				c.storage.report(err)
			}
		}
		c.lock.Unlock()
		c.lock = nil // after a second Close, another cluster may have the folder
	}
}

// Err returns an error if the cluster could not write something to its DataDir.
func (c *Cluster) Err() error {
	if c.storage == nil {
		return nil
	}
	return c.storage.failure()
}

// Kill makes a broker unreachable, as if its process had died: its connections break, and new ones are
// refused. Nobody can use the partitions that it leads until [Cluster.Restart].
func (c *Cluster) Kill(broker int32) error {
	l, err := c.listener(broker)
	if err != nil {
		return err
	}
	l.kill()
	return nil
}

// Restart brings a killed broker back at its address.
func (c *Cluster) Restart(broker int32) error {
	l, err := c.listener(broker)
	if err != nil {
		return err
	}
	return l.restart()
}

// LoseReplies breaks a client's connection in place of an answer to a produce request, whenever lose
// returns true. The messages are stored, and the client does not know it. Nil ends this. The client of
// [Cluster.Client] loses nothing.
func (c *Cluster) LoseReplies(lose func() bool) {
	for _, l := range c.listeners {
		if lose == nil {
			l.lose.Store(nil)
		} else {
			l.lose.Store(&lose)
		}
	}
}

// Dial connects to a broker from inside the process, without a socket and TLS, and with all rights.
// It is for [kgo.Dialer].
func (c *Cluster) Dial(_ context.Context, _, address string) (net.Conn, error) {
	for _, l := range c.listeners {
		if l.address() == address {
			return l.dial()
		}
	}
	return nil, fmt.Errorf("the embedded cluster has no broker at %s", address)
}

// Client returns a client inside the process (see [Cluster.Dial]). The caller closes it.
func (c *Cluster) Client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers()...),
		kgo.Dialer(c.Dial),
	}, options...)...)
}
