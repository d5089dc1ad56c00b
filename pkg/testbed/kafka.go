package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"start": start, "terminal": startOnTerminal, "expect": expect, "feed": feed, "signal": sendSignal, "eof": eof, "ended": ended, "promise": promise,
	"send": send, "messages": messages, "arrived": arrived, "committed": committed, "members": members, "evict": evict, "limit": limit, "topic": topic,
	"credentials": credentials, "cluster": cluster, "lose": lose, "restore": restore, "freeze": freeze,
	"advertise": advertise, "refuse-produce": refuseProduce, "stall": stall, "refuse-commit": refuseCommit, "listen": listen,
}

func send(ts *testscript.TestScript, neg bool, args []string) {
	b := bedOf(ts)
	var key []byte
	partition := int32(0)
	for ; len(args) > 0; args = args[1:] {
		name, value, _ := strings.Cut(args[0], "=")
		if name == "key" {
			key = []byte(value)
		} else if name == "partition" {
			number, err := strconv.Atoi(value)
			ts.Check(err)
			partition = int32(number)
		} else {
			break
		}
	}
	if neg || len(args) == 0 {
		ts.Fatalf("usage: send [key=K] [partition=N] VALUE...")
	}
	ctx, cancel := patiently()
	defer cancel()
	for _, value := range args {
		ts.Check(b.produce(ctx, partition, key, value))
	}
}

func (b *bed) produce(ctx context.Context, partition int32, key []byte, value string) error {
	message := &kgo.Record{Topic: b.topic, Partition: partition, Key: key, Value: []byte(value)}
	return b.client.ProduceSync(ctx, message).FirstErr()
}

func messages(ts *testscript.TestScript, neg bool, args []string) {
	b := bedOf(ts)
	format := "%v\n"
	if len(args) == 1 {
		format = args[0]
	}
	if neg || len(args) > 1 {
		ts.Fatalf("usage: messages [FORMAT]")
	}
	formatter, err := kgo.NewRecordFormatter(format)
	ts.Check(err)
	ctx, cancel := patiently()
	defer cancel()
	ends, err := b.admin.ListEndOffsets(ctx, b.topic)
	ts.Check(err)
	ts.Check(ends.Error())
	var all []byte
	for _, end := range ends.Offsets().Sorted() { // partition after partition
		b.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{b.topic: {end.Partition: kgo.NewOffset().AtStart()}})
		for next := int64(0); next < end.At; {
			fetches := b.client.PollFetches(ctx)
			ts.Check(fetches.Err())
			for _, message := range fetches.Records() {
				all = formatter.AppendRecord(all, message)
				next = message.Offset + 1
			}
		}
		b.client.RemoveConsumePartitions(map[string][]int32{b.topic: {end.Partition}})
	}
	ts.Stdout().Write(all)
}

// arrived waits until the topic has so many messages.
func arrived(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: arrived N")
	}
	want, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	b := bedOf(ts)
	ctx, cancel := patiently()
	defer cancel()
	have := int64(0)
	err = until(ctx, func() bool {
		ends, err := b.admin.ListEndOffsets(ctx, b.topic)
		have = 0
		ends.Each(func(end kadm.ListedOffset) { have += max(end.Offset, 0) })
		return err == nil && have >= want
	})
	if err != nil {
		ts.Fatalf("topic %s has %d messages", b.topic, have)
	}
}

// topic makes another topic.
func topic(ts *testscript.TestScript, neg bool, args []string) {
	b := bedOf(ts)
	if neg || len(args) != 1 || !b.private {
		ts.Fatalf("usage, after the command cluster: topic NAME")
	}
	ts.Check(b.makeTopic(args[0]))
}

// limit sets the largest batch of messages that the topic takes.
func limit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: limit BYTES")
	}
	b := bedOf(ts)
	ctx, cancel := patiently()
	defer cancel()
	const setting = "max.message.bytes"
	config := kadm.AlterConfig{Op: kadm.SetConfig, Name: setting, Value: &args[0]}
	altered, err := b.admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{config}, b.topic)
	ts.Check(err)
	for _, topic := range altered {
		ts.Check(topic.Err)
	}
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, b.topic
	resource.ConfigNames = []string{setting}
	req := kmsg.NewPtrDescribeConfigsRequest()
	req.Resources = append(req.Resources, resource)
	ts.Check(everywhere(ctx, b.client, "the limit", func(broker *kgo.Broker) bool {
		resp, err := req.RequestWith(ctx, broker)
		return err == nil && len(resp.Resources) == 1 && len(resp.Resources[0].Configs) == 1 &&
			resp.Resources[0].Configs[0].Value != nil && *resp.Resources[0].Configs[0].Value == args[0]
	}))
}

func committed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: committed GROUP")
	}
	b := bedOf(ts)
	ctx, cancel := patiently()
	defer cancel()
	offsets, err := b.admin.FetchOffsets(ctx, args[0])
	ts.Check(err)
	out := ts.Stdout() // with nothing to print, too: stdout would go on looking at the command before
	for _, offset := range offsets.Sorted() {
		if offset.Topic == b.topic {
			fmt.Fprintf(out, "%d:%d\n", offset.Partition, offset.At)
		}
	}
}

// leavePatience is how long members waits: longer than it takes to join a group, and far shorter
// than the 45 seconds after which the group misses a member that went without leaving.
const leavePatience = 10 * time.Second

func members(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: members GROUP N")
	}
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), leavePatience)
	defer cancel()
	have := 0
	err = until(ctx, func() bool {
		groups, err := bedOf(ts).admin.DescribeGroups(ctx, args[0])
		group := groups[args[0]]
		have = len(group.Members)
		known := group.Err == nil || errors.Is(group.Err, kerr.GroupIDNotFound) // the latter from Kafka 4 on
		return err == nil && known && have == want
	})
	if err != nil {
		ts.Fatalf("group %s has %d members, not %d, after %v", args[0], have, want, leavePatience)
	}
}

func evict(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: evict GROUP")
	}
	ctx, cancel := patiently()
	defer cancel()
	ts.Check(bedOf(ts).evict(ctx, args[0]))
}

// evict removes all members of a group as if they had left it themselves.
func (b *bed) evict(ctx context.Context, group string) error {
	groups, err := b.admin.DescribeGroups(ctx, group)
	if err != nil {
		return err
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	for _, member := range groups[group].Members {
		leaving := kmsg.NewLeaveGroupRequestMember()
		leaving.MemberID = member.MemberID
		req.Members = append(req.Members, leaving)
	}
	resp, err := req.RequestWith(ctx, b.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

func credentials(ts *testscript.TestScript, neg bool, args []string) {
	b := bedOf(ts)
	if neg || len(args) < 2 || b.ca == nil {
		ts.Fatalf("usage, on an embedded cluster: credentials FOLDER USER [stranger|expired]")
	}
	ca, err := b.ca, error(nil)
	switch {
	case slices.Contains(args[2:], "stranger"):
		ca, err = issuer.New("another authority", time.Hour)
	case slices.Contains(args[2:], "expired"):
		ca, err = ca.Lasting(-time.Second)
	}
	ts.Check(err)
	identity, err := ca.Client(args[1])
	ts.Check(err)
	folder := issuer.Folder{CA: ca, Identity: identity, Brokers: b.embedded.Brokers()}
	ts.Check(folder.Write(ts.MkAbs(args[0])))
}

// cluster starts an embedded cluster for this script alone. With rights, such as
// alice=read:topic:$TOPIC or alice=read:group:*, the first user named is the one in auth/ and may do
// nothing else; alice= has no rights at all.
func cluster(ts *testscript.TestScript, neg bool, args []string) {
	b := bedOf(ts)
	if neg || b.private {
		ts.Fatalf("usage, once: cluster [plaintext] [USER=[read|write:topic|group:NAME]...]")
	}
	config, user, secure := embedded.Config{}, "student", true
	for _, arg := range args {
		name, right, isRight := strings.Cut(arg, "=")
		if !isRight {
			secure = secure && arg != "plaintext"
			continue
		}
		if config.Rights == nil {
			config.Rights, user = make(map[string][]kfake.ACL), name
		}
		config.Rights[name] = append(config.Rights[name], parseRights(ts, right)...)
	}
	own, ca, err := startEmbedded(config, secure)
	ts.Check(err)
	b.private = true
	ts.Check(b.use(own, ca, filepath.Join(b.dir, "auth"), user))
	ts.Setenv("BROKERS", strings.Join(own.Brokers(), ","))
	ts.Check(b.makeTopic(b.topic))
}

func parseRights(ts *testscript.TestScript, right string) []kfake.ACL {
	if right == "" {
		return nil
	}
	parts := strings.SplitN(right, ":", 3)
	if len(parts) != 3 {
		ts.Fatalf("%q is not operation:kind:name", right)
	}
	operation, err := kmsg.ParseACLOperation(parts[0])
	ts.Check(err)
	kind, err := kmsg.ParseACLResourceType(parts[1])
	ts.Check(err)
	return []kfake.ACL{{
		Resource: kind, Name: parts[2], Operation: operation,
		Pattern: kmsg.ACLResourcePatternTypeLiteral, Allow: true,
	}}
}

// advertise makes every broker of the script's own cluster name this address alone as the cluster's.
func advertise(ts *testscript.TestScript, neg bool, args []string) {
	b := privateBed(ts, neg, args, "advertise HOST:PORT")
	host, port, err := net.SplitHostPort(args[0])
	ts.Check(err)
	number, err := strconv.Atoi(port)
	ts.Check(err)
	b.embedded.Kfake().ControlKey(kmsg.Metadata.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.embedded.Kfake().KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		broker := kmsg.NewMetadataResponseBroker()
		broker.Host, broker.Port = host, int32(number)
		resp.Brokers = append(resp.Brokers, broker)
		return resp, nil, true
	})
}

func lose(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(privateBed(ts, neg, args, "lose BROKER").embedded.Kill(brokerOf(ts, args)))
}

func restore(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(privateBed(ts, neg, args, "restore BROKER").embedded.Restart(brokerOf(ts, args)))
}

// freeze makes a broker that does not coordinate the group take requests for messages and answer none.
func freeze(ts *testscript.TestScript, neg bool, args []string) {
	b := privateBed(ts, neg, args, "freeze GROUP")
	ctx, cancel := patiently()
	defer cancel()
	coordinator := b.admin.FindGroupCoordinators(ctx, args[0])[args[0]]
	ts.Check(coordinator.Err)
	frozen := (coordinator.NodeID + 1) % int32(len(b.embedded.Brokers()))
	fake := b.embedded.Kfake()
	fake.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return nil, nil, fake.CurrentNode() == frozen
	})
}

// privateBed is for a command with one argument that needs a cluster of the script's own.
func privateBed(ts *testscript.TestScript, neg bool, args []string, usage string) *bed {
	b := bedOf(ts)
	if neg || len(args) != 1 || !b.private {
		ts.Fatalf("usage, after the command cluster: %s", usage)
	}
	return b
}

func brokerOf(ts *testscript.TestScript, args []string) int32 {
	number, err := strconv.Atoi(args[0])
	ts.Check(err)
	return int32(number)
}

// refuseProduce makes the script's own cluster refuse all messages from now on: as it does when a
// right is withdrawn, or with another error.
func refuseProduce(ts *testscript.TestScript, neg bool, args []string) {
	b, code := refusal(ts, neg, args, "refuse-produce [ERROR]", kerr.TopicAuthorizationFailed)
	b.embedded.Kfake().ControlKey(kmsg.Produce.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.embedded.Kfake().KeepControl()
		return refusedProduce(request.(*kmsg.ProduceRequest), code), nil, true
	})
}

func refusedProduce(request *kmsg.ProduceRequest, code int16) *kmsg.ProduceResponse {
	resp := request.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range request.Topics {
		refused := kmsg.NewProduceResponseTopic()
		refused.Topic, refused.TopicID = topic.Topic, topic.TopicID
		for _, partition := range topic.Partitions {
			answer := kmsg.NewProduceResponseTopicPartition()
			answer.Partition, answer.ErrorCode = partition.Partition, code
			refused.Partitions = append(refused.Partitions, answer)
		}
		resp.Topics = append(resp.Topics, refused)
	}
	return resp
}

// stall makes a producer send again, one by one, what it has sent together, and lets it wait in the
// midst of that.
func stall(ts *testscript.TestScript, neg bool, args []string) {
	b := privateBed(ts, neg, args, "stall N")
	left, err := strconv.Atoi(args[0])
	ts.Check(err)
	fake := b.embedded.Kfake()
	fake.ControlKey(kmsg.Produce.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		produce := request.(*kmsg.ProduceRequest)
		for _, topic := range produce.Topics {
			for _, partition := range topic.Partitions {
				var batch kmsg.RecordBatch
				if err := batch.ReadFrom(partition.Records); err != nil || batch.NumRecords > 1 {
					return refusedProduce(produce, kerr.MessageTooLarge.Code), nil, true
				}
			}
		}
		left--
		return nil, nil, left < 0
	})
}

// refuseCommit makes the script's own cluster refuse all commits from now on, likewise.
func refuseCommit(ts *testscript.TestScript, neg bool, args []string) {
	b, code := refusal(ts, neg, args, "refuse-commit [ERROR]", kerr.GroupAuthorizationFailed)
	b.embedded.Kfake().ControlKey(kmsg.OffsetCommit.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		b.embedded.Kfake().KeepControl()
		resp := request.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, topic := range request.(*kmsg.OffsetCommitRequest).Topics {
			refused := kmsg.NewOffsetCommitResponseTopic()
			refused.Topic, refused.TopicID = topic.Topic, topic.TopicID
			for _, partition := range topic.Partitions {
				answer := kmsg.NewOffsetCommitResponseTopicPartition()
				answer.Partition, answer.ErrorCode = partition.Partition, code
				refused.Partitions = append(refused.Partitions, answer)
			}
			resp.Topics = append(resp.Topics, refused)
		}
		return resp, nil, true
	})
}

// refusal returns the code of the error that a script names, as in INVALID_RECORD.
func refusal(ts *testscript.TestScript, neg bool, args []string, usage string, usual *kerr.Error) (*bed, int16) {
	b := bedOf(ts)
	if neg || len(args) > 1 || !b.private {
		ts.Fatalf("usage, after the command cluster: %s", usage)
	}
	if len(args) == 0 {
		return b, usual.Code
	}
	const last = 1000 // far more than Kafka has
	for code := int16(1); code < last; code++ {
		if err := kerr.TypedErrorForCode(code); err != nil && err.Code == code && err.Message == args[0] {
			return b, code
		}
	}
	ts.Fatalf("unknown error %s", args[0])
	return nil, 0
}

// listen sets a variable to an address where connections are accepted and nothing is ever said.
func listen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: listen VARIABLE")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { listener.Close() })
	ts.Setenv(args[0], listener.Addr().String())
}
