package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// studentResult is what the check of one student has found.
type studentResult struct {
	Student     string   `json:"student"`
	Expires     string   `json:"expires,omitempty"` // the date on which the certificate ends
	Certificate result   `json:"certificate"`
	Topic       result   `json:"topic"`  // it exists, with the right number of partitions and copies
	Write       result   `json:"write"`  // the student can write the own topic
	Read        result   `json:"read"`   // and read it
	Others      result   `json:"others"` // the student cannot use another student's topic
	Group       result   `json:"group"`  // the student can join a group
	Problems    []string `json:"problems,omitempty"`
}

// problem adds what is wrong, and returns the result for it.
func (r *studentResult) problem(format string, args ...any) result {
	r.Problems = append(r.Problems, fmt.Sprintf(format, args...))
	return wrong
}

// checkStudent logs in with the folder that the student gets. The context late ends a moment after ctx.
func (c *checker) checkStudent(ctx, late context.Context, student string, metadata kadm.Metadata) studentResult {
	r := studentResult{Student: student, Certificate: skipped, Topic: ok, Write: skipped, Read: skipped, Others: skipped, Group: skipped}

	topic := metadata.Topics[student]
	if topic.Err != nil {
		r.Topic = r.problem("topic: %s", brief(topic.Err))
	} else if flaw := flawOf(topic, len(metadata.Brokers)); flaw != "" {
		r.Topic = r.problem("topic: %s", flaw)
	}

	client, err := c.logIn(ctx, &r)
	if err != nil {
		r.Certificate = r.problem("%v", err)
		return r
	}
	defer client.Close()
	r.checkRights(ctx, client, c.students[(slices.Index(c.students, student)+1)%len(c.students)])
	if r.Write == ok {
		c.checkMessage(ctx, client, topic, &r)
	}
	r.checkGroup(ctx, late, client, c.groupOf(student))
	return r
}

// logIn checks the student's certificate and connects to the cluster.
func (c *checker) logIn(ctx context.Context, r *studentResult) (*kgo.Client, error) {
	found, err := settings.InFolder(c.class.student(r.Student))
	if err != nil {
		return nil, err
	}
	c.decoding.Lock()
	config, err := tlsconf.Load(found.Folder, found.Password, nil)
	c.decoding.Unlock()
	if err != nil {
		return nil, err
	}
	chain, err := chainOf(config)
	if err != nil {
		return nil, err
	}
	certificate := validity("", chain[0])
	r.Certificate, r.Expires = certificate.Result, chain[0].NotAfter.UTC().Format(time.DateOnly)
	if r.Certificate == wrong {
		r.problem("%s: %s", found.Folder, certificate.Detail)
	}
	if name := chain[0].Subject.CommonName; user(name) != r.Student {
		return nil, fmt.Errorf("%s: this is the certificate of %s", found.Folder, name)
	}
	client, err := kgo.NewClient(
		kgo.ClientID("enroll"),
		kgo.SeedBrokers(found.Brokers...),
		kgo.DialTLSConfig(config),
		kgo.DisableClientMetrics(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.AllowIdempotentProduceCancellation(), // a stopped check does not wait for a broker
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("cannot log in: %s", brief(err))
	}
	return client, nil
}

// checkRights asks a broker what the student may do with the own topic and with another one (KIP-430).
// kadm cannot ask: it fails if one topic is forbidden.
func (r *studentResult) checkRights(ctx context.Context, client *kgo.Client, other string) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.IncludeTopicAuthorizedOperations = true
	for _, name := range slices.Compact([]string{r.Student, other}) { // a class of one has no other topic
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: &name})
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		r.Write, r.Read = r.problem("rights: %s", brief(err)), wrong
		return
	}
	for _, topic := range resp.Topics {
		err := kerr.ErrorForCode(topic.ErrorCode)
		mayWrite := allows(topic.AuthorizedOperations, kmsg.ACLOperationWrite)
		mayRead := allows(topic.AuthorizedOperations, kmsg.ACLOperationRead)
		switch {
		case *topic.Topic == r.Student:
			r.Write, r.Read = r.right("write", err, mayWrite), r.right("read", err, mayRead)
		case errors.Is(err, kerr.TopicAuthorizationFailed), err == nil && !mayWrite && !mayRead:
			r.Others = ok // with that error, only kfake returns operations
		case err != nil:
			r.Others = r.problem("others: topic %s: %s", other, brief(err))
		case mayWrite:
			r.Others = r.problem("others: may write to topic %s", other)
		case mayRead:
			r.Others = r.problem("others: may read topic %s", other)
		}
	}
}

// allows reports whether the operations, a bit field, contain one. Old brokers do not send them.
func allows(operations int32, operation kmsg.ACLOperation) bool {
	return operations < 0 || operations&(1<<operation) != 0
}

// right returns the result for a right on the own topic. Its problem is the error that a student gets
// without this right.
func (r *studentResult) right(what string, err error, allowed bool) result {
	if err == nil && !allowed {
		err = kerr.TopicAuthorizationFailed
	}
	if err != nil {
		return r.problem("%s: %s", what, brief(err))
	}
	return ok
}

// checkMessage writes a message to the student's topic and, with the right to read, reads it.
func (c *checker) checkMessage(ctx context.Context, client *kgo.Client, topic kadm.TopicDetail, r *studentResult) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	all := topic.Partitions.Sorted()
	led := slices.IndexFunc(all, func(p kadm.PartitionDetail) bool { return p.Leader >= 0 })
	if led < 0 {
		r.Write, r.Read = r.problem("write: no partition has a leader"), wrong
		return
	}
	message := &kgo.Record{Topic: r.Student, Partition: all[led].Partition, Key: []byte(messageKey), Value: []byte(messageValue)}
	if err := client.ProduceSync(ctx, message).FirstErr(); err != nil {
		r.Write = r.problem("write: %s", brief(err))
		return
	}
	c.mu.Lock()
	c.written.AddOffset(message.Topic, message.Partition, message.Offset, -1)
	c.mu.Unlock()
	if r.Read != ok {
		return
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{
		message.Topic: {message.Partition: kgo.NewOffset().At(message.Offset)},
	})
	if err := client.PollRecords(ctx, 1).Err(); err != nil {
		r.Read = r.problem("read: %s", brief(err))
	}
}

// checkGroup joins the group and leaves it. It tries again, except without the right to: a coordinator
// that has just started can forget a new member.
func (r *studentResult) checkGroup(ctx, late context.Context, client *kgo.Client, group string) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	late, cancelLate := context.WithTimeout(late, stepTime)
	defer cancelLate()
	err := joinAndLeave(ctx, late, client, group)
	for err != nil && !errors.Is(err, kerr.GroupAuthorizationFailed) && cli.Pause(ctx, 250*time.Millisecond) == nil {
		err = joinAndLeave(ctx, late, client, group)
	}
	if r.Group = ok; err != nil {
		r.Group = r.problem("group: %s", brief(err))
	}
}

// joinAndLeave becomes a member of a group, as a consumer does, and leaves it.
func joinAndLeave(ctx, late context.Context, client *kgo.Client, group string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	subscription := kmsg.NewConsumerMemberMetadata()
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", subscription.AppendTo(nil)
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group = group
	join.ProtocolType = "consumer"
	join.SessionTimeoutMillis = int32(sessionTime.Milliseconds())
	join.RebalanceTimeoutMillis = int32(sessionTime.Milliseconds())
	join.Protocols = append(join.Protocols, protocol)

	// The broker answers a new member at once with a member id, and the member joins again with it
	// (KIP-394). A stopped check waits for this answer. Otherwise the broker could make the group after
	// the check has deleted its groups.
	resp, err := join.RequestWith(late, client)
	if err == nil && errors.Is(kerr.ErrorForCode(resp.ErrorCode), kerr.MemberIDRequired) {
		join.MemberID = resp.MemberID
		defer leave(late, client, group, resp.MemberID)
		resp, err = join.RequestWith(ctx, client)
	}
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// leave removes a member from its group. If it fails, cleanUp cannot delete the group, and reports it.
func leave(ctx context.Context, client *kgo.Client, group, memberID string) {
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = memberID
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group, req.MemberID = group, memberID // MemberID is for versions before 3
	req.Members = append(req.Members, member)
	req.RequestWith(ctx, client)
}

// brief shortens an error for a table. For an error of Kafka it is the name that users can search for.
func brief(err error) string {
	if kafka, ok := err.(*kerr.Error); ok {
		return kafka.Message
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "no answer in time"
	}
	if system, ok := errors.AsType[syscall.Errno](err); ok {
		return system.Error()
	}
	return strings.TrimPrefix(err.Error(), "unable to dial: ")
}
