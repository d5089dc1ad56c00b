// Package broker runs a Kafka cluster inside the process: for classroom/cluster, the judge and the tests.
// Its brokers are those of kfake. They listen on loopback, over mutual TLS if you ask for it.
//
// The cluster is for teaching, not for production. It stores topics, groups and committed offsets as real
// brokers do, but there is no replication, and nothing is promised about durability. Do not measure the
// speed of Kafka with it. A client that may connect can end the process: CONTRIBUTING.md lists how.
package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/lab/issuer"
)

// DefaultPartitions is how many partitions a topic of the course has.
const DefaultPartitions = 16

// Config describes a cluster. The zero value is three brokers on free ports, without TLS, topics and
// access control.
type Config struct {
	// Ports has the port of each broker. 0 means a free port, and an empty list means 0, 0, 0.
	Ports []int

	// Topics are created if they do not exist, with this many Partitions each. 0 means DefaultPartitions.
	Topics     []string
	Partitions int

	// CA is the authority of the certificates that the brokers and their clients have. Nil means plaintext.
	CA *issuer.CA

	// Rights turns access control on. It maps a user to the rights of this user. The user is the common
	// name of a client's certificate; without TLS, every client is the user ANONYMOUS. A user who
	// is not in Rights has no rights. Start sets the Principal of each right.
	Rights map[string][]kfake.ACL

	// Options are more options of kfake, such as an older version of Kafka.
	Options []kfake.Opt
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,248}$`)

// TopicProblems returns a line for each name that cannot be a topic beside those before it. kfake takes any name.
func TopicProblems(names []string) (problems []string) {
	used := make(map[string]string)
	for _, name := range names {
		inMetrics := strings.ReplaceAll(name, ".", "_")
		switch other := used[inMetrics]; {
		case !topicName.MatchString(name):
			problems = append(problems, fmt.Sprintf("topic %q: a name has letters, digits, dots, underscores and hyphens, "+
				"and begins with a letter or a digit", name))
		case other != "":
			problems = append(problems, fmt.Sprintf("topic %q: for Kafka it is the same name as %q (a dot is like an underscore)", name, other))
		}
		used[inMetrics] = name
	}
	return problems
}

// Cluster is a running cluster. Its brokers have the numbers 0, 1, 2 in the order of Config.Ports.
type Cluster struct {
	kfake     *kfake.Cluster
	listeners []*listener
	tls       *tls.Config // nil: plaintext
	users     users
}

// Start starts a cluster. When it returns, clients can connect. The error contains [ErrInUse] if another
// program uses a port.
func Start(config Config) (_ *Cluster, err error) {
	if len(config.Ports) == 0 {
		config.Ports = []int{0, 0, 0}
	}
	if config.Partitions == 0 {
		config.Partitions = DefaultPartitions
	}
	c := &Cluster{}
	if config.CA != nil {
		identity, err := config.CA.Broker("localhost", "localhost", "127.0.0.1", "::1")
		if err != nil {
			return nil, err
		}
		c.tls = config.CA.MutualTLS(identity)
	}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	options := append([]kfake.Opt{kfake.DefaultNumPartitions(config.Partitions)}, config.Options...)
	if config.Rights != nil {
		c.users = newUsers(config.Rights)
		options = append(options, c.users.options()...)
	}
	var ports []int
	for _, port := range config.Ports {
		l, err := listen(c, port)
		if err != nil {
			return nil, err
		}
		c.listeners, ports = append(c.listeners, l), append(ports, l.port)
	}
	options = append(options, kfake.Ports(ports...), kfake.ListenFn(c.listenerAt))
	if c.kfake, err = kfake.NewCluster(options...); err != nil {
		return nil, err
	}
	c.kfake.ControlKey(kmsg.OffsetForLeaderEpoch.Int16(), askAboutThisEpoch)
	for _, topic := range config.Topics {
		err := c.kfake.CreateTopic(topic, int32(config.Partitions), nil)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return nil, fmt.Errorf("topic %q: %w", topic, err)
		}
		c.placeLeaders(topic)
	}
	for _, l := range c.listeners {
		l.serve()
	}
	return c, nil
}

// placeLeaders gives each broker its share of the partitions. kfake chooses the leaders at random, also when it
// starts again after a crash. A client that knows the old ones would look for the new ones for seconds.
func (c *Cluster) placeLeaders(topic string) {
	for _, partition := range c.kfake.PartitionInfos(topic) {
		leader := partition.Partition % int32(len(c.listeners))
		if partition.Leader != leader || partition.Epoch == 0 { // so the epoch never goes back to 0
			c.kfake.MoveTopicPartition(topic, partition.Partition, leader)
		}
	}
}

// listenerAt is what kfake calls instead of net.Listen. The port is open already.
func (c *Cluster) listenerAt(_, address string) (net.Listener, error) {
	for _, l := range c.listeners {
		if address == net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port)) {
			return l, nil
		}
	}
	return nil, fmt.Errorf("no port was opened for %s", address)
}

// askAboutThisEpoch changes a request for the end of an older epoch of a leader. Until a new leader has a
// message of its own, kfake answers that it does not know the epoch before. A real leader knows it. A
// consumer would take that as a loss of messages, go to its reset policy and, with latest, skip some. A
// leader of this cluster has all messages of the one before, so the end of its own epoch is as good.
func askAboutThisEpoch(request kmsg.Request) (kmsg.Response, error, bool) {
	for _, topic := range request.(*kmsg.OffsetForLeaderEpochRequest).Topics {
		for i := range topic.Partitions {
			partition := &topic.Partitions[i]
			partition.LeaderEpoch = max(partition.LeaderEpoch, partition.CurrentLeaderEpoch)
		}
	}
	return nil, nil, false
}

// Brokers returns the addresses that clients connect to, such as localhost:19093.
func (c *Cluster) Brokers() []string {
	var brokers []string
	for _, l := range c.listeners {
		brokers = append(brokers, l.Addr().String())
	}
	return brokers
}

// Kfake returns the cluster of kfake, with which a test can cause faults, move leaders and look at groups.
func (c *Cluster) Kfake() *kfake.Cluster { return c.kfake }

// Close stops the brokers.
func (c *Cluster) Close() {
	if c.kfake != nil {
		c.kfake.Close()
	}
	for _, l := range c.listeners {
		l.Close() // if Start failed, kfake may not have all of them
		l.kill()
	}
}

// Kill makes a broker unreachable, as if its process had died: its connections break, and new ones are
// refused. Nobody can use the partitions that it leads until [Cluster.Restart].
func (c *Cluster) Kill(broker int32) error {
	if int(broker) >= len(c.listeners) {
		return fmt.Errorf("there is no broker %d", broker)
	}
	c.listeners[broker].kill()
	return nil
}

// Restart brings a killed broker back at its address.
func (c *Cluster) Restart(broker int32) error { return c.listeners[broker].restart() }

// Client returns a client inside the process, without a socket and TLS, and with all rights. The caller closes it.
func (c *Cluster) Client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Brokers()...), kgo.Dialer(c.Dial)}, options...)...)
}

// RemoveMembers removes members from a group, as if they had left it. (kadm's LeaveGroup takes only static members.)
func RemoveMembers(ctx context.Context, client *kgo.Client, group string, ids ...string) error {
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group = group
	for _, id := range ids {
		request.Members = append(request.Members, kmsg.LeaveGroupRequestMember{MemberID: id})
	}
	answer, err := request.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(answer.ErrorCode)
}

// Dial connects to a broker, for [kgo.Dialer].
func (c *Cluster) Dial(_ context.Context, _, address string) (net.Conn, error) {
	for _, l := range c.listeners {
		if l.Addr().String() == address {
			return l.dial()
		}
	}
	return nil, fmt.Errorf("the embedded cluster has no broker at %s", address)
}
