package cluster

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// Each change is reported once, for any number of attempts to connect.
func TestWatchReportsOnce(t *testing.T) {
	said := capture(t)
	w := newWatch(&Cluster{program: cli.New("student", "", "")})
	w.answers = func(string) bool { return false } // so that only the hook brings the broker back
	second := kgo.BrokerMetadata{NodeID: 2, Host: "localhost", Port: 29093}
	start := kgo.BrokerMetadata{NodeID: -1, Host: "localhost", Port: 19093}
	connect := func(broker kgo.BrokerMetadata, err error) { w.OnBrokerConnect(broker, 0, nil, err) }
	answer := func(broker kgo.BrokerMetadata, key kmsg.Key, err error) {
		w.OnBrokerE2E(broker, key.Int16(), kgo.BrokerE2E{ReadErr: err})
	}

	connect(second, nil)
	said("")
	var attempts sync.WaitGroup
	for range 50 {
		attempts.Go(func() { connect(second, errors.New("out of order")) })
	}
	attempts.Wait()
	said("student: broker 2 (localhost:29093) is unreachable: out of order\n")
	connect(start, errors.New("out of order"))
	said("student: localhost:19093 is unreachable: out of order\n") // the client does not know its number
	connect(second, kgo.ErrClientClosed)
	said("")
	connect(second, nil)
	answer(second, kmsg.ApiVersions, nil)
	answer(second, kmsg.Metadata, io.EOF)
	said("") // it accepts connections, but answers no client
	answer(second, kmsg.Metadata, nil)
	said("student: broker 2 is reachable again\n")
	answer(second, kmsg.Metadata, nil)
	said("")
	connect(second, errors.New("again"))
	said("student: broker 2 (localhost:29093) is unreachable: again\n")
	answer(second, kmsg.Produce, nil)
	said("student: broker 2 is reachable again\n")
	answer(start, kmsg.Metadata, nil)
	said("student: localhost:19093 is reachable again\n")
}

// A program gives up when no broker has answered for too long. One that answers is enough.
func TestSilence(t *testing.T) {
	capture(t)
	w := newWatch(&Cluster{program: cli.New("student", "", "")})
	w.answers = func(string) bool { return false }
	w.interval, w.patience = time.Millisecond, 200*time.Millisecond
	gaveUp := make(chan error, 2)
	w.silent = func(err error) { gaveUp <- err }
	first := kgo.BrokerMetadata{NodeID: 1, Host: "localhost", Port: 19093}
	second := kgo.BrokerMetadata{NodeID: 2, Host: "localhost", Port: 29093}
	w.OnBrokerConnect(second, 0, nil, errors.New("out of order"))
	for end := time.Now().Add(3 * w.patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		w.OnBrokerE2E(first, kmsg.Heartbeat.Int16(), kgo.BrokerE2E{})
	}
	select {
	case err := <-gaveUp:
		t.Fatalf("although a broker answers: %v", err)
	default:
	}
	w.OnBrokerConnect(first, 0, nil, errors.New("out of order"))
	want := "no broker has answered for 200ms: localhost:19093,localhost:29093"
	if err := <-gaveUp; err.Error() != want || cli.HintOf(err) == "" {
		t.Errorf("%v, want %s and a hint", err, want)
	}
	w.OnBrokerE2E(first, kmsg.Heartbeat.Int16(), kgo.BrokerE2E{})
	w.OnBrokerE2E(second, kmsg.Heartbeat.Int16(), kgo.BrokerE2E{}) // ends both probes
	if len(gaveUp) > 0 {
		t.Error("called twice")
	}
}

// capture returns a function that compares what programs have printed since its last call with what
// they should print. It is for programs that are made after it.
func capture(t *testing.T) func(want string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stderr")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	stderr := os.Stderr
	os.Stderr = file
	t.Cleanup(func() {
		os.Stderr = stderr
		file.Close()
	})
	seen := 0
	return func(want string) {
		t.Helper()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(text[seen:]); got != want {
			t.Errorf("said %q, want %q", got, want)
		}
		seen = len(text)
	}
}
