package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"tkafka/pkg/cli"
)

// The benchmark starts its own executable, as the cluster and as the bare client.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && !strings.HasPrefix(os.Args[1], "-") {
		main()
		return
	}
	os.Exit(m.Run())
}

// A candidate that loses, doubles or changes a message, or fails, has no time.
func TestIncomplete(t *testing.T) {
	b, err := open(t.Context(), cli.New("bench", "", ""), options{short: true, runs: 1, python: "python3"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	// through returns a command that changes the input or the output of a program by sed.
	through := func(pipe string) string {
		path := filepath.Join(t.TempDir(), "candidate")
		self, _ := os.Executable()
		script := "#!/bin/sh\n" + strings.ReplaceAll(pipe, "BARE", self+" bare") + "\n"
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const consume = "BARE consume $1 $2 $3 | "
	for _, test := range []struct {
		r       row
		command string
		want    string
	}{
		{row{measure: sends}, "bare produce TOPIC <LINES", ""},
		{row{measure: sends}, through("sed 10d | BARE produce $1") + " TOPIC <LINES", "incomplete: 999 of 1,000"},
		{row{measure: sends}, through("sed 10p | BARE produce $1") + " TOPIC <LINES", "incomplete: 1,001 of 1,000"},
		{row{measure: sends}, through("sed 10s/e/i/ | BARE produce $1") + " TOPIC <LINES", "incomplete: 1,000 messages, but not the same ones"},
		{row{measure: sendsKeyed}, "bare produce-keyed TOPIC <LINES", ""},
		{row{measure: sendsKeyed}, "bare produce TOPIC <LINES", "incomplete: 1,000 messages, but not the same ones"},
		{row{measure: reads, fill: "bare produce TOPIC <LINES"}, "bare consume TOPIC GROUP COUNT >OUT", ""},
		{row{measure: reads, fill: "bare produce TOPIC <LINES"}, through(consume+"sed 10d") + " TOPIC GROUP COUNT >OUT", "incomplete: 999 of 1,000"},
		{row{measure: reads, fill: "bare produce TOPIC <LINES"}, through(consume+"sed '10s/$/ /'") + " TOPIC GROUP COUNT >OUT", "incomplete: 1,000 messages, but not the same ones"},
		{row{measure: reads, fill: "bare produce TOPIC <LINES"}, "commitoffsets/consumer TOPIC earliest -n COUNT >OUT", ""},
		{row{measure: sends}, through("echo no topic >&2; exit 3") + " TOPIC <LINES", "candidate: exit status 3: no topic"},
	} {
		test.r.name, test.r.short = "test", 1000
		test.r.candidates = []candidate{{"a candidate", test.command}}
		measured, err := b.measure(t.Context(), test.r)
		if err != nil {
			t.Fatal(err)
		}
		complete := test.want == ""
		if got := measured[0]; got.Problem != test.want || (got.Median > 0) != complete {
			t.Errorf("%s: %q after %v s, want %q", test.command, got.Problem, got.Median, test.want)
		}
		if err := (report{Rows: measured}).incomplete(); (err == nil) != complete {
			t.Errorf("%s: the exit status depends on %v", test.command, err)
		}
	}
	// A new client, because b's may still have deleted topics in its cache.
	connect, err := connection(b.found)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kadm.NewOptClient(connect...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topics, err := client.ListTopics(t.Context())
	if groups, _ := client.ListGroups(t.Context()); err != nil || len(topics) > 0 || len(groups) > 0 {
		t.Errorf("%v: left behind: topics %v, groups %v", err, topics.Names(), groups.Groups())
	}
}
