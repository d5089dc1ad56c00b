//go:build js && wasm

// Package tab is Kafka in a browser tab: three brokers, the programs of the sections, and what watches them. The page
// sends it orders, and it posts what happens.
package tab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall/js"
	"time"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/broker"
	"tkafka/pkg/watch/observer"
)

const (
	topic          = "client60"
	sessionTimeout = 6 * time.Second // by default 45 s: nobody should wait so long for a killed member
	mostMembers    = 24              // a tab has one core,
	mostMessages   = 20_000          // and keeps all messages in memory
)

var (
	programs = make(map[string]func(ctx context.Context, args []string) error)
	Brokers  *broker.Cluster // the programs need their addresses
	members  []*Order        // that run, the oldest one first
	sent     int             // messages
)

// Main starts everything, and posts each picture.
func Main() {
	lock := map[string]string{"group.share.session.timeout.ms": fmt.Sprint(sessionTimeout.Milliseconds())}
	Brokers = must(broker.Start(broker.Config{Topics: []string{topic}, Options: []kfake.Opt{kfake.BrokerConfigs(lock)}}))
	source := must(observer.Start(context.Background(), must(Brokers.Client()), topic))
	js.Global().Set("onmessage", js.FuncOf(func(_ js.Value, args []js.Value) any {
		order := new(Order)
		json.Unmarshal([]byte(args[0].Get("data").String()), order)
		go order.do()
		return nil
	}))
	for version := int64(0); ; {
		picture := must(source.Next(context.Background(), version))
		version = picture.Version
		post("picture", js.Global().Get("JSON").Call("parse", string(must(json.Marshal(picture)))))
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err) // the page reports that Kafka has ended
	}
	return value
}

func post(what string, detail any) { js.Global().Call("postMessage", []any{what, detail}) }

// Order is what the page wants, and the run of a program for it. The fields after What depend on it.
type Order struct {
	What      string // send, start, stop or kill
	Program   string
	Lines     string // of a producer
	Group     string
	StoreTime time.Duration `json:",string"` // in seconds

	life, stopped context.Context   // end when the program is killed, and when it should stop
	end           map[string]func() // stop as Ctrl-C does, and kill as SIGKILL does
}

func (o *Order) do() {
	switch o.What {
	case "send":
		count := strings.Count(o.Lines, "\n") + 1
		if sent+count > mostMessages {
			post("note", fmt.Sprintf("You have sent %s messages, and this tab keeps at most %s. Reload the page to start again.",
				cli.Count(sent), cli.Count(mostMessages)))
			return
		}
		sent += count
		cli.Typing = count == 1 // then the producer prints the partition and the offset
		o.run()
	case "start":
		if len(members) == mostMembers {
			post("note", fmt.Sprintf("%d members run, and this tab has no room for more. Stop some of them.", mostMembers))
			return
		}
		members = append(members, o)
		o.run()
		members = slices.DeleteFunc(members, func(m *Order) bool { return m == o })
	default:
		for _, m := range slices.Backward(members) {
			if m.Group == o.Group && m.stopped.Err() == nil {
				js.Global().Set("muted", o.What == "kill") // a killed program prints nothing more
				m.end[o.What]()
				return
			}
		}
		post("note", fmt.Sprintf("No member of the group %s runs.", o.Group))
	}
}

// run runs the program until it ends, or is killed. Other programs continue here, so its client must end, too.
func (o *Order) run() {
	var kill, stop func()
	o.life, kill = context.WithCancel(context.Background())
	o.stopped, stop = context.WithCancel(o.life)
	o.end = map[string]func(){"stop": stop, "kill": kill}
	err := programs[o.Program](context.WithValue(o.stopped, key{}, o), []string{topic, o.Group})
	if err != nil && o.stopped.Err() == nil {
		cli.Warn(err)
	}
	kill()
	js.Global().Set("muted", false)
}

// The rest is what the programs call here, where there are no terminal, no files and no network.

type key struct{}

// Of returns the order that has started the program.
func Of(ctx context.Context) *Order { return ctx.Value(key{}).(*Order) }

// Lines returns what the student types.
func Lines(ctx context.Context) [][]byte { return bytes.Split([]byte(Of(ctx).Lines), []byte("\n")) }

// Add adds a program. Each has flags of its own.
func Add(name, _, _ string, work func(ctx context.Context, args []string) error) {
	programs[name] = work
	pflag.CommandLine = pflag.NewFlagSet(name, pflag.ContinueOnError)
}

// NewClient makes a client that ends when its program is killed, and that is quicker than by default.
func NewClient(ctx context.Context, options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.Dialer(Brokers.Dial), kgo.WithContext(Of(ctx).life),
		kgo.SessionTimeout(sessionTimeout), kgo.AutoCommitInterval(time.Second))...)
}
