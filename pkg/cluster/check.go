// Package cluster checks a cluster with the program's own client, explains its errors in plain words, and
// reports when a broker becomes unreachable.
package cluster

import (
	"cmp"
	"context"
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
)

// Check asks the brokers for the topic. It fails with a hint if none of them answers, if there is no such
// topic, or if the client has no right to use the topic or its group. If topic is empty, one answer is enough.
// It takes four seconds at most. An error about the addresses contains [settings.ErrBrokers].
func Check(ctx context.Context, client *kgo.Client, topic string) (err error) {
	stopped := ctx
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second) // a student waits for an answer for five seconds
	defer cancel()
	defer func() { err = cmp.Or(stopped.Err(), err) }() // after Ctrl-C, no other error
	seeds := make(map[string]*kgo.Broker)
	for i, address := range client.OptValue(kgo.SeedBrokers).([]string) {
		seeds[address] = client.SeedBrokers()[i]
	}
	known, found, err := ask(ctx, client, seeds)
	if err != nil {
		return err
	}
	// The client uses the addresses that the cluster has for its brokers. Is one of them reachable?
	advertised := make(map[string]*kgo.Broker)
	for _, broker := range found.Brokers {
		advertised[net.JoinHostPort(broker.Host, fmt.Sprint(broker.Port))] = client.Broker(int(broker.NodeID))
	}
	if advertised[known] == nil {
		if _, _, err := ask(ctx, client, advertised); err != nil { // not %w: these addresses are not those of the settings
			return cli.WithHint(fmt.Errorf("%s answers, but the addresses that the cluster has for its brokers "+
				"(advertised.listeners) do not: %v", known, err), "%s", cli.HintOf(err))
		}
	}
	if topic == "" {
		return nil
	}
	if err := checkTopic(client, topic, found.Topics); err != nil {
		return err
	}
	return checkGroup(ctx, client, found.ClusterID)
}

// ask asks brokers for all topics, at the same time. It returns the first answer, and the address that it is from.
// Without one, its error has the cause for each address.
func ask(ctx context.Context, client *kgo.Client, brokers map[string]*kgo.Broker) (known string, found *kmsg.MetadataResponse, err error) {
	type answer struct {
		address  string
		response *kmsg.MetadataResponse
		err      error
	}
	answers := make(chan answer, len(brokers))
	for address, broker := range brokers {
		go func() {
			request := kmsg.NewPtrMetadataRequest()
			request.IncludeTopicAuthorizedOperations = true
			response, err := request.RequestWith(ctx, broker)
			answers <- answer{address, response, err}
		}()
	}
	causes, hint := make(map[string][]string), "" // the addresses for each cause
	var late <-chan time.Time                     // for the others, after the first answer
	for range brokers {
		select {
		case a := <-answers:
			if a.err != nil {
				cause, remedy := diagnose(a.err, a.address)
				causes[cause], hint = append(causes[cause], a.address), cmp.Or(hint, remedy)
			} else if found == nil {
				known, found, late = a.address, a.response, time.After(200*time.Millisecond)
			}
		case <-late: // a silent address may keep the client waiting for ten seconds
			client.UpdateSeedBrokers(known)
			return known, found, nil
		}
	}
	if found != nil {
		return known, found, nil
	}
	var failed []string
	for cause, addresses := range causes {
		slices.Sort(addresses)
		failed = append(failed, strings.Join(addresses, ",")+": "+cause)
	}
	slices.Sort(failed)
	return "", nil, cli.WithHint(fmt.Errorf("%w to %s", settings.ErrBrokers, strings.Join(failed, "; ")), "%s", hint)
}

func checkTopic(client *kgo.Client, name string, topics []kmsg.MetadataResponseTopic) error {
	need, right := kmsg.ACLOperationRead, "read"
	if client.OptValue(kgo.DefaultProduceTopic) == name {
		need, right = kmsg.ACLOperationWrite, "write to"
	}
	var names []string
	// Apache Kafka names only those that these credentials may see, so that nobody can find names by trying.
	for _, topic := range topics {
		rights, err := topic.AuthorizedOperations, kerr.ErrorForCode(topic.ErrorCode)
		switch {
		case *topic.Topic != name:
			if !topic.IsInternal {
				names = append(names, *topic.Topic)
			}
		case err != nil && !kerr.IsRetriable(err): // a new topic may have no leader yet
			return Explain(err, "topic "+name)
		case rights >= 0 && rights&(1<<need) == 0: // an old broker names none
			return cli.WithHint(fmt.Errorf("no right to %s topic %s", right, name), "ask the staff for the right")
		default:
			return nil
		}
	}
	hint := "these credentials can use no topic: ask the staff for yours"
	if slices.Sort(names); len(names) > 10 {
		names = append(names[:10], fmt.Sprintf("%d more", len(names)-10))
	}
	if len(names) > 0 {
		hint = "these credentials can use " + strings.Join(names, ", ")
	}
	return cli.WithHint(fmt.Errorf("topic %q does not exist, or these credentials may not use it", name), "%s", hint)
}

// checkGroup fails if the client has no right to use its group, if a group of another type has the name, or if the
// brokers have no share groups. Later errors do not name the group, and a member of a share group would try for ever.
func checkGroup(ctx context.Context, client *kgo.Client, clusterID *string) error {
	share := client.OptValue(kgo.ShareGroup).(string)
	name := client.OptValue(kgo.ConsumerGroup).(string) + share
	if name == "" {
		return nil
	}
	if share != "" && !HasShareGroups(ctx, client) {
		return cli.WithHint(errors.New("this cluster has no share groups: they need Kafka 4.2 or newer"),
			"try a cluster that has them: go run ./classroom/cluster")
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

// HasShareGroups reports whether the brokers have share groups.
func HasShareGroups(ctx context.Context, client *kgo.Client) bool {
	versions, _ := kadm.NewClient(client).ApiVersions(ctx)
	for _, broker := range versions { // of one that does not answer, we know nothing
		if _, known := broker.KeyMaxVersion(kmsg.ShareGroupHeartbeat.Int16()); broker.Err == nil && !known {
			return false
		}
	}
	return true
}
