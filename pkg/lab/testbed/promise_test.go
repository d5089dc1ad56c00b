package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/process"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hasty": hasty})
}

// hasty BROKERS TOPIC GROUP is a member that reports its partitions too early, as a bare client does:
// it reports them when the group assigns them, and asks for their end offsets later. It prints messages
// until it gets the message "end".
func hasty() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Args[1], ",")...),
		kgo.ConsumeTopics(os.Args[2]),
		kgo.ConsumerGroup(os.Args[3]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			fmt.Fprintln(os.Stderr, "assigned 16 of 16 partitions: 0-15")
		}),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
	for {
		for _, message := range client.PollFetches(context.Background()).Records() {
			if string(message.Value) == "end" {
				return
			}
			fmt.Println(string(message.Value))
		}
	}
}

// The check fails for a member that does not receive the message. On this cluster, a member learns the
// end offsets of its partitions only after the message was produced.
func TestBrokenPromise(t *testing.T) {
	e, err := startEmbedded(broker.Config{}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.embedded.Close)
	s, err := prepare(e, t.TempDir(), t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	produced := make(chan struct{})
	onProduce := sync.OnceFunc(func() { close(produced) })
	fake := e.embedded.Kfake()
	fake.ControlKey(kmsg.Produce.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		onProduce()
		return nil, nil, false
	})
	fake.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		fake.SleepControl(func() { <-produced })
		return nil, nil, false
	})

	program, err := exec.LookPath("hasty")
	if err != nil {
		t.Fatal(err)
	}
	p := process.New(exec.Command(program, strings.Join(e.brokers, ","), s.topic, "group"))
	checked := make(chan error, 1)
	go func() { checked <- s.checkPromise(p, 0) }()

	// The check would wait for the missed message until Timeout. Later messages show that the member
	// reads, and end it.
	var later <-chan time.Time
	for started := produced; ; {
		select {
		case <-started:
			started, later = nil, time.Tick(50*time.Millisecond)
		case <-later:
			if err := s.produce(t.Context(), kgo.StringRecord("end")); err != nil {
				t.Fatal(err)
			}
		case err := <-checked:
			if err == nil || !strings.HasPrefix(err.Error(), "ended without ") || !strings.Contains(err.Error(), "message 0") {
				t.Errorf("%v\n%s%s", err, &p.Stdout, &p.Stderr)
			}
			return
		}
	}
}
