package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

func sampleReport() *report {
	r := &report{
		Cluster: []finding{
			{"broker 1", ok, "localhost:19093: its certificate ends on 2027-01-01"},
			{"copies", wrong, "1 partition\tlack \x1b[2Ja copy"},
		},
		Students: []visited{
			{Student: "client1", Expires: "2027-01-01", Certificate: ok, Topic: ok, Write: ok, Read: ok, Others: ok, Group: ok},
			{Student: "client10", Expires: "2027-01-01", Certificate: note, Topic: ok, Write: wrong, Read: ok, Others: skipped, Group: ok,
				Problems: []string{"write: TOPIC_AUTHORIZATION_FAILED"}},
		},
	}
	r.judge()
	return r
}

func TestTable(t *testing.T) {
	var text strings.Builder
	if err := sampleReport().writeTable(&text); err != nil {
		t.Fatal(err)
	}
	want := `CLUSTER   RESULT  DETAIL
broker 1  ok      localhost:19093: its certificate ends on 2027-01-01
copies    WRONG   1 partition lack \x1b[2Ja copy

STUDENT   CERTIFICATE  UNTIL       TOPIC  WRITE  READ  OTHERS  GROUP  PROBLEMS
client1   ok           2027-01-01  ok     ok     ok    ok      ok
client10  note         2027-01-01  ok     WRONG  ok    -       ok     write: TOPIC_AUTHORIZATION_FAILED
`
	if text.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", text.String(), want)
	}
}

func TestJSON(t *testing.T) {
	var text strings.Builder
	if err := sampleReport().writeJSON(&text); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal([]byte(text.String()), &back); err != nil {
		t.Fatal(err)
	}
	if back.OK || back.Students[1].Write != wrong || back.Cluster[0].Result != ok {
		t.Errorf("read back: %+v", back)
	}
}

func TestSummary(t *testing.T) {
	if got, want := sampleReport().summary(), "wrong: 1 of 2 lines about the cluster, 1 of 2 students"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	good := &report{Cluster: []finding{{"traces", note, "left"}}, Students: []visited{{Student: "client1"}}}
	good.judge()
	if !good.OK {
		t.Error("a note makes a report wrong")
	}
}

func TestApart(t *testing.T) {
	sent := time.Date(2026, 10, 1, 12, 0, 0, 900_000, time.UTC)
	heard := sent.Add(20 * time.Millisecond)
	for _, test := range []struct {
		shown time.Time
		want  time.Duration
		words string
	}{
		{sent.Truncate(time.Millisecond), 0, "like ours"},
		{sent.Add(10 * time.Millisecond), 0, "like ours"},
		{heard.Add(3 * time.Second), 3 * time.Second, "3s ahead of us"},
		{sent.Add(-time.Minute), -time.Minute, "1m0s behind us"},
	} {
		got := apart(test.shown, sent, heard)
		if got != test.want || aheadOrBehind(got) != test.words {
			t.Errorf("%v: %v, %s", test.shown, got, aheadOrBehind(got))
		}
	}
}

func TestJudgeClocks(t *testing.T) {
	brokers := kadm.BrokerDetails{{NodeID: 1}, {NodeID: 2}}
	for _, test := range []struct {
		ahead []time.Duration
		want  finding
	}{
		{[]time.Duration{0, mostApart}, finding{"clocks", ok, "broker 1 like ours, broker 2 10s ahead of us"}},
		{[]time.Duration{11 * time.Second, 0}, finding{"clocks", wrong, "broker 1 11s ahead of us, broker 2 like ours"}},
		{[]time.Duration{0, -time.Hour}, finding{"clocks", wrong, "broker 1 like ours, broker 2 1h0m0s behind us"}},
	} {
		if got := judgeClocks(brokers, test.ahead); got != test.want {
			t.Errorf("%v: %+v", test.ahead, got)
		}
	}
}

func TestValidity(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		from, until time.Duration // from now on
		result      result
		words       string
	}{
		"good":          {-day, 30 * day, ok, "its certificate ends on "},
		"ends soon":     {-day, 13 * day, note, "its certificate ends soon, on "},
		"has ended":     {-2 * day, -day, wrong, "its certificate is not valid now (it ends "},
		"has not begun": {day, 30 * day, wrong, "its certificate is not valid now (it ends "},
	} {
		until := now.Add(test.until)
		got := validity(&x509.Certificate{NotBefore: now.Add(test.from), NotAfter: until})
		if got.result != test.result || !strings.HasPrefix(got.String(), test.words+until.UTC().Format(time.DateOnly)) {
			t.Errorf("%s: %s, %q", name, got.result, got)
		}
	}
}

func TestJudgeRetention(t *testing.T) {
	for name, test := range map[string]struct {
		by   map[time.Duration][]string
		want finding
	}{
		"all alike": {map[time.Duration][]string{time.Hour: {"a", "b"}},
			finding{"retention", ok, "messages are kept for 1h0m0s"}},
		"one differs": {map[time.Duration][]string{time.Hour: {"a", "b"}, time.Minute: {"c"}},
			finding{"retention", wrong, "messages are kept for 1h0m0s; kept for 1m0s: c"}},
		"for ever": {map[time.Duration][]string{-time.Millisecond: {"a"}},
			finding{"retention", wrong, "messages are kept for ever, until the disks are full"}},
	} {
		if got := judgeRetention(test.by); got != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestBar(t *testing.T) {
	if got, want := bar("topics", 150, 300), "[###############...............] 150 of 300 topics"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := bar("topics", 0, 0); !strings.Contains(got, "] 0 of 0") {
		t.Error(got)
	}
}

func TestEach(t *testing.T) {
	items := make([]int, 100)
	var done, now, most atomic.Int32
	err := each(t.Context(), 4, items, func(context.Context, int) error {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		done.Add(1)
		return nil
	})
	if err != nil || done.Load() != 100 || most.Load() > 4 {
		t.Errorf("%v, %d done, %d at once", err, done.Load(), most.Load())
	}

	broken := errors.New("broken")
	done.Store(0)
	err = each(t.Context(), 1, items, func(context.Context, int) error {
		done.Add(1)
		return broken
	})
	if err != broken || done.Load() > 2 {
		t.Errorf("%v after %d items", err, done.Load())
	}

	stopped, stop := context.WithCancel(t.Context())
	stop()
	err = each(stopped, 1, items, func(context.Context, int) error { return broken })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
}
