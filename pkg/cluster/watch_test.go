package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// A loss and a return are told once each, however many attempts to connect there are.
func TestWatchTellsOnce(t *testing.T) {
	said := capture(t)
	w := newWatch(&Cluster{program: cli.New("student", "", "")})
	w.answers = func(string) bool { return false } // so that only the hook brings the broker back
	second := kgo.BrokerMetadata{NodeID: 2, Host: "localhost", Port: 29093}
	start := kgo.BrokerMetadata{NodeID: -1, Host: "localhost", Port: 19093}
	connect := func(broker kgo.BrokerMetadata, err error) { w.OnBrokerConnect(broker, 0, nil, err) }

	connect(second, nil)
	said("")
	var attempts sync.WaitGroup
	for range 50 {
		attempts.Go(func() { connect(second, errors.New("out of order")) })
	}
	attempts.Wait()
	said("student: lost broker 2 (localhost:29093): out of order\n")
	connect(start, errors.New("out of order"))
	said("student: lost localhost:19093: out of order\n") // no number is known of it
	connect(second, kgo.ErrClientClosed)
	said("")
	connect(second, nil)
	said("student: back with broker 2\n")
	connect(second, nil)
	said("")
	connect(second, errors.New("again"))
	said("student: lost broker 2 (localhost:29093): again\n")
	connect(second, nil)
	said("student: back with broker 2\n")
	connect(start, nil)
	said("student: back with localhost:19093\n")
}

// capture returns a function that holds what programs made from now on said since its last call
// against what they were to say.
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
