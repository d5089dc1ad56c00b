package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"tkafka/pkg/lab/trial"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // most of the time each test waits
	testscript.Main(m, map[string]func(){"judge": main})
}

// run runs the judge in this folder.
func run(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	return runIn(t, ".", want, args...)
}

// runIn runs the judge in a folder. Its folder for temporary files must be empty at the end.
func runIn(t *testing.T, folder string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	temporary := t.TempDir()
	judge := exec.Command("judge", args...)
	judge.Dir = folder
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
		{[]string{"consumer", "--", "go", "run", "./nowhere"}, 1, "judge: go run: exit status 1: "},
		{[]string{"consumer", "--line", "(", "--", "cat"}, 2, "judge: --line: "},
		{[]string{"consumer", "--json", "--", "./no-such-program"}, 1, "judge: 12 trials, seed "},
	} {
		if _, problems := run(t, test.status, test.args...); !strings.HasPrefix(problems, test.want) {
			t.Errorf("%q: %s", test.args, problems)
		}
	}
}

// A producer that sends nothing fails, in the table and in JSON.
func TestReport(t *testing.T) {
	t.Parallel()
	text, problems := run(t, 1, "producer", "--seed", "7", "--", "sh", "-c", "read line; echo no database >&2; exit 3")
	for _, part := range []string{"\nall          FAILED ", "\nreplies      not tried  the trial all was not possible\n",
		"\nall FAILED: it sends all lines\n  seen: it has not connected to the brokers, and ended with status 3; the end of its standard error:\n        \"no database\"\n",
		"\n  hint: its own lines have the reason", "verdict: not known: no message was seen (messages in the topic, seed 7, "} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > width+1 && strings.Contains(line, ": ") {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
	if !strings.HasSuffix(problems, "judge: 1 of 10 trials failed\n") {
		t.Error(problems)
	}
	var parsed report
	text, _ = run(t, 1, "producer", "--json", "--", "true")
	if err := json.Unmarshal([]byte(text), &parsed); err != nil || len(parsed.Results) != 10 || parsed.Results[0].Status != trial.Failed {
		t.Errorf("%v\n%s", err, text)
	}
}

// Without a message nothing is known about a program. Its own last lines come with a hint that fits them.
func TestNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ kind, script, seen, hint string }{
		{"consumer", "echo ImportError >&2; exit 1", `the end of its standard error: "ImportError"`, "type the command without the judge first"},
		{"consumer", "exit 0", "ended by itself, with status 0,", "a consumer polls in a loop"},
		{"producer", "exit 0", "it has not connected to the brokers; it printed nothing", "{brokers}"},
	} {
		text, _ := run(t, 1, test.kind, "--", "sh", "-c", test.script)
		flat := strings.Join(strings.Fields(text), " ")
		for _, part := range []string{test.seen, test.hint, "verdict: not known: no message was seen"} {
			if !strings.Contains(flat, part) {
				t.Errorf("%q is missing in\n%s", part, text)
			}
		}
		var parsed report
		text, _ = run(t, 1, test.kind, "--json", "--", "sh", "-c", test.script)
		if err := json.Unmarshal([]byte(text), &parsed); err != nil || parsed.Verdict != "not known: no message was seen" {
			t.Errorf("%v: %s", err, parsed.Verdict)
		}
	}
}

// readme has the commands of the README.
//
//go:embed README.md
var readme string

// Each command of the README can be typed: its program is in the repository, and passes.
func TestReadme(t *testing.T) {
	t.Parallel()
	found := 0
	for line := range strings.Lines(readme) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "$ judge ")
		if !ok || strings.Contains(args, "--result") {
			continue
		}
		found++
		words := strings.Fields(args)
		for i, word := range words {
			if strings.HasPrefix(path.Base(word), "python") {
				if words[i] = os.Getenv("TKAFKA_PYTHON"); words[i] == "" {
					words = nil
				}
			}
		}
		t.Run(fmt.Sprint(found), func(t *testing.T) {
			t.Parallel()
			if words == nil {
				t.Skip("no Python with the client of Confluent: set TKAFKA_PYTHON")
			}
			trial := map[string]string{"consumer": "start", "producer": "all"}[words[0]]
			runIn(t, "../..", 0, append([]string{words[0], "--only", trial}, words[1:]...)...)
		})
	}
	if found < 3 {
		t.Errorf("README.md has %d commands", found)
	}
}

// The command of the README works as typed, in any folder of the module. The program finds its
// credentials in ./auth, whatever is in the user's folder.
func TestAsTyped(t *testing.T) {
	t.Parallel()
	text, problems := run(t, 0, "consumer", "--only", "start", "--", "go", "run", "../../consumergroup/consumer", "judge", "my_group", "--auth", "./auth")
	for _, part := range []string{"consumer: go run ../../consumergroup/consumer judge my_group", "\nstart        ok ", "\nverdict: exactly once seen (printed lines, seed "} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
	if !strings.HasPrefix(problems, "judge: built ../../consumergroup/consumer, so that signals reach the program itself\n") {
		t.Error(problems)
	}
}
