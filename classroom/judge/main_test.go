package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tkafka/pkg/lab/trial"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"judge": main})
}

// run runs the judge. Its folder for temporary files must be empty at the end.
func run(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	temporary := t.TempDir()
	judge := exec.Command("judge", args...)
	// Our own environment may name another cluster.
	judge.Env = append(os.Environ(), "TMPDIR="+temporary, "KAFKA_BROKERS=", "KAFKA_KEYSTORE_PASSWORD="+"cc2023")
	var out, problems bytes.Buffer
	judge.Stdout, judge.Stderr = &out, &problems
	err := judge.Run()
	var exit *exec.ExitError
	if status := judge.ProcessState.ExitCode(); err != nil && !errors.As(err, &exit) || status != want {
		t.Errorf("%q: %v, want status %d\n%s%s", args, err, want, &out, &problems)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	return out.String(), problems.String()
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, 2, "judge: consumer|producer is missing"},
		{[]string{"consumer"}, 2, "judge: the command is missing"},
		{[]string{"reader", "--", "cat"}, 2, `judge: "reader" is not consumer or producer`},
		{[]string{"consumer", "--only", "flood", "--", "cat"}, 2, `judge: there is no trial "flood": choose from start,stop,`},
		{[]string{"consumer", "--", "go", "run", "./nowhere"}, 1, "judge: go build: exit status 1: "},
		{[]string{"consumer", "--json", "--", "./no-such-program"}, 1, "judge: 10 trials, seed "},
	} {
		if _, problems := run(t, test.status, test.args...); !strings.HasPrefix(problems, test.want) {
			t.Errorf("%q: %s", test.args, problems)
		}
	}
}

// A producer that sends nothing fails, in the table and in JSON.
func TestReport(t *testing.T) {
	t.Parallel()
	text, problems := run(t, 1, "producer", "--seed", "7", "--", "sh", "-c", "cat >/dev/null; echo no database >&2; exit 3")
	for _, part := range []string{"\nall          FAILED ", "\nreplies      not tried  the trial all was not possible\n",
		"\nall FAILED: it sends all lines\n  seen: it has not connected to the brokers; the end of its standard error: \"no database\"\n",
		"\n  hint: put {brokers}",
		"  hint: put {brokers} into its arguments, or read the addresses from the variable KAFKA_BROKERS\n",
		"\n  read: README.md, \"1. A producer and a consumer\"\n", "(seed 7, "} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > width+1 && strings.Contains(line, ": ") {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if !strings.HasSuffix(problems, "judge: 1 of 8 trials failed\n") {
		t.Error(problems)
	}
	var parsed report
	text, _ = run(t, 1, "producer", "--json", "--", "true")
	if err := json.Unmarshal([]byte(text), &parsed); err != nil || len(parsed.Results) != 8 || parsed.Results[0].Status != trial.Failed {
		t.Errorf("%v\n%s", err, text)
	}
}

// The command of the README works as typed, in any folder of the module. The program finds its
// credentials in ./auth, whatever is in the user's folder.
func TestAsTyped(t *testing.T) {
	t.Parallel()
	text, problems := run(t, 0, "consumer", "--only", "stop", "--", "go", "run", "../../consumergroup/consumer", "judge", "my_group", "--auth", "./auth")
	for _, part := range []string{"consumer: go run ../../consumergroup/consumer judge my_group", "\nstop         ok ", "\nverdict: exactly once seen (seed "} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
	if !strings.HasPrefix(problems, "judge: built ../../consumergroup/consumer, so that signals reach the program itself\n") {
		t.Error(problems)
	}
}
