package testbed

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Bench is what a script has, for a test in Go: an empty topic of its own on the cluster of the scripts.
// At the end of the test the topic and the groups that have read it are deleted.
type Bench struct {
	Dir   string // where programs run: it has the folder auth/
	Topic string // 16 partitions, empty
	Group string // not used before

	environment environment
}

// NewBench returns a bench. With a student's folder it skips the test.
func NewBench(t *testing.T) *Bench {
	t.Helper()
	e := newEnvironment(t)
	if e.student != "" {
		t.Skip("needs a topic of its own")
	}
	s, err := prepare(e, t.TempDir(), t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	return &Bench{s.dir, s.topic, s.group, e}
}

// Client returns a client that may do everything. The test closes it at its end.
func (b *Bench) Client(t *testing.T, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := b.environment.client(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseAllowingRebalance)
	return client
}
