package group

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
)

// goneTime is how long the metadata must be without the topic. A broker that has just started knows no
// topic for a moment.
const goneTime = 3 * time.Second

// retryPause is the time between two attempts.
const retryPause = 250 * time.Millisecond

// topicID is the ID of a topic (KIP-516). It is zero before Kafka 2.8. A topic that is deleted and
// created again has another one.
type topicID = [16]byte

// anew is the error of a topic that was deleted and created again.
type anew struct{ id topicID }

func (*anew) Error() string { return "created anew" }

// aboutTopic reports whether the error is about the topic, even if the request was for the group.
func aboutTopic(err error) bool { return errors.Is(err, kerr.TopicAuthorizationFailed) || isGone(err) }

// isGone reports whether a broker does not know the topic. See confirm.
func isGone(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// isAnew returns the error of a topic that was created anew, or nil.
func isAnew(err error) *anew {
	created, _ := errors.AsType[*anew](err)
	return created
}

// errNotYet replaces the error of a broker that does not know the topic for a moment.
var errNotYet = errors.New("a broker does not know the topic yet")

// confirm returns the error, except that of a broker that does not know the topic or the member. Then
// it asks about the topic for up to goneTime: does it exist, and is it still the one that we read? A
// cluster that starts without its data knows neither the member nor the topic.
func (m *Member) confirm(ctx context.Context, err error) error {
	if !isGone(err) && !cluster.IsOut(err) && isAnew(err) == nil {
		return err
	}
	found := m.look(ctx)
	for aboutTopic(found) && m.goneFor() < goneTime {
		if !cli.Pause(ctx, retryPause) {
			return ctx.Err()
		}
		found = m.look(ctx)
	}
	switch {
	case found != nil:
		return found
	case cluster.IsOut(err):
		return err
	}
	return errNotYet
}

// look asks a broker about the topic. No answer is no error.
func (m *Member) look(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(m.topic)
	req.Topics = append(req.Topics, topic)
	resp, err := req.RequestWith(asking, m.client)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil || len(resp.Topics) == 0 {
		return ctx.Err()
	}
	found := resp.Topics[0]
	if err := kerr.ErrorForCode(found.ErrorCode); aboutTopic(err) {
		if m.goneSince.IsZero() {
			m.goneSince = time.Now()
		}
		return err
	}
	m.goneSince = time.Time{}
	if found.TopicID != m.topicID {
		return &anew{found.TopicID}
	}
	return nil
}

// goneFor returns how long the metadata has been without the topic.
func (m *Member) goneFor() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.goneSince.IsZero() {
		return 0
	}
	return time.Since(m.goneSince)
}

// startAnew makes the client read the topic that was created anew. The client itself refuses it: the
// positions that it has belong to the old topic. Then the member joins the group again.
func (m *Member) startAnew(ctx context.Context, created *anew) {
	m.mu.Lock()
	m.topicID, m.printed, m.marked = created.id, nil, nil
	m.mu.Unlock()
	m.program.Say("topic %s was created anew: its messages and offsets start at 0 again", m.topic)
	done := make(chan struct{})
	go func() {
		m.client.PurgeTopicsFromClient(m.topic) // waits for the metadata, and knows no ctx
		m.client.AddConsumeTopics(m.topic)
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
