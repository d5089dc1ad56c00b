//go:build js && wasm

// Tab is Kafka in a browser tab: three brokers, the programs of the sections, and what watches them. The page asks
// it questions, and it posts the answers.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"syscall/js"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"tkafka/classroom/playground/tab/inside"
	"tkafka/pkg/cli"
	"tkafka/pkg/lab/broker"
	"tkafka/pkg/watch/observer"
)

const topic = "client60"

// The limits of a tab: it has one core, and keeps all messages in memory.
const mostMembers, mostBytes, mostMessages = 24, 10_000, 20_000

var (
	members   []*member // the oldest one first
	sent      int       // messages
	groupName = regexp.MustCompile(`^[\w.-]{1,60}$`)
)

// question is what the page asks for. The fields after What depend on it.
type question struct {
	Number    int
	What      string // picture, send, start, stop or kill
	Version   int64  // of the last picture
	Program   string
	Line, Key string
	Count     int // of messages
	Group     string
	StoreTime time.Duration
}

func main() {
	options := kfake.BrokerConfigs(map[string]string{"group.share.session.timeout.ms": fmt.Sprint(inside.SessionTimeout.Milliseconds())})
	inside.Brokers = must(broker.Start(broker.Config{Topics: []string{topic}, Options: []kfake.Opt{options}}))
	source := must(observer.Start(context.Background(), must(inside.Brokers.Client()), topic))
	js.Global().Set("onmessage", js.FuncOf(func(_ js.Value, args []js.Value) any {
		var q question
		json.Unmarshal([]byte(args[0].Get("data").String()), &q)
		go func() {
			answer, err := "", error(nil)
			switch q.What {
			case "picture":
				ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
				defer cancel()
				picture, _ := source.Next(ctx, q.Version) // null after five seconds
				answer = string(must(json.Marshal(picture)))
			case "send":
				err = q.send()
			case "start":
				err = q.start()
			default:
				answer, err = q.end()
			}
			if err != nil {
				answer = err.Error()
			}
			js.Global().Call("postMessage", []any{q.Number, answer, err != nil})
		}()
		return nil
	}))
	js.Global().Call("postMessage", []any{"ready"})
	select {}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err) // the page reports that Kafka has ended
	}
	return value
}

// A member is a run of a program that reads.
type member struct {
	group      string
	stop, kill func() // as Ctrl-C and SIGKILL do
	ended      chan struct{}
}

// run runs the program until it ends, or its client is killed. Here other programs continue, so the client must end, too.
func (q *question) run(stopped, life context.Context, kill func()) {
	defer kill()
	run := &inside.Run{Life: life, Lines: q.lines, Key: q.Key, StoreTime: q.StoreTime * time.Second}
	if err := inside.Programs[q.Program](inside.With(stopped, run), []string{topic, q.Group}); err != nil && stopped.Err() == nil {
		cli.Warn(err)
	}
}

// lines yields the line, or so many others.
func (q *question) lines(yield func(int, []byte) bool) {
	for n := 1; n <= q.Count; n++ {
		line := q.Line
		if q.Count > 1 {
			line = fmt.Sprint("message ", n)
		}
		if !yield(n, []byte(line)) {
			return
		}
	}
}

func (q *question) send() error {
	switch {
	case q.Count == 1 && len(q.Line) > mostBytes:
		return fmt.Errorf("This line has %s bytes. In this tab, a line has at most %s.", cli.Count(len(q.Line)), cli.Count(mostBytes))
	case sent+q.Count > mostMessages:
		return fmt.Errorf("You have sent %s messages, and this tab keeps at most %s. Reload the page to start again.", cli.Count(sent), cli.Count(mostMessages))
	}
	sent += q.Count
	cli.Typing = q.Count == 1 // then the producer prints the partition and the offset
	life, kill := context.WithCancel(context.Background())
	q.run(life, life, kill)
	return nil
}

func (q *question) start() error {
	switch {
	case len(members) == mostMembers:
		return fmt.Errorf("%d members run, and this tab has no room for more. Stop some of them.", mostMembers)
	case !groupName.MatchString(q.Group):
		return fmt.Errorf("The name of a group has at most 60 letters, digits, dots, hyphens and underscores.")
	}
	life, kill := context.WithCancel(context.Background())
	stopped, stop := context.WithCancel(life)
	m := &member{q.Group, stop, kill, make(chan struct{})}
	members = append(members, m)
	go func() {
		q.run(stopped, life, kill)
		m.remove()
		close(m.ended)
	}()
	return nil
}

func (m *member) remove() {
	members = slices.DeleteFunc(members, func(other *member) bool { return other == m })
}

// end stops or kills the newest member of the group.
func (q *question) end() (string, error) {
	for _, m := range slices.Backward(members) {
		if m.group != q.Group {
			continue
		}
		m.remove()
		if q.What == "stop" {
			m.stop()
			return "The member leaves the group, so others get its partitions at once.", nil
		}
		js.Global().Set("muted", true) // a killed program prints nothing more
		m.kill()
		<-m.ended
		js.Global().Set("muted", false)
		return fmt.Sprintf("The group misses a killed member after %d seconds, by default 45 (session.timeout.ms). Until then, nobody "+
			"reads its partitions.", inside.SessionTimeout/time.Second), nil
	}
	return "", fmt.Errorf("No member of the group %s runs.", q.Group)
}
