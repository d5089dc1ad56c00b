package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// stepTime is what each step of a visit may take: to log in, to try the topics, to join a group. The last
// usually takes 3 seconds, 6 if it is the first group of a fresh cluster, and is not answered at all where
// a group belongs to a broker that has died.
const stepTime = 15 * time.Second

// decoding is held while a keystore is decoded. It is what a visit needs a processor for, and tlsconf
// gives up on a keystore that takes long: were all decoded at once, each would seem to.
var decoding = make(chan struct{}, runtime.NumCPU())

// sessionTime is after what time without a word from us a group is rid of us, should we be killed.
const sessionTime = 10 * time.Second

// visited is what a visit in a student's name has shown.
type visited struct {
	Student     string   `json:"student"`
	Expires     string   `json:"expires,omitempty"` // the date on which the certificate ends
	Certificate result   `json:"certificate"`
	Topic       result   `json:"topic"`  // is there, with as many partitions and copies as all
	Write       result   `json:"write"`  // the own topic can be written
	Read        result   `json:"read"`   // and read
	Others      result   `json:"others"` // another student's can be neither
	Group       result   `json:"group"`  // a group can be joined
	Problems    []string `json:"problems,omitempty"`
}

// problem notes what is wrong and returns the result for it.
func (v *visited) problem(format string, args ...any) result {
	v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	return wrong
}

// visit logs in as a student, with nothing but the folder that was handed out.
func (c *checker) visit(ctx context.Context, student string, metadata kadm.Metadata, patience time.Duration) visited {
	v := visited{Student: student, Certificate: skipped, Topic: ok, Write: skipped, Read: skipped, Others: skipped, Group: skipped}

	topic := metadata.Topics[student]
	if topic.Err != nil {
		v.Topic = v.problem("topic: %s", brief(topic.Err))
	} else if flaw := flawOf(topic, replicasOn(len(metadata.Brokers))); flaw != "" {
		v.Topic = v.problem("topic: %s", flaw)
	}

	found, err := settings.InFolder(c.class.student(student))
	var config *tls.Config
	if err == nil {
		decoding <- struct{}{}
		config, err = tlsconf.Load(found.Folder, found.Password, nil)
		<-decoding
	}
	if err != nil {
		v.Certificate = v.problem("credentials: %v", err)
		return v
	}
	if !v.checkCertificate(config) {
		return v
	}

	client, err := kgo.NewClient(
		kgo.ClientID("enroll"),
		kgo.SeedBrokers(found.Brokers...),
		kgo.DialTLSConfig(config),
		kgo.DisableClientMetrics(),
		kgo.MaxVersions(topicsByName()),
	)
	if err != nil {
		v.Certificate = v.problem("credentials: %v", err)
		return v
	}
	defer client.Close()
	if err := ping(ctx, client); err != nil {
		v.Certificate = v.problem("log in: %s", brief(err))
		return v
	}

	leader, partition := int32(-1), int32(0)
	for _, p := range topic.Partitions.Sorted() {
		if p.Leader >= 0 {
			leader, partition = p.Leader, p.Partition
			break
		}
	}
	login := login{client: client, topic: student, partition: partition, leader: leader, other: neighbour(student, c.students)}
	if leader < 0 { // without a leader, any broker can still say what is forbidden
		login.leader = metadata.Brokers[0].NodeID
	}
	login.tryTopics(ctx, patience, &v)
	login.tryGroup(ctx, patience, &v, c.groupOf(student))
	return v
}

func ping(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	return client.Ping(ctx)
}

// checkCertificate looks at dates and name of the student's certificate, and tells whether it is the
// student's at all.
func (v *visited) checkCertificate(config *tls.Config) bool {
	chain, err := chainOf(config)
	if err != nil {
		v.Certificate = v.problem("credentials: %v", err)
		return false
	}
	until := validity(chain[0])
	v.Certificate, v.Expires = until.result, until.until.UTC().Format(time.DateOnly)
	if until.result == wrong {
		v.problem("credentials: %s", until)
	}
	if name := chain[0].Subject.CommonName; user(name) != v.Student {
		v.Certificate = v.problem("credentials: the certificate is that of %s", name)
		return false
	}
	return true
}

// topicsByName keeps the client to the versions of requests in which a topic has its name, not a
// number that a student who may not see the topic cannot know.
func topicsByName() *kversion.Versions {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.Produce.Int16(), 12)
	versions.SetMaxKeyVersion(kmsg.Fetch.Int16(), 12)
	return versions
}

// neighbour is the student behind, in whose topic this one has no business; empty where there is
// only one.
func neighbour(student string, students []string) string {
	if len(students) < 2 {
		return ""
	}
	at := slices.Index(students, student)
	return students[(at+1)%len(students)]
}

// login is a connection in a student's name.
type login struct {
	client    *kgo.Client
	topic     string // the student's own
	partition int32
	leader    int32  // of the partition
	other     string // somebody else's topic, or none
}

// tryTopics finds out what the student may do with the own topic and with another's. What is not as
// it should be is tried again for a while: rights reach each broker a moment after they changed.
func (l login) tryTopics(ctx context.Context, patience time.Duration, v *visited) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	var own, other access
	var err error
	retry(ctx, patience, func() bool {
		if own, other, err = l.try(ctx); err != nil {
			return false
		}
		return own.write == nil && own.read == nil && (l.other == "" || denied(other.write) && denied(other.read))
	})
	if err != nil {
		v.Write = v.problem("own topic: %s", brief(err))
		v.Read = wrong
		return
	}
	v.Write, v.Read, v.Others = ok, ok, ok
	if own.write != nil {
		v.Write = v.problem("write: %s", brief(own.write))
	}
	if own.read != nil {
		v.Read = v.problem("read: %s", brief(own.read))
	}
	if l.other == "" {
		v.Others = skipped // there is no other student
		return
	}
	if !denied(other.write) {
		v.Others = v.problem("others: may write the topic of %s", l.other)
	}
	if !denied(other.read) {
		v.Others = v.problem("others: may read the topic of %s", l.other)
	}
}

// access is what the brokers answered to a message for a topic, and to reading it; nil is a yes.
type access struct{ write, read error }

// denied reports whether the answer is that one has no right, rather than some other failure.
func denied(err error) bool { return errors.Is(err, kerr.TopicAuthorizationFailed) }

// try sends a message to both topics at once, and reads both at once.
func (l login) try(ctx context.Context) (own, other access, err error) {
	leader := l.client.Broker(int(l.leader))
	topics := []string{l.topic}
	if l.other != "" {
		topics = append(topics, l.other)
	}

	write := kmsg.NewPtrProduceRequest()
	write.Acks = -1
	write.TimeoutMillis = 5000
	read := kmsg.NewPtrFetchRequest()
	read.MaxWaitMillis, read.MinBytes, read.MaxBytes = 0, 0, 1
	read.SessionEpoch = -1 // this once
	for _, topic := range topics {
		writePartition := kmsg.NewProduceRequestTopicPartition()
		writePartition.Partition, writePartition.Records = l.partition, spoilt()
		writeTopic := kmsg.NewProduceRequestTopic()
		writeTopic.Topic, writeTopic.Partitions = topic, []kmsg.ProduceRequestTopicPartition{writePartition}
		write.Topics = append(write.Topics, writeTopic)

		readPartition := kmsg.NewFetchRequestTopicPartition()
		readPartition.Partition, readPartition.FetchOffset, readPartition.PartitionMaxBytes = l.partition, 0, 1
		readTopic := kmsg.NewFetchRequestTopic()
		readTopic.Topic, readTopic.Partitions = topic, []kmsg.FetchRequestTopicPartition{readPartition}
		read.Topics = append(read.Topics, readTopic)
	}

	written, err := leader.Request(ctx, write)
	if err != nil {
		return own, other, err
	}
	own.write, other.write = errNoAnswer, errNoAnswer
	for _, topic := range written.(*kmsg.ProduceResponse).Topics {
		for _, partition := range topic.Partitions {
			answer := writeAnswer(partition.ErrorCode)
			if topic.Topic == l.topic {
				own.write = answer
			} else {
				other.write = answer
			}
		}
	}
	fetched, err := leader.Request(ctx, read)
	if err != nil {
		return own, other, err
	}
	answers := fetched.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(answers.ErrorCode); err != nil {
		return own, other, err
	}
	own.read, other.read = errNoAnswer, errNoAnswer
	for _, topic := range answers.Topics {
		for _, partition := range topic.Partitions {
			answer := readAnswer(partition.ErrorCode)
			if topic.Topic == l.topic {
				own.read = answer
			} else {
				other.read = answer
			}
		}
	}
	return own, other, nil
}

var errNoAnswer = errors.New("the broker left the question unanswered")

// writeAnswer tells from the code for a spoilt message whether one may write. Brokers look at the
// right first, then at how many replicas there are, then at the message.
func writeAnswer(code int16) error {
	switch err := kerr.ErrorForCode(code); {
	case errors.Is(err, kerr.CorruptMessage), errors.Is(err, kerr.InvalidRecord):
		return nil
	case err == nil:
		return errors.New("a message with a wrong checksum was taken, and is in the topic now")
	default:
		return err
	}
}

// readAnswer tells whether one may read. The first message may be gone by now: that one may be told
// so takes the right to read.
func readAnswer(code int16) error {
	if err := kerr.ErrorForCode(code); !errors.Is(err, kerr.OffsetOutOfRange) {
		return err
	}
	return nil
}

// spoilt is a batch of one message whose checksum is wrong. It shows whether one may write, and
// leaves nothing behind: neither a message, nor a gap in the offsets, as a deleted one would.
func spoilt() []byte {
	record := kmsg.Record{Value: []byte("enroll check")}
	body := record.AppendTo(nil)
	record.Length = int32(len(body) - 1) // what follows the length, which takes a byte while it is 0
	now := time.Now().UnixMilli()
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1,
		Magic:                2,
		FirstTimestamp:       now,
		MaxTimestamp:         now,
		ProducerID:           -1,
		ProducerEpoch:        -1,
		FirstSequence:        -1,
		NumRecords:           1,
		Records:              record.AppendTo(nil),
	}
	const afterLength, afterChecksum = 12, 21 // where in the batch what these count begins
	batch.Length = int32(len(batch.AppendTo(nil)) - afterLength)
	right := crc32.Checksum(batch.AppendTo(nil)[afterChecksum:], crc32.MakeTable(crc32.Castagnoli))
	batch.CRC = int32(^right)
	return batch.AppendTo(nil)
}

// tryGroup joins a group of its own and leaves it.
func (l login) tryGroup(ctx context.Context, patience time.Duration, v *visited, name string) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	var err error
	retry(ctx, patience, func() bool {
		err = l.join(ctx, name)
		var answer *kerr.Error // otherwise a connection has failed
		return err == nil || errors.As(err, &answer) && !errors.Is(err, kerr.GroupAuthorizationFailed) && !unsettled(err)
	})
	v.Group = ok
	if err != nil {
		v.Group = v.problem("group: %s", brief(err))
	}
}

// unsettled reports whether the error is that of a group whose coordinator is just changing, or has
// just forgotten whom it has heard of.
func unsettled(err error) bool {
	return errors.Is(err, kerr.NotCoordinator) || errors.Is(err, kerr.CoordinatorNotAvailable) ||
		errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.UnknownMemberID)
}

// join becomes a member of a group, as a consumer does, and leaves it.
func (l login) join(ctx context.Context, group string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	late, stop := cli.Grace(ctx, cli.LeaveTime/4)
	defer stop()
	subscription := kmsg.NewConsumerMemberMetadata()
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", subscription.AppendTo(nil)
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group = group
	req.ProtocolType = "consumer"
	req.SessionTimeoutMillis = int32(sessionTime.Milliseconds())
	req.RebalanceTimeoutMillis = int32(sessionTime.Milliseconds())
	req.Protocols = append(req.Protocols, protocol)

	// A new member is first told who it is, at once, and asked to come again (KIP-394). Were we not to wait
	// for that when we are told to stop, the group could be made after the groups of the check were deleted.
	resp, err := req.RequestWith(late, l.client)
	if err != nil {
		return err
	}
	if errors.Is(kerr.ErrorForCode(resp.ErrorCode), kerr.MemberIDRequired) {
		req.MemberID = resp.MemberID
		defer l.leave(late, group, resp.MemberID)
		if resp, err = req.RequestWith(ctx, l.client); err != nil {
			return err
		}
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// leave takes a member out of its group.
func (l login) leave(ctx context.Context, group, memberID string) {
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = memberID
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	req.MemberID = memberID // before version 3
	req.Members = append(req.Members, member)
	req.RequestWith(ctx, l.client) // if that fails, the group cannot be deleted, and is named
}

// retry calls try until it is content, or for a while.
func retry(ctx context.Context, patience time.Duration, try func() bool) {
	const pause = 250 * time.Millisecond
	for end := time.Now().Add(patience); !try() && time.Now().Add(pause).Before(end); {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// brief words an error in a table: the name that Kafka gives to it is what one can look up.
func brief(err error) string {
	if kafka, ok := err.(*kerr.Error); ok {
		return kafka.Message
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) { // a stopped check has no table
		return "no answer in time"
	}
	var system syscall.Errno
	if errors.As(err, &system) {
		return system.Error()
	}
	return strings.TrimPrefix(err.Error(), "unable to dial: ")
}
