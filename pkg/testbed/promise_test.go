package testbed

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"hasty": hasty})
}

// hasty BROKERS TOPIC GROUP is a member that speaks too early, as a bare client does: it says that
// it holds its partitions when the group gives them to it, and asks where they end later. It prints
// messages until one says "end".
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

// A member that does not keep the promise is found out, on a cluster where it learns the ends of
// its partitions only after a message was produced.
func TestBrokenPromise(t *testing.T) {
	cluster, ca, err := startEmbedded(embedded.Config{}, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := &bed{topic: "topic"}
	if err := b.use(cluster, ca, filepath.Join(t.TempDir(), "auth"), "student"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.client.Close)
	if err := b.makeTopic(b.topic); err != nil {
		t.Fatal(err)
	}
	produced := make(chan struct{})
	onProduce := sync.OnceFunc(func() { close(produced) })
	fake := cluster.Kfake()
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
	p := &process{
		cmd:   exec.Command(program, strings.Join(cluster.Brokers(), ","), b.topic, "group"),
		ended: make(chan struct{}),
	}
	kept := make(chan error, 1)
	go func() { kept <- p.keepPromise(b, 0) }()

	// The check would wait for the missed message as long as Patience lasts. Later ones show that the
	// member is listening, and end it.
	var later <-chan time.Time
	for started := produced; ; {
		select {
		case <-started:
			started, later = nil, time.Tick(50*time.Millisecond)
		case <-later:
			if err := b.produce(t.Context(), 0, nil, "end"); err != nil {
				t.Fatal(err)
			}
		case err := <-kept:
			if want := `ended without "message 0$"`; err == nil || err.Error() != want {
				t.Errorf("%v, want %s\n%s%s", err, want, &p.stdout, &p.stderr)
			}
			return
		}
	}
}
