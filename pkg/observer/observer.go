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
	client *kgo.Client // of the program
	asker  *kgo.Client // asks the cluster; set by Run
	topic  string
	wake   chan struct{} // a viewer waits for a round
	dirty  chan struct{} // there is something to publish

	rounds schedule // only the goroutine of the rounds uses it

	mu           sync.Mutex // guards what follows
	started      bool       // the first complete round is over: from now on, what is new has just come
	answered     time.Time  // when the cluster last answered
	exists       bool       // the topic
	topicID      [16]byte   // of the topic when it was last seen
	anew         int
	unknownSince time.Time // since then, no broker knows the topic
	partitions   []*partition
	groups       map[string]*group
	active       time.Time       // when a message or a commit was last seen
	troubleSince time.Time       // since then, answers are missing; zero: there is no trouble
	trouble      *Trouble        // nil while the trouble may be over in a moment
	hints        map[string]bool // that this trouble has had
	readAgain    chan struct{}

	viewers     map[*viewer]bool
	picture     *Picture
	events      []Event
	messages    []Message
	lastEvent   int64
	newEvents   []Event // not published yet
	newMessages []Message
	skipped     int
}

// New returns an observer of the topic. The client has the addresses of the brokers and the TLS
// configuration; the observer makes clients with the same options. The caller closes the client after Run.
func New(client *kgo.Client, topic string) *Observer {
	return &Observer{
		client: client, topic: topic, wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		readAgain: make(chan struct{}),
		rounds:    schedule{checked: make(map[string]checked)},
		groups:    make(map[string]*group),
		hints:     make(map[string]bool),
		viewers:   make(map[*viewer]bool),
		picture:   &Picture{Topic: Topic{Name: topic}},
	}
}

// Run watches the topic until the end of ctx, and returns its error. It survives the loss of brokers, of
// rights and of the certificate: Picture.Trouble describes the loss, and there are events Lost and Back.
func (o *Observer) Run(ctx context.Context) error {
	asker, err := kgo.NewClient(append(o.client.Opts(), askOptions()...)...)
	if err != nil {
		return err
	}
	defer asker.Close()
	o.asker = asker
	var all sync.WaitGroup
	all.Go(func() { o.readMessages(ctx) })
	all.Go(func() { o.publishAll(ctx) })
	for ctx.Err() == nil {
		next := time.After(o.round(ctx))
		select {
		case <-next:
		case <-o.wake:
		case <-ctx.Done():
		}
	}
	all.Wait()
	return ctx.Err()
}

// While watches the topic while work runs, and returns the first error of the two.
func (o *Observer) While(ctx context.Context, work func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- o.Run(ctx)
		stop()
	}()
	err := work(ctx)
	stop()
	if failed := <-ended; err == nil {
		err = failed
	}
	return err
}

// Picture returns the newest picture. It is never nil, and never changes. Its Time is zero until the
// cluster has answered.
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

// hurry makes the next round start now.
func (o *Observer) hurry() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// changed makes a new picture appear. The caller holds the lock.
func (o *Observer) changed() {
	select {
	case o.dirty <- struct{}{}:
	default:
	}
}

// publishAll publishes what has changed, at once but at most ten times a second.
func (o *Observer) publishAll(ctx context.Context) {
	for {
		select {
		case <-o.dirty:
			o.publish(time.Now())
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(updatePace):
		case <-ctx.Done():
			return
		}
	}
}

// publish draws the picture, and gives it to the viewers together with what is new.
func (o *Observer) publish(now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.picture = o.draw(now)
	o.messages = newest(append(o.messages, o.newMessages...), keptMessages)
	update := Update{Picture: o.picture, Events: o.newEvents, Messages: o.newMessages, Skipped: o.skipped}
	o.newEvents, o.newMessages, o.skipped = nil, nil, 0
	for v := range o.viewers {
		v.send(update)
	}
}
