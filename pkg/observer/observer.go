package observer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	keptEvents   = 1000
	keptMessages = 500
)

// Observer watches one topic. Any goroutine may call its methods.
type Observer struct {
	// Explain turns an error about what, such as "topic client60" or "group g", into one for people, as
	// [tkafka/pkg/cluster.Cluster.Explain] does. Set it before Run; nil leaves errors as they are.
	Explain func(err error, what string) error

	client *kgo.Client
	topic  string
	wake   chan struct{} // a viewer waits for a round

	mu       sync.Mutex // guards what follows
	viewers  map[*viewer]bool
	picture  *Picture
	events   []Event
	messages []Message
}

// New returns an observer of the topic. The client has the addresses of the brokers and the TLS
// configuration; the observer makes clients with the same options.
func New(client *kgo.Client, topic string) *Observer {
	return &Observer{
		client: client, topic: topic, wake: make(chan struct{}, 1),
		viewers: make(map[*viewer]bool),
		picture: &Picture{Time: time.Now(), Topic: Topic{Name: topic}},
	}
}

// Run watches the topic until the end of ctx, and returns its error. It survives the loss of brokers, of
// rights and of the certificate: Picture.Trouble describes the loss, and there are events Lost and Back.
func (o *Observer) Run(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Picture returns the newest picture. It is never nil, and never changes.
func (o *Observer) Picture() *Picture {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.picture
}

// Events returns the last 1,000 events, oldest first.
func (o *Observer) Events() []Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.events)
}

// Messages returns the newest 500 messages, oldest first.
func (o *Observer) Messages() []Message {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.messages)
}

// Rates returns how many messages arrived in each second of the last five minutes.
func (o *Observer) Rates() Rates { return Rates{End: time.Now().Truncate(time.Second)} }

// hurry makes the next round start now.
func (o *Observer) hurry() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}
