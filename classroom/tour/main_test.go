package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/settings"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tour": main,
		// Programs that do not print what the tour waits for.
		"silent": func() {
			fmt.Println("something else")
			time.Sleep(time.Hour)
		},
		"brief": func() {
			fmt.Print("something else")
			fmt.Fprint(os.Stderr, "brief: cannot continue") // without a line end
			os.Exit(3)
		},
	})
}

// command is the tour as a process. The folder for its temporary files must be empty at the end, and
// no program from that folder may run.
func command(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	temporary := t.TempDir()
	t.Cleanup(func() {
		if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v %v", left, err)
		}
		for _, process := range running(t, temporary) {
			t.Errorf("left running: %s", process)
		}
	})
	tour := exec.Command("tour", args...)
	tour.Env = append(os.Environ(), "TMPDIR="+temporary, "KAFKA_AUTH=nowhere", "KAFKA_BROKERS=localhost:1", "KAFKA_KEYSTORE_PASSWORD=wrong")
	problems := new(bytes.Buffer)
	tour.Stderr = problems
	return tour, problems
}

// running returns the processes that run a program from a folder. It finds them on Linux only.
func running(t *testing.T, folder string) (all []string) {
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		if line, err := os.ReadFile(path); err == nil && bytes.HasPrefix(line, []byte(folder)) {
			all = append(all, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return all
}

// allOK runs the tour and requires that all checks are ok.
func allOK(t *testing.T, tour *exec.Cmd, problems *bytes.Buffer) string {
	t.Helper()
	var output bytes.Buffer
	tour.Stdout = &output
	if err := tour.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, problems, &output)
	}
	text := output.String()
	all := regexp.MustCompile(`\nAll (\d+) checks ok, in `).FindStringSubmatch(text)
	shown := strings.Count(text, "\n  ok      ")
	if problems.Len() > 0 || strings.Contains(text, "FAILED") || all == nil || all[1] != strconv.Itoa(shown) {
		t.Errorf("%s%s", problems, text)
	}
	for _, section := range sections { // once as a title, once in the summary
		if !regexp.MustCompile(`\n` + regexp.QuoteMeta(section.name) + `: \d+ checks ok\n`).MatchString(text) {
			t.Errorf("%s: no line in the summary", section.name)
		}
	}
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.ContainsAny(line, "\x1b\r") {
			t.Errorf("not plain text: %q", line)
		}
	}
	return text
}

// contains requires the parts in the text. The screen breaks lines, so a line end is the same as a space.
func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	unbroken := func(text string) string { return strings.Join(strings.Fields(text), " ") }
	for _, part := range parts {
		if !strings.Contains(unbroken(text), unbroken(part)) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

func TestOwnCluster(t *testing.T) {
	t.Parallel()
	tour, problems := command(t, "--pause")
	tour.Stdin = strings.NewReader("\n\n") // then the input ends, and the tour does not wait
	text := allOK(t, tour, problems)
	if pauses := strings.Count(text, "Press Enter"); pauses != 10 {
		t.Errorf("%d pauses", pauses)
	}
	beginning, _, _ := strings.Cut(text, sections[0].name)
	contains(t, beginning, "--pause", "\n  go build ./commitoffsets/consumercommit\n")
	if stored := strings.Count(text, "| Start Storing\n"); stored != 4 { // the second of three orders twice
		t.Errorf("%d messages were stored", stored)
	}
	contains(t, text,
		"\n  $ go run ./consumer client60 --group simple_consumer\n",
		"\n  consumer | assigned 16 of 16 partitions: 0-15\n",
		"\n  consumer | goodbye\n",
		"\n  $ seq 1 32 | go run ./consumergroup/producer client60\n",
		"\n  member 2 | assigned 16 of 16 partitions: 0-15\n")
}

// The rights of a student are enough, and the topic may have messages.
func TestExistingCluster(t *testing.T) {
	t.Parallel()
	right := func(kind kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: kind, Name: name, Operation: operation, Pattern: kmsg.ACLResourcePatternTypeLiteral, Allow: true}
	}
	const full, narrow = "client7", "narrow"
	rights := []kfake.ACL{right(kmsg.ACLResourceTypeGroup, "*", kmsg.ACLOperationRead)}
	for _, topic := range []string{full, narrow} {
		rights = append(rights,
			right(kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationRead),
			right(kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationWrite))
	}
	ca, err := issuer.New("the course", time.Hour)
	must(t, err)
	broker, err := ca.Broker("broker", "localhost")
	must(t, err)
	student, err := ca.Client("client7")
	must(t, err)
	cluster, err := embedded.Start(embedded.Config{
		Topics: []string{full}, TLS: ca.MutualTLS(broker), Rights: map[string][]kfake.ACL{"client7": rights},
	})
	must(t, err)
	t.Cleanup(cluster.Close)
	auth := filepath.Join(t.TempDir(), "auth")
	must(t, issuer.Folder{CA: ca, Identity: student, Brokers: cluster.Brokers(), Password: "of the course"}.Write(auth))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := cluster.Client(kgo.DefaultProduceTopic(full))
	must(t, err)
	t.Cleanup(client.Close)
	admin := kadm.NewClient(client)
	_, err = admin.CreateTopic(ctx, 1, -1, nil, narrow)
	must(t, err)
	older := []string{"hello", messageCommitted, "\x1b[31mred", "two\nlines", strings.Repeat("long ", 100), ""}
	for i := range 200 {
		must(t, client.ProduceSync(ctx, kgo.KeySliceRecord(fmt.Append(nil, i), []byte(older[i%len(older)]))).FirstErr())
	}

	run := func(t *testing.T, args ...string) string {
		tour, problems := command(t, args...)
		tour.Env = append(tour.Env, "KAFKA_BROKERS=", "KAFKA_KEYSTORE_PASSWORD=of the course")
		return allOK(t, tour, problems)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		topics, err := admin.ListTopics(ctx)
		if err != nil || len(topics) != 2 {
			t.Errorf("topics that were not there before: %v (%v)", topics.Names(), err)
		}
	})
	t.Run("older messages", func(t *testing.T) {
		t.Parallel()
		text := run(t, "--auth", auth, "--topic", full)
		contains(t, text, " 200 messages", "and older messages\n")
		if strings.Contains(text, "$ go run ./consumer client7 --group simple_consumer\n") {
			t.Error("the group may have read the topic before")
		}
	})
	t.Run("one partition", func(t *testing.T) {
		t.Parallel()
		text := run(t, "--auth", auth, "--topic", narrow, "-b", cluster.Brokers()[0])
		if !strings.Contains(text, "1 and 0 partitions") && !strings.Contains(text, "0 and 1 partitions") {
			t.Error(text)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Ctrl-C ends the tour, its page and all its programs, at any time.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"Building", "assigned 16 of 16", "consumercommit | first order"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			tour, problems := command(t, "--watch")
			stdout, err := tour.StdoutPipe()
			must(t, err)
			must(t, tour.Start())
			lines := bufio.NewScanner(stdout)
			for lines.Scan() && !strings.Contains(lines.Text(), at) {
			}
			if !strings.Contains(lines.Text(), at) {
				t.Error("it ended before")
			}
			if at == "Building" {
				awaitBuild(t, tour)
			}
			asked := time.Now()
			must(t, tour.Process.Signal(os.Interrupt))
			for lines.Scan() {
			}
			if err := tour.Wait(); err != nil {
				t.Errorf("%v\n%s", err, problems)
			}
			contains(t, problems.String(), "tour: topic client60 is shown until Ctrl-C at http://localhost:")
			// A busy machine needs time to schedule the processes.
			if took := time.Since(asked); took > cli.LeaveTime+time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// awaitBuild waits until the go command of a tour has files of its own.
func awaitBuild(t *testing.T, tour *exec.Cmd) {
	t.Helper()
	var temporary string
	for _, setting := range tour.Environ() {
		if folder, ok := strings.CutPrefix(setting, "TMPDIR="); ok {
			temporary = folder
		}
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		beside, _ := filepath.Glob(filepath.Join(temporary, "go-build*"))
		inside, _ := filepath.Glob(filepath.Join(temporary, "*", "*", "go-build*"))
		if len(beside)+len(inside) > 0 {
			return
		}
	}
	t.Error("nothing was built")
}

// The tour ends when nobody reads its output any more, as in tour | head.
func TestReaderLeaves(t *testing.T) {
	t.Parallel()
	tour, problems := command(t)
	stdout, err := tour.StdoutPipe()
	must(t, err)
	must(t, tour.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.Contains(lines.Text(), "assigned") {
	}
	stdout.Close()
	if err := tour.Wait(); err != nil || problems.Len() > 0 {
		t.Errorf("%v\n%s", err, problems)
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--auth", "nowhere"}, 2, "tour: --auth and --brokers need --topic"},
		{[]string{"--topic", "client1", "--auth", "nowhere"}, 1, "tour: no credentials: no ca.crt in nowhere"},
		{[]string{"client1"}, 2, `tour: unexpected argument "client1"`},
	} {
		tour, problems := command(t, test.args...)
		var exit *exec.ExitError
		if err := tour.Run(); !errors.As(err, &exit) || exit.ExitCode() != test.status {
			t.Errorf("%q: %v, want status %d", test.args, err, test.status)
		}
		if !strings.HasPrefix(problems.String(), test.want) {
			t.Errorf("%q: %s", test.args, problems)
		}
	}
}

// newTestTour returns a tour with programs of this test, and its output.
func newTestTour(t *testing.T, names ...string) (*tour, *bytes.Buffer) {
	t.Helper()
	built := make(executables)
	for _, name := range names {
		path, err := exec.LookPath(name)
		must(t, err)
		built[name] = path
	}
	output := new(bytes.Buffer)
	return newTour(t.Context(), &kafka{found: &settings.Settings{}}, newScreen(output), built), output
}

// If the expected line does not come, the tour ends. It reports what is missing, and what came.
func TestMissingLine(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		perform func(*tour)
		want    []string
	}{
		{"silent", func(t *tour) { t.awaitAssigned(t.start("consumer", "silent")) },
			[]string{"no assigned line from consumer after 5s\n", "  something else\n"}},
		{"ended", func(t *tour) { t.awaitAssigned(t.start("consumer", "brief")) },
			[]string{"consumer ended: no assigned line from consumer\n", "  something else\n", "  cannot continue\n"}},
		{"does not accept lines", func(t *tour) { t.send([]string{"a"}, "brief") },
			[]string{"brief ended with status 3\n", "  cannot continue\n"}},
		{"does not exist", func(t *tour) { t.start("consumer", "missing") },
			[]string{"there is no program missing"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			guide, output := newTestTour(t, "silent", "brief")
			guide.timeout = 5 * time.Second // on a busy machine a program needs a second to start
			parts := []section{{"first", func(t *tour) {
				t.check("something else", nil)
				test.perform(t)
				t.check("not reached", nil)
			}}, {"second", nil}}
			if guide.perform(parts[0]) {
				t.Error("it came to its end")
			}
			if err := guide.summary(parts, time.Second); err == nil || err.Error() != "1 of 2 checks failed, after 1.0 s" {
				t.Error(err)
			}
			guide.stopAll() // no program prints any more
			text := output.String()
			contains(t, text, append(test.want, "\nfirst: 1 checks ok\n", "\nsecond: not performed\n")...)
			if strings.Count(text, "  FAILED  the section is complete: ") != 2 { // at once, and in the summary
				t.Error(text)
			}
		})
	}
}

// The exit status of a program is checked, too.
func TestStatus(t *testing.T) {
	t.Parallel()
	guide, output := newTestTour(t, "silent")
	parts := []section{{"first", func(t *tour) {
		p := t.start("consumer", "silent")
		t.await("line", func() bool { return len(p.printed()) > 0 }, p)
		t.stop(p)
	}}}
	if !guide.perform(parts[0]) {
		t.Error("it did not come to its end")
	}
	if err := guide.summary(parts, 0); err == nil {
		t.Error("no error")
	}
	contains(t, output.String(), "FAILED  all programs ended with status 0: consumer ended with status -1")
}
