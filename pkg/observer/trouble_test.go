package observer

import (
	"errors"
	"testing"
	"time"

	"tkafka/pkg/cli"
)

// The first error of a trouble is often that of a connection. The reason that comes later is reported, too,
// once.
func TestReasonComesLater(t *testing.T) {
	o, now := New(nil, "client60"), time.Now()
	closed := errors.New("the connection was closed at once")
	refused := cli.WithHint(errors.New("the broker refuses our certificate"), "ask for a new folder")
	for _, err := range []error{closed, closed, refused, closed, refused} {
		p := &problems{}
		p.add("the cluster", err)
		o.applyTrouble(p, now)
		now = now.Add(2 * time.Second)
	}
	o.applyTrouble(&problems{}, now)
	want := []string{"the cluster: the connection was closed at once", "the cluster: the broker refuses our certificate", "everything answers again, after 10.0 s"}
	if len(o.newEvents) != len(want) {
		t.Fatalf("%+v", o.newEvents)
	}
	for i, event := range o.newEvents {
		if event.Text != want[i] {
			t.Errorf("%q, want %q", event.Text, want[i])
		}
	}
}
