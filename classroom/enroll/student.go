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

	"tkafka/pkg/group"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// student is what the check of one student has found.
type student struct {
	Name        string
	Expires     string // the date on which the certificate ends
	Certificate result
	Topic       result // it exists, with the right number of partitions and replicas
	Write       result // the student can write to the own topic
	Read        result // and read it, as a group
	Others      result // the student cannot use another student's topic
	ReadOnly    result // the student can read the topics for all, but not write to them
	Problems    []string
}

// set sets a result. An error is a problem.
func (s *student) set(part *result, what string, err error) {
	if *part = ok; err != nil {
		*part = wrong
		s.Problems = append(s.Problems, what+": "+brief(err))
	}
}

// checkStudent logs in with the folder that the student gets, and does what the student will do.
func (c *checker) checkStudent(ctx context.Context, name string, metadata kadm.Metadata) *student {
	ctx, cancel := context.WithTimeout(ctx, studentTime)
	defer cancel()
	s := &student{Name: name, Write: skipped, Read: skipped, Others: skipped, ReadOnly: skipped}
	topic := metadata.Topics[name]
	s.set(&s.Topic, "topic", errors.Join(topic.Err, c.topics.flawOf(topic, len(metadata.Brokers))))

	client, err := c.logIn(ctx, s)
	if s.set(&s.Certificate, "certificate", err); err != nil {
		return s
	}
	defer client.Close()
	s.set(&s.Write, "write", c.write(ctx, client, name))
	if s.Write == ok {
		s.set(&s.Read, "read", read(ctx, client, name))
	}
	if other := c.students[(slices.Index(c.students, name)+1)%len(c.students)]; other != name {
		s.set(&s.Others, "others", refused(ctx, client, other))
	}
	for _, topic := range c.topics.ReadOnly {
		err = errors.Join(err, c.onlyRead(ctx, client, topic))
	}
	if len(c.topics.ReadOnly) > 0 {
		s.set(&s.ReadOnly, "read-only", err)
	}
	return s
}

// logIn checks the student's certificate and connects to the cluster.
func (c *checker) logIn(ctx context.Context, s *student) (*kgo.Client, error) {
	found, err := settings.InFolder(c.class.student(s.Name))
	if err != nil {
		return nil, err
	}
	config, err := tlsconf.Load(found.Folder, found.Password, nil)
	if err != nil {
		return nil, err
	}
	presented, err := config.GetClientCertificate(nil)
	if err != nil {
		return nil, err
	}
	own := presented.Leaf
	s.Expires = own.NotAfter.UTC().Format(time.DateOnly)
	if name := own.Subject.CommonName; strings.ToLower(name) != s.Name {
		return nil, fmt.Errorf("%s: this is the certificate of %s", found.Folder, name)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(found.Brokers...),
		kgo.DialTLSConfig(config),
		kgo.AllowIdempotentProduceCancellation(), // a stopped check does not wait for a broker
		// The group begins one minute ago. It reads nothing before AddConsumeTopics.
		kgo.ConsumerGroup(groupPrefix+s.Name),
		kgo.ConsumeResetOffset(kgo.RewindOffset(time.Minute)),
		kgo.SessionTimeout(sessionTime),
		kgo.DisableAutoCommit(),
	)
	if err != nil {
		return nil, err
	}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("cannot log in: %s", brief(err))
	}
	return client, nil
}

// write writes a message to the student's topic.
func (c *checker) write(ctx context.Context, client *kgo.Client, topic string) error {
	message := &kgo.Record{Topic: topic, Key: []byte(messageKey), Value: []byte(messageValue)}
	if err := client.ProduceSync(ctx, message).FirstErr(); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.written.AddOffset(topic, message.Partition, message.Offset+1, -1)
	return nil
}

// read reads the message as a member of a group, and leaves the group. It returns at once if a right is
// missing. Other errors can go away: a coordinator that has just started can forget a new member.
func read(ctx context.Context, client *kgo.Client, topic string) error {
	client.AddConsumeTopics(topic)
	defer group.Leave(client)
	var last error
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		for record := range fetches.RecordsAll() {
			if string(record.Key) == messageKey {
				return nil
			}
		}
		for _, failed := range fetches.Errors() {
			if ctx.Err() == nil {
				last = failed.Err
			}
			if errors.Is(last, kerr.GroupAuthorizationFailed) || errors.Is(last, kerr.TopicAuthorizationFailed) {
				return last
			}
		}
	}
	if last != nil {
		return last
	}
	return ctx.Err()
}

// refused asks for the offsets of another student's topic, as each consumer does at its start. Each right to a
// topic includes the right to ask.
func refused(ctx context.Context, client *kgo.Client, topic string) error {
	offsets, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = offsets.Error()
	}
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return nil
	case err == nil:
		return fmt.Errorf("may use topic %s", topic)
	}
	return fmt.Errorf("topic %s: %w", topic, err)
}

// onlyRead asks for the student's rights to a topic that all may read. If nothing is wrong, it proves them: it tries
// to write a message.
func (c *checker) onlyRead(ctx context.Context, client *kgo.Client, topic string) error {
	metadata, err := kadm.NewClient(client).Metadata(fresh(ctx), topic)
	if err == nil {
		err = metadata.Topics.Error()
	}
	rights := metadata.Topics[topic].AuthorizedOperations
	switch {
	case err != nil:
		return fmt.Errorf("topic %s: %s", topic, brief(err))
	case !slices.Contains(rights, kadm.OpRead):
		return fmt.Errorf("may not read topic %s", topic)
	case slices.Contains(rights, kadm.OpWrite):
		return fmt.Errorf("may write to topic %s", topic)
	}
	if err := c.write(ctx, client, topic); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		return fmt.Errorf("topic %s does not refuse a message: %v", topic, err)
	}
	return nil
}

// brief shortens an error for a table. For an error of Kafka it is the name that users can search for.
func brief(err error) string {
	kafka, isKafka := errors.AsType[*kerr.Error](err)
	system, isSystem := errors.AsType[syscall.Errno](err)
	switch {
	case isKafka:
		return kafka.Message
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return "no answer in time"
	case isSystem:
		return system.Error()
	}
	return strings.TrimPrefix(err.Error(), "unable to dial: ")
}
