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
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tour": main,
		// Programs that do not print what they should.
		"silent": func() {
			fmt.Println("something else")
			time.Sleep(time.Hour)
		},
		"brief": func() {
			fmt.Print("something else")
			fmt.Fprint(os.Stderr, "brief: cannot go on") // its last words have no line end
			os.Exit(3)
		},
	})
}

// command is the tour as a process, with a folder for its temporary files that must be empty in the
// end.
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
	complaints := new(bytes.Buffer)
	tour.Stderr = complaints
	return tour, complaints
}

// running returns the processes that run a program from a folder, where the system tells (Linux).
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

// allOK runs the tour and requires that every check comes true.
func allOK(t *testing.T, tour *exec.Cmd, complaints *bytes.Buffer) string {
	t.Helper()
	var output bytes.Buffer
	tour.Stdout = &output
	if err := tour.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, complaints, &output)
	}
	text := output.String()
	if complaints.Len() > 0 || strings.Contains(text, "FAILED") || !strings.Contains(text, "\nAll 22 checks ok, in ") {
		t.Errorf("%s%s", complaints, text)
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

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

func TestOwnCluster(t *testing.T) {
	t.Parallel()
	tour, complaints := command(t, "--pause")
	tour.Stdin = strings.NewReader("\n\n") // then the input ends, and nobody is waited for
	text := allOK(t, tour, complaints)
	if steps := strings.Count(text, "(Enter goes on)"); steps != 8 {
		t.Errorf("%d pauses", steps)
	}
	contains(t, text,
		"\n  $ go run ./consumer client60 --group simple_consumer\n",
		"\n  consumer | assigned 16 of 16 partitions: 0-15\n",
		"\n  consumer | goodbye\n",
		"\n  $ seq 1 32 | go run ./consumergroup/producer client60\n",
		"\n  member 2 | assigned 16 of 16 partitions: 0-15\n")
}

// A student's rights are enough, and what is in the topic is no trouble.
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
	older := []string{"hello", "Start Storing", "\x1b[31mred", "two\nlines", strings.Repeat("long ", 100), ""}
	for i := range 200 {
		must(t, client.ProduceSync(ctx, kgo.KeySliceRecord(fmt.Append(nil, i), []byte(older[i%len(older)]))).FirstErr())
	}

	run := func(t *testing.T, args ...string) string {
		tour, complaints := command(t, args...)
		tour.Env = append(tour.Env, "KAFKA_BROKERS=", "KAFKA_KEYSTORE_PASSWORD=of the course")
		return allOK(t, tour, complaints)
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
		contains(t, text, "no topic made", "200", "earliest printed everything sent so far, besides older messages")
		if strings.Contains(text, "$ go run ./consumer client7 --group simple_consumer\n") {
			t.Error("the group may have read before")
		}
	})
	t.Run("one partition", func(t *testing.T) {
		t.Parallel()
		text := run(t, "--auth", auth, "--topic", narrow, "-b", cluster.Brokers()[0])
		contains(t, text, "together they hold", "1 partitions")
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Ctrl-C ends the tour, with all that it started, wherever it is.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"being built", "assigned 16 of 16", "consumercommit | Start Storing"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			tour, complaints := command(t)
			stdout, err := tour.StdoutPipe()
			must(t, err)
			must(t, tour.Start())
			lines := bufio.NewScanner(stdout)
			for lines.Scan() && !strings.Contains(lines.Text(), at) {
			}
			if !strings.Contains(lines.Text(), at) {
				t.Error("it ended before")
			}
			if at == "being built" {
				awaitBuild(t, tour)
			}
			asked := time.Now()
			must(t, tour.Process.Signal(os.Interrupt))
			for lines.Scan() {
			}
			if err := tour.Wait(); err != nil {
				t.Errorf("%v\n%s", err, complaints)
			}
			// What the machine takes to schedule the processes is not the tour's fault.
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

// A reader who has seen enough, as in tour | head, ends it.
func TestReaderLeaves(t *testing.T) {
	t.Parallel()
	tour, complaints := command(t)
	stdout, err := tour.StdoutPipe()
	must(t, err)
	must(t, tour.Start())
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.Contains(lines.Text(), "assigned") {
	}
	stdout.Close()
	if err := tour.Wait(); err != nil || complaints.Len() > 0 {
		t.Errorf("%v\n%s", err, complaints)
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--auth", "nowhere"}, 2, "tour: an existing cluster needs --topic"},
		{[]string{"--topic", "client1", "--auth", "nowhere"}, 1, "tour: no credentials: no ca.crt in nowhere"},
		{[]string{"client1"}, 2, `tour: "client1" is one argument too many`},
	} {
		tour, complaints := command(t, test.args...)
		var exit *exec.ExitError
		if err := tour.Run(); !errors.As(err, &exit) || exit.ExitCode() != test.status {
			t.Errorf("%q: %v, want status %d", test.args, err, test.status)
		}
		if !strings.HasPrefix(complaints.String(), test.says) {
			t.Errorf("%q: %s", test.args, complaints)
		}
	}
}

// What never comes ends the tour: it says what it waited for and shows what came instead.
func TestStuck(t *testing.T) {
	t.Parallel()
	built := make(programs)
	for _, name := range []string{"silent", "brief"} {
		path, err := exec.LookPath(name)
		must(t, err)
		built[name] = path
	}
	const patience = 5 * time.Second // on a busy machine a program takes a second to say anything
	for _, test := range []struct {
		name    string
		perform func(*tour)
		want    []string
	}{
		{"silent", func(t *tour) { t.awaitAssigned(t.start("consumer", "silent")) },
			[]string{"nothing for 5s, waiting for the assigned line of consumer\n", "  something else\n"}},
		{"ended", func(t *tour) { t.awaitAssigned(t.start("consumer", "brief")) },
			[]string{"consumer ended, waiting for the assigned line of consumer\n", "  something else\n", "  cannot go on\n"}},
		{"does not take lines", func(t *tour) { t.send([]string{"a"}, "brief") },
			[]string{"brief ended with status 3\n", "  cannot go on\n"}},
		{"not there", func(t *tour) { t.start("consumer", "missing") },
			[]string{"there is no program missing"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var output bytes.Buffer
			guide := &tour{ctx: t.Context(), screen: newScreen(&output), programs: built, patience: patience}
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
			guide.stopAll() // nothing prints any more
			contains(t, output.String(), append(test.want, "second was not reached", "  FAILED  the section came to its end: ")...)
		})
	}
}

// How a program ends is checked too.
func TestStatus(t *testing.T) {
	t.Parallel()
	silent, err := exec.LookPath("silent")
	must(t, err)
	var output bytes.Buffer
	guide := &tour{ctx: t.Context(), screen: newScreen(&output), programs: programs{"silent": silent}, patience: time.Minute}
	parts := []section{{"first", func(t *tour) {
		p := t.start("consumer", "silent")
		t.await("a line", func() bool { return len(p.printed()) > 0 }, p)
		t.stop(p)
	}}}
	if !guide.perform(parts[0]) {
		t.Error("it came to no end")
	}
	if err := guide.summary(parts, 0); err == nil {
		t.Error("no error")
	}
	contains(t, output.String(), "FAILED  the programs of this section ended with status 0: consumer ended with status -1")
}
