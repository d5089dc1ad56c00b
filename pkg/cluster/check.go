package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// answer is what one address returned for a metadata request.
type answer struct {
	address  string
	metadata *kmsg.MetadataResponse
	err      error
}

// check asks the brokers in the settings, and then those that the cluster names, all at the same
// time. The second round matters: a cluster can be reachable at one address, and advertise another
// one that is not reachable from here.
func (c *Cluster) check(ctx context.Context, needs Needs) error {
	if err := enoughFiles(); err != nil {
		return err
	}
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
			if closedAtOnce(err) && c.isController(ctx, address) {
				err = errController
			}
			incoming <- answer{address, metadata, err}
		}()
	}
	for _, address := range c.Brokers {
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
		return c.withSource(c.unreachable(failed))
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

// files is how many files and connections a client needs at the same time, with three brokers: it
// opens up to five connections to each.
const files = 32

// enoughFiles checks that this process may open as many files as a client needs. Without them, the
// client would try for ever to connect.
func enoughFiles() error {
	for range files {
		file, err := os.Open(os.DevNull)
		if err != nil {
			return cli.WithHint(fmt.Errorf("a client needs up to %d files and connections: %w", files, errors.Unwrap(err)),
				"raise the limit of open files: ulimit -n 1024 (in a new terminal, if this shell refuses it)")
		}
		defer file.Close()
	}
	return nil
}

func addressOf(broker kmsg.MetadataResponseBroker) string {
	return net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
}

// request sends one request to the broker at the address.
func request[Response kmsg.Response](
	ctx context.Context, c *Cluster, address string, req kmsg.Request,
) (Response, error) {
	var none Response
	client, err := kgo.NewClient(append(c.quiet(), kgo.SeedBrokers(address), kgo.DialTLSConfig(c.TLS),
		kgo.DialTimeout(checkDialTime))...)
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

// metadata asks for the brokers and one topic. The topic "*" stands for all topics that these
// credentials can see.
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

// isController reports whether the port at the address is one for controllers (KIP-500): it answers the
// request for versions, and its answer contains no request for metadata. It closes the connection of a
// client that sends any other request.
func (c *Cluster) isController(ctx context.Context, address string) bool {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = c.program.Name, "1" // KIP-511: not empty
	resp, err := request[*kmsg.ApiVersionsResponse](ctx, c, address, req)
	return err == nil && resp.ErrorCode == 0 && !slices.ContainsFunc(resp.ApiKeys, func(key kmsg.ApiVersionsResponseApiKey) bool {
		return key.ApiKey == kmsg.Metadata.Int16()
	})
}

// answers reports whether the broker at the address answers requests.
func (c *Cluster) answers(address string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), checkDialTime)
	defer cancel()
	_, err := c.metadata(ctx, address, "")
	return err == nil
}

// unreachable returns the error for addresses that did not answer. Addresses with the same cause
// share one part of it.
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
		texts = append(texts, fmt.Sprintf("%s: %s", strings.Join(r.addresses, ","), r.cause))
	}
	return cli.WithHint(fmt.Errorf("cannot connect to %s", strings.Join(texts, "; ")), "%s", reasons[0].hint)
}

// withSource adds to an error where the addresses come from. If nobody has named them, the hint is first
// of all to do so: the folders of the course contain no addresses.
func (c *Cluster) withSource(err error) error {
	switch {
	case c.settings.Default != "":
		hint := "name the brokers of your course: --brokers HOST:PORT,..."
		if other := cli.HintOf(err); other != "" {
			hint += "; or " + other
		}
		return cli.WithHint(fmt.Errorf("%w (the default addresses: %s)", err, c.settings.Default), "%s", hint)
	case c.settings.Source != "":
		return fmt.Errorf("%w (from %s)", err, c.settings.Source)
	}
	return err // the tour has started this cluster
}

// checkBrokers reports the brokers that do not answer, and removes them from c.Brokers. It fails if the
// cluster names no broker that answers.
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
		return cli.WithHint(fmt.Errorf("%s answers, but the brokers that it names do not: %w",
			good.address, c.unreachable(advertised)), "report this line to the staff")
	}
	for _, a := range failed {
		c.watch.unreachable(a.address, c.diagnose(a.address, a.err).cause)
		c.Brokers = slices.DeleteFunc(c.Brokers, func(address string) bool { return address == a.address })
	}
	return nil
}

func (c *Cluster) checkTopic(ctx context.Context, good *answer, needs Needs) error {
	name := needs.Topic
	if len(good.metadata.Topics) == 0 {
		return cli.WithHint(fmt.Errorf("%s returned nothing about topic %s", good.address, name), "is it a Kafka broker?")
	}
	topic := good.metadata.Topics[0]
	c.TopicID = topic.TopicID
	switch err := kerr.ErrorForCode(topic.ErrorCode); err {
	case nil, kerr.LeaderNotAvailable, kerr.ReplicaNotAvailable:
	case kerr.UnknownTopicOrPartition, kerr.TopicAuthorizationFailed:
		// Apache Kafka returns the same error for a topic that does not exist and for one that
		// these credentials may not see, so that nobody can find names by trying.
		return cli.WithHint(fmt.Errorf("topic %s does not exist, or these credentials may not use it", name),
			"%s", c.visible(ctx, good.address))
	case kerr.InvalidTopicException:
		return cli.WithHint(fmt.Errorf("%q is not a topic name", name),
			"a topic name has at most 249 letters, digits, dots, underscores and hyphens")
	default:
		return fmt.Errorf("topic %s: %w", name, err)
	}
	mayRead := Allows(topic.AuthorizedOperations, kmsg.ACLOperationRead)
	mayWrite := Allows(topic.AuthorizedOperations, kmsg.ACLOperationWrite)
	switch {
	case needs.Read && !mayRead && mayWrite:
		return cli.WithHint(fmt.Errorf("no right to read topic %s: these credentials may only write to it", name), askForRight)
	case needs.Write && !mayWrite && mayRead:
		return cli.WithHint(fmt.Errorf("no right to write to topic %s: these credentials may only read it", name), askForRight)
	case needs.Read && !mayRead, needs.Write && !mayWrite:
		return cli.WithHint(fmt.Errorf("no right to read or write topic %s", name), askForRight)
	}
	return nil
}

const askForRight = "ask the staff for the right"

// Allows reports whether the operation is among those that a broker returned as authorized
// (KIP-430). Brokers before Kafka 2.3 return no list: then only the operation itself can show it.
func Allows(operations int32, operation kmsg.ACLOperation) bool {
	const unknown = -1 << 31
	return operations == unknown || operations&(1<<operation) != 0
}

// visible is a hint that names the topics that these credentials can see.
func (c *Cluster) visible(ctx context.Context, address string) string {
	metadata, err := c.metadata(ctx, address, "*")
	if err != nil {
		return "ask the staff for the name of your topic"
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
		return "these credentials can use no topic at all: ask the staff for yours"
	case more > 0:
		return fmt.Sprintf("these credentials can use %s and %d more", strings.Join(names[:most], ", "), more)
	}
	return "these credentials can use " + strings.Join(names, ", ")
}

func (c *Cluster) checkGroup(ctx context.Context, address, group string) error {
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorType = 0 // of a group
	req.CoordinatorKey = group
	req.CoordinatorKeys = []string{group} // from version 4 on
	resp, err := request[*kmsg.FindCoordinatorResponse](ctx, c, address, req)
	if err != nil {
		return nil // to join the group will show more
	}
	code := resp.ErrorCode
	for _, coordinator := range resp.Coordinators {
		code = coordinator.ErrorCode
	}
	switch err := kerr.ErrorForCode(code); err {
	case kerr.GroupAuthorizationFailed:
		return c.Explain(err, "group "+group)
	case kerr.CoordinatorNotAvailable:
		c.program.Say("group %s has no coordinator yet; a new cluster needs a few seconds", group)
	}
	return nil
}
