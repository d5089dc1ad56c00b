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
)

func sampleReport() *report {
	r := &report{
		Cluster: []finding{
			{"broker 1", ok, "localhost:19093: its certificate ends on 2027-01-01"},
			{"copies", wrong, "1 partition\tlacks \x1b[2Ja copy"},
		},
		Students: []studentResult{
			{Student: "client1", Expires: "2027-01-01", Certificate: ok, Topic: ok, Write: ok, Read: ok, Others: ok, Group: ok},
			{Student: "client10", Expires: "2027-01-01", Certificate: note, Topic: ok, Write: wrong, Read: ok, Others: skipped, Group: ok,
				Problems: []string{"write: TOPIC_AUTHORIZATION_FAILED"}},
		},
	}
	return r
}

func TestTable(t *testing.T) {
	var text strings.Builder
	if err := sampleReport().writeTable(&text); err != nil {
		t.Fatal(err)
	}
	want := `CLUSTER   RESULT  DETAIL
broker 1  ok      localhost:19093: its certificate ends on 2027-01-01
copies    WRONG   1 partition lacks \x1b[2Ja copy

STUDENT   CERTIFICATE  UNTIL       TOPIC  WRITE  READ  OTHERS  GROUP  PROBLEMS
client1   ok           2027-01-01  ok     ok     ok    ok      ok     none
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
	bad := sampleReport()
	if got := bad.judge(); bad.OK || !strings.Contains(got, "1 of 2 lines") || !strings.Contains(got, "1 of 2 students") {
		t.Errorf("%v, %q", bad.OK, got)
	}
	good := &report{Cluster: []finding{{"traces", note, "left"}}, Students: []studentResult{{Student: "client1"}}}
	good.judge()
	if !good.OK {
		t.Error("a note makes a report wrong")
	}
}

func TestValidity(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		from, until time.Duration // from now on
		want        result
		detail      string
		date        time.Duration
	}{
		"good":          {-day, 30 * day, ok, "ends on ", 30 * day},
		"ends soon":     {-day, 13 * day, note, "ends soon, on ", 13 * day},
		"has ended":     {-2 * day, -day, wrong, "ended on ", -day},
		"has not begun": {day, 30 * day, wrong, "begins on ", day},
	} {
		got := validity("admin", &x509.Certificate{NotBefore: now.Add(test.from), NotAfter: now.Add(test.until)})
		if got.Result != test.want || !strings.HasSuffix(got.Detail, test.detail+now.Add(test.date).UTC().Format(time.DateOnly)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestJudgeRetention(t *testing.T) {
	for name, test := range map[string]struct {
		by   map[time.Duration][]string
		want finding
	}{
		"all equal": {map[time.Duration][]string{time.Hour: {"a", "b"}},
			finding{"retention", ok, "messages are kept for 1h0m0s"}},
		"one differs": {map[time.Duration][]string{time.Hour: {"a", "b"}, time.Minute: {"c"}},
			finding{"retention", wrong, "messages are kept for 1m0s (c), 1h0m0s (a, b)"}},
		"for ever": {map[time.Duration][]string{-time.Millisecond: {"a"}},
			finding{"retention", wrong, "messages are kept for ever"}},
		"no topic": {nil, finding{"retention", skipped, "there is no topic"}},
	} {
		if got := judgeRetention(test.by); got != test.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestEach(t *testing.T) {
	const items = 100
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
