// Package cluster checks a cluster with the program's own client, explains its errors in plain words, and
// reports when a broker becomes unreachable.
package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// checkTime is less than the five seconds that a student waits for an answer.
const checkTime = 4 * time.Second

// Check asks the brokers for the topic. It fails with a hint if none of them answers, if there is no such
// topic, or if the client has no right to use the topic or its group. If topic is empty, one answer is enough.
// It takes four seconds at most. An error about the addresses contains [settings.ErrBrokers].
func Check(ctx context.Context, client *kgo.Client, topic string) error {
	asked := ctx
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	address, first, err := ask(ctx, client, topic)
	if err == nil {
		client.UpdateSeedBrokers(address) // another one may keep the client waiting for ten seconds
		err = checkAdvertised(ctx, client, address, first.Brokers)
	}
	switch {
	case asked.Err() != nil:
		return asked.Err()
	case err != nil:
		return err
	case topic != "":
		return checkTopic(ctx, client, topic, first)
	}
	return nil
}

// checkAdvertised fails if none of the brokers is reachable at the address that the cluster has for it. The broker
// at the known address has answered.
func checkAdvertised(ctx context.Context, client *kgo.Client, known string, brokers []kmsg.MetadataResponseBroker) error {
	var addresses []string
	for _, broker := range brokers {
		addresses = append(addresses, net.JoinHostPort(broker.Host, fmt.Sprint(broker.Port)))
	}
	if slices.Contains(addresses, known) {
		return nil
	}
	security, _ := client.OptValue(kgo.DialTLSConfig).(*tls.Config)
	other, err := kgo.NewClient(kgo.SeedBrokers(addresses...), kgo.DialTLSConfig(security))
	if err != nil {
		return err
	}
	defer other.Close()
	if _, _, err := ask(ctx, other, ""); err != nil { // not %w: these addresses are not those of the settings
		return cli.WithHint(fmt.Errorf("%s answers, but the addresses that the cluster has for its brokers (advertised.listeners) "+
			"do not: %v", known, err), "%s", cli.HintOf(err))
	}
	return nil
}

// ask asks the brokers that a client starts from, at the same time. It returns the first answer, and the address
// that it is from. Without one, its error has the cause for each address.
func ask(ctx context.Context, client *kgo.Client, topic string) (address string, _ *kmsg.MetadataResponse, _ error) {
	brokers, addresses := client.SeedBrokers(), client.OptValue(kgo.SeedBrokers).([]string)
	type answer struct {
		address  string
		response kmsg.Response
		err      error
	}
	answers := make(chan answer, len(brokers))
	for i, broker := range brokers {
		go func() {
			request := kmsg.NewPtrMetadataRequest()
			request.AllowAutoTopicCreation = false
			request.IncludeTopicAuthorizedOperations = true
			request.Topics = []kmsg.MetadataRequestTopic{}
			if topic != "" {
				request.Topics = append(request.Topics, kmsg.MetadataRequestTopic{Topic: &topic})
			}
			response, err := broker.Request(ctx, request)
			answers <- answer{addresses[i], response, err}
		}()
	}
	causes, hint := make(map[string][]string), "" // the addresses for each cause
	for range brokers {
		a := <-answers
		if a.err == nil {
			return a.address, a.response.(*kmsg.MetadataResponse), nil
		}
		cause, remedy := diagnose(a.err, a.address)
		if causes[cause] = append(causes[cause], a.address); hint == "" {
			hint = remedy
		}
	}
	var failed []string
	for cause, list := range causes {
		slices.Sort(list)
		failed = append(failed, strings.Join(list, ",")+": "+cause)
	}
	slices.Sort(failed)
	text := "cannot connect to " + strings.Join(failed, "; ")
	return "", nil, cli.WithHint(&explained{text, settings.ErrBrokers}, "%s", hint)
}

func checkTopic(ctx context.Context, client *kgo.Client, name string, response *kmsg.MetadataResponse) error {
	if len(response.Topics) != 1 {
		return fmt.Errorf("a broker returned nothing about topic %s", name)
	}
	topic := response.Topics[0]
	// Apache Kafka returns the same error for a topic that does not exist and for one that these credentials
	// may not see, so that nobody can find names by trying.
	err := kerr.ErrorForCode(topic.ErrorCode)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.TopicAuthorizationFailed):
		return cli.WithHint(fmt.Errorf("topic %q does not exist, or these credentials may not use it", name), "%s", visible(ctx, client))
	case errors.Is(err, kerr.InvalidTopicException):
		return cli.WithHint(fmt.Errorf("%q is not a topic name", name), "%s", visible(ctx, client))
	case err != nil && !kerr.IsRetriable(err): // a new topic may have no leader yet
		return Explain(err, "topic "+name)
	}
	need, right := kmsg.ACLOperationRead, "read"
	if client.OptValue(kgo.DefaultProduceTopic) == name {
		need, right = kmsg.ACLOperationWrite, "write to"
	}
	if topic.AuthorizedOperations >= 0 && topic.AuthorizedOperations&(1<<need) == 0 {
		return cli.WithHint(fmt.Errorf("no right to %s topic %s", right, name), "ask the staff for the right")
	}
	if client.OptValue(kgo.ShareGroup) != "" {
		if err := CheckShare(ctx, client); err != nil {
			return err
		}
	}
	return checkGroup(ctx, client, response.ClusterID)
}

// checkGroup fails if the client has no right to use its group, or if a group of another type has the name. Later
// errors do not name the group, and a member of a share group would try for ever.
func checkGroup(ctx context.Context, client *kgo.Client, clusterID *string) error {
	share := client.OptValue(kgo.ShareGroup).(string)
	name := client.OptValue(kgo.ConsumerGroup).(string) + share
	if name == "" {
		return nil
	}
	coordinator := kadm.NewClient(client).FindGroupCoordinators(ctx, name)[name]
	if errors.Is(coordinator.Err, kerr.GroupAuthorizationFailed) {
		return Explain(coordinator.Err, "group "+name)
	}
	response, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, client.Broker(int(coordinator.NodeID)))
	if coordinator.Err != nil || err != nil {
		return nil // to join will show more
	}
	for _, group := range response.Groups { // before Kafka 3.8 they have no type
		other := group.GroupType != "" && (group.GroupType == "share") != (share != "")
		// In Kafka 4, members of both protocols can be in one group. kfake takes both, and then refuses one of them.
		if group.GroupType == "consumer" && group.GroupState != "Empty" && clusterID != nil && *clusterID == "kfake" {
			other = other || client.OptValue(kgo.ServerSideBalancer) != true
		}
		if group.Group == name && other {
			return cli.WithHint(fmt.Errorf("group %q is a %s group, which this program cannot join on this cluster", name, group.GroupType),
				"choose another group name")
		}
	}
	return nil
}

// CheckShare fails if the brokers have no share groups: then a client would try for ever to join one.
func CheckShare(ctx context.Context, client *kgo.Client) error {
	versions, _ := kadm.NewClient(client).ApiVersions(ctx) // without an answer, to join will show more
	for _, broker := range versions {
		if _, known := broker.KeyMaxVersion(kmsg.ShareGroupHeartbeat.Int16()); broker.Err == nil && !known {
			return cli.WithHint(errors.New("this cluster has no share groups: they need Kafka 4.2 or newer"),
				"try a cluster that has them: go run ./classroom/cluster")
		}
	}
	return nil
}

// visible is a hint that names the topics that these credentials can see.
func visible(ctx context.Context, client *kgo.Client) string {
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	names := topics.Names()
	switch {
	case err != nil || len(names) == 0:
		return "these credentials can use no topic: ask the staff for yours"
	case len(names) > 10:
		names = append(names[:10], fmt.Sprintf("%d more", len(names)-10))
	}
	return "these credentials can use " + strings.Join(names, ", ")
}

// Open makes a client for the settings, and checks the topic. It is for the tools: the programs of the
// tutorial show these lines in their main.go.
func Open(ctx context.Context, found *settings.Settings, topic string, options ...kgo.Opt) (*kgo.Client, error) {
	security, err := tlsconf.Load(found.Folder, found.Password, cli.Warn)
	if err != nil {
		return nil, found.WithSource(err)
	}
	client, err := kgo.NewClient(append(options,
		kgo.AlwaysRetryEOF(), kgo.SeedBrokers(found.Brokers...), kgo.DialTLSConfig(security), kgo.WithHooks(Reporter()))...)
	if err != nil {
		return nil, err
	}
	if err := Check(ctx, client, topic); err != nil {
		client.Close()
		return nil, found.WithSource(err)
	}
	return client, nil
}
