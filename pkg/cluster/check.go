package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answer is what one address said when it was asked for the cluster's metadata.
type answer struct {
	address  string
	metadata *kmsg.MetadataResponse
	err      error
}

// check asks the brokers we were told of and then those that the cluster names, all at once. The
// second round matters: a cluster can be reached at one address and advertise another that leads
// nowhere from here.
func (c *Cluster) check(ctx context.Context, needs Needs) error {
	incoming := make(chan answer)
	asked := make(map[string]bool)
	pending := 0
	ask := func(address string) {
		if asked[address] {
			return
		}
		asked[address] = true
		pending++
		go func() {
			metadata, err := c.metadata(ctx, address, needs.Topic)
			incoming <- answer{address, metadata, err}
		}()
	}
	for _, address := range c.settings.Brokers {
		ask(address)
	}
	var good *answer
	var failed []answer
	for ; pending > 0; pending-- {
		a := <-incoming
		switch {
		case a.err != nil:
			failed = append(failed, a)
		case good == nil:
			good = &a
			for _, broker := range a.metadata.Brokers {
				ask(addressOf(broker))
			}
		}
	}
	if err := context.Cause(ctx); errors.Is(err, context.Canceled) {
		return err
	}
	if good == nil {
		return c.unreachable(failed)
	}
	if err := c.checkBrokers(good, failed); err != nil {
		return err
	}
	if needs.Topic != "" {
		if err := c.checkTopic(ctx, good, needs); err != nil {
			return err
		}
	}
	if needs.Group != "" {
		return c.checkGroup(ctx, good.address, needs.Group)
	}
	return nil
}

func addressOf(broker kmsg.MetadataResponseBroker) string {
	return net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
}

// request asks one broker, by its address, once.
func request[Response kmsg.Response](
	ctx context.Context, c *Cluster, address string, req kmsg.Request,
) (Response, error) {
	var none Response
	client, err := kgo.NewClient(append(c.connection(address), kgo.DialTimeout(checkDialTime))...)
	if err != nil {
		return none, err
	}
	defer client.Close()
	resp, err := client.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return none, err
	}
	return resp.(Response), nil
}

// metadata asks for the brokers and one topic, or for all topics that these credentials may see
// where the topic is "*".
func (c *Cluster) metadata(ctx context.Context, address, topic string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	req.IncludeTopicAuthorizedOperations = true
	switch topic {
	case "*":
		req.Topics = nil
	case "":
		req.Topics = []kmsg.MetadataRequestTopic{}
	default:
		named := kmsg.NewMetadataRequestTopic()
		named.Topic = kmsg.StringPtr(topic)
		req.Topics = []kmsg.MetadataRequestTopic{named}
	}
	return request[*kmsg.MetadataResponse](ctx, c, address, req)
}

// answers reports whether a broker can be worked with.
func (c *Cluster) answers(address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), checkDialTime)
	defer cancel()
	_, err := c.metadata(ctx, address, "")
	return err == nil
}

// unreachable words the error when no address answered: once where all failed alike.
func (c *Cluster) unreachable(failed []answer) error {
	slices.SortFunc(failed, func(a, b answer) int { return strings.Compare(a.address, b.address) })
	type reason struct {
		problem
		addresses []string
	}
	var reasons []*reason
	for _, a := range failed {
		found := c.diagnose(a.address, a.err)
		at := slices.IndexFunc(reasons, func(r *reason) bool { return r.problem == found })
		if at < 0 {
			reasons = append(reasons, &reason{problem: found})
			at = len(reasons) - 1
		}
		reasons[at].addresses = append(reasons[at].addresses, a.address)
	}
	var texts []string
	for _, r := range reasons {
		texts = append(texts, fmt.Sprintf("%s: %s", strings.Join(r.addresses, ","), r.problem))
	}
	return fmt.Errorf("cannot connect to %s", strings.Join(texts, "; "))
}

// checkBrokers tells which brokers do not answer, and fails where none of those that the cluster
// names does.
func (c *Cluster) checkBrokers(good *answer, failed []answer) error {
	var advertised []answer
	for _, broker := range good.metadata.Brokers {
		address := addressOf(broker)
		c.watch.know(address, broker.NodeID)
		if at := slices.IndexFunc(failed, func(a answer) bool { return a.address == address }); at >= 0 {
			advertised = append(advertised, failed[at])
		}
	}
	if len(advertised) == len(good.metadata.Brokers) && len(advertised) > 0 {
		return fmt.Errorf("%s answers, but the addresses that its brokers advertise do not from here: %w",
			good.address, c.unreachable(advertised))
	}
	for _, a := range failed {
		c.watch.lost(a.address, c.diagnose(a.address, a.err).cause)
	}
	return nil
}

func (c *Cluster) checkTopic(ctx context.Context, good *answer, needs Needs) error {
	name := needs.Topic
	if len(good.metadata.Topics) == 0 {
		return fmt.Errorf("%s says nothing about topic %s: is it a Kafka broker?", good.address, name)
	}
	topic := good.metadata.Topics[0]
	switch err := kerr.ErrorForCode(topic.ErrorCode); err {
	case nil, kerr.LeaderNotAvailable, kerr.ReplicaNotAvailable:
	case kerr.UnknownTopicOrPartition, kerr.TopicAuthorizationFailed:
		// Apache Kafka gives the same answer to a topic that is not there and to one that
		// these credentials may not see, so that nobody can find out names by trying.
		return fmt.Errorf("topic %s does not exist, or these credentials may not use it: %s",
			name, c.visible(ctx, good.address))
	case kerr.InvalidTopicException:
		return fmt.Errorf("%q is not a topic name: letters, digits, dot, underscore and hyphen, 249 at most", name)
	default:
		return fmt.Errorf("topic %s: %w", name, err)
	}
	mayRead := allows(topic.AuthorizedOperations, kmsg.ACLOperationRead)
	mayWrite := allows(topic.AuthorizedOperations, kmsg.ACLOperationWrite)
	switch {
	case needs.Read && !mayRead && mayWrite:
		return fmt.Errorf("no right to read topic %s: these credentials may write it only", name)
	case needs.Write && !mayWrite && mayRead:
		return fmt.Errorf("no right to write topic %s: these credentials may read it only", name)
	case needs.Read && !mayRead, needs.Write && !mayWrite:
		return fmt.Errorf("no right to read or write topic %s: ask the staff", name)
	}
	return nil
}

// notTold is what brokers before Kafka 2.3 answer for the operations one may do (KIP-430).
const notTold = -1 << 31

// allows reports whether the operation is in the broker's list of those we may do. Without a list
// the operation itself will tell.
func allows(operations int32, operation kmsg.ACLOperation) bool {
	return operations == notTold || operations&(1<<operation) != 0
}

// visible tells which topics these credentials can see.
func (c *Cluster) visible(ctx context.Context, address string) string {
	metadata, err := c.metadata(ctx, address, "*")
	if err != nil {
		return "and which topics they can use could not be asked for"
	}
	var names []string
	for _, topic := range metadata.Topics {
		if topic.Topic != nil && !topic.IsInternal && topic.ErrorCode == 0 {
			names = append(names, *topic.Topic)
		}
	}
	slices.Sort(names)
	const most = 10
	switch more := len(names) - most; {
	case len(names) == 0:
		return "they can see no topic at all (ask the staff for yours)"
	case more > 0:
		return fmt.Sprintf("they can see %s and %d more", strings.Join(names[:most], ", "), more)
	}
	return "they can see " + strings.Join(names, ", ")
}

func (c *Cluster) checkGroup(ctx context.Context, address, group string) error {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType = 0 // of a group
	req.CoordinatorKey = group
	req.CoordinatorKeys = []string{group} // from version 4 on
	resp, err := request[*kmsg.FindCoordinatorResponse](ctx, c, address, req)
	if err != nil {
		return nil // joining the group will tell more
	}
	code := resp.ErrorCode
	for _, coordinator := range resp.Coordinators {
		code = coordinator.ErrorCode
	}
	switch err := kerr.ErrorForCode(code); err {
	case kerr.GroupAuthorizationFailed:
		return c.Explain(err, "group "+group)
	case kerr.CoordinatorNotAvailable:
		c.program.Say("the cluster is not ready for groups yet: the first one takes a few seconds")
	}
	return nil
}
