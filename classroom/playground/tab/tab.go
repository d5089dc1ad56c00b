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
	members  []*Order        // that run, the newest one first
	sent     int             // messages
)

// Main starts everything, and posts each picture.
func Main() {
	lock := map[string]string{"group.share.session.timeout.ms": fmt.Sprint(sessionTimeout.Milliseconds())}
	config := broker.Config{Topics: []string{topic}, Options: []kfake.Opt{kfake.BrokerConfigs(lock)}}
	Brokers = must(broker.Start(config))
	source := must(observer.Start(context.Background(), must(Brokers.Client()), topic))
	js.Global().Set("onmessage", js.FuncOf(func(_ js.Value, args []js.Value) any {
		o := new(Order)
		json.Unmarshal([]byte(args[0].Get("data").String()), o)
		go o.do()
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

// An Order is what the page wants. The fields after What depend on it. It is the context of the program that it starts.
type Order struct {
	What, Program, Group string
	Lines                string        // of a producer
	StoreTime            time.Duration `json:",string"` // in seconds

	context.Context                   // ends when the program should stop
	life            context.Context   // ends when it is killed
	end             map[string]func() // stop as Ctrl-C does, and kill as SIGKILL does
}

func (o *Order) do() {
	count := strings.Count(o.Lines, "\n") + 1
	member := slices.IndexFunc(members, func(m *Order) bool { return m.Group == o.Group && m.Err() == nil })
	switch {
	case o.What == "send" && sent+count > mostMessages:
		post("refused", fmt.Sprintf("You have sent %s messages, and this tab keeps %s at most. Reload to start again.",
			cli.Count(sent), cli.Count(mostMessages)))
	case o.What == "send":
		sent += count
		cli.Typing = count == 1 // then the producer prints the partition and the offset
		o.run()
	case o.What == "start" && len(members) == mostMembers:
		post("refused", fmt.Sprintf("%d members run: this tab has room for no more. Stop some of them.", mostMembers))
	case o.What == "start":
		members = append([]*Order{o}, members...)
		o.run()
		members = slices.DeleteFunc(members, func(m *Order) bool { return m == o })
	case member < 0:
		post("note", fmt.Sprintf("No member of the group %s runs.", o.Group))
	default:
		js.Global().Set("muted", o.What == "kill") // a killed program prints nothing more
		members[member].end[o.What]()
	}
}

// run runs the program until it ends, or is killed. Other programs continue here, so its client must end, too.
func (o *Order) run() {
	var kill, stop func()
	o.life, kill = context.WithCancel(context.Background())
	o.Context, stop = context.WithCancel(o.life)
	o.end = map[string]func(){"stop": stop, "kill": kill}
	err := programs[o.Program](o, []string{topic, o.Group})
	if err != nil && o.Err() == nil {
		cli.Warn(err)
	}
	if o.life.Err() != nil {
		js.Global().Set("muted", false)
	}
	kill()
}

// The rest is what the programs call here, where there are no terminal, no files and no network.

// Add adds a program. Each has flags of its own.
func Add(name, _, _ string, work func(ctx context.Context, args []string) error) {
	programs[name] = work
	pflag.CommandLine = pflag.NewFlagSet(name, pflag.ContinueOnError)
}

// NewClient makes a client that ends when its program is killed, and that is quicker than by default.
func NewClient(ctx context.Context, options ...kgo.Opt) (*kgo.Client, error) {
	return Brokers.Client(append(options, kgo.WithContext(ctx.(*Order).life), kgo.SessionTimeout(sessionTimeout),
		kgo.AutoCommitInterval(time.Second))...)
}

// Lines returns what the student types.
func Lines(ctx context.Context) [][]byte {
	return bytes.Split([]byte(ctx.(*Order).Lines), []byte("\n"))
}
