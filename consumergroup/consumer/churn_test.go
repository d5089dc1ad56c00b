package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/testbed"
)

// TestChurn tests what "assigned" promises: the group prints each message that is produced after this line, while
// members join, leave and are killed. In each round a new group begins at the end of the topic. Without the commit
// of group.Begin it loses messages, and the test must see this.
//
// TKAFKA_CHURN=100 performs a hundred rounds.
func TestChurn(t *testing.T) {
	for _, name := range []string{"KAFKA_AUTH", "KAFKA_BROKERS", "KAFKA_KEYSTORE_PASSWORD"} {
		t.Setenv(name, "") // restores it after the test
		os.Unsetenv(name)
	}
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("TKAFKA_CHURN"), "4"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("program", func(t *testing.T) {
		program, err := exec.LookPath("consumer") // this test's own program, so the race detector may be in it
		if err != nil {
			t.Fatal(err)
		}
		if lost := churn(t, program, rounds, time.Minute); lost > 0 {
			t.Errorf("%d lines are lost", lost)
		}
	})
	t.Run("without the commit", func(t *testing.T) {
		if lost := churn(t, withoutCommit(t), min(rounds, 12), time.Second); lost == 0 {
			t.Error("no line is lost: the test would not see it")
		}
	})
}

// withoutCommit builds this program without the commit where a new group begins.
func withoutCommit(t *testing.T) string {
	folder := t.TempDir()
	original, err1 := filepath.Abs("main.go")
	source, err2 := os.ReadFile(original)
	changed := strings.Replace(string(source), "OnPartitionsAssigned(group.Begin)", "OnPartitionsAssigned(group.Print)", 1)
	if err1 != nil || err2 != nil || changed == string(source) {
		t.Fatal("cannot change main.go: ", err1, err2)
	}
	main, overlay := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json")
	files, _ := json.Marshal(map[string]any{"Replace": map[string]string{original: main}})
	for path, text := range map[string]string{main: changed, overlay: string(files)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(folder, "consumer")
	if output, err := exec.Command("go", "build", "-overlay", overlay, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return program
}

// A trial is what the rounds with one topic share.
type trial struct {
	t       *testing.T
	program string
	bench   *testbed.Bench
	client  *kgo.Client
	limit   time.Duration // how long to wait for the last lines
}

// churn performs the rounds, four at the same time, each of them with a topic of its own. It returns how many
// lines were lost.
func churn(t *testing.T, program string, rounds int, limit time.Duration) int64 {
	var work sync.WaitGroup
	var number, sent, lost, twice atomic.Int64
	for range 4 {
		bench := testbed.NewBench(t)
		r := &trial{t, program, bench, bench.Client(t, kgo.DefaultProduceTopic(bench.Topic)), limit}
		work.Go(func() {
			for n := number.Add(1); n <= int64(rounds); n = number.Add(1) {
				printed, all := r.round(int(n))
				sent.Add(int64(all))
				lost.Add(int64(all - len(printed)))
				for _, times := range printed {
					twice.Add(int64(times - 1))
				}
			}
		})
	}
	work.Wait()
	t.Logf("%d rounds, in each third one a member was killed, %d lines, %d lost, %d printed more than once",
		rounds, sent.Load(), lost.Load(), twice.Load())
	return lost.Load()
}

// round starts two members of a new group. Then one of them leaves, or is killed. Meanwhile it sends lines, and
// in half of the rounds only a few, so that a partition has no message for some time.
func (r *trial) round(number int) (printed map[string]int, sent int) {
	name := fmt.Sprint(r.bench.Group, "-", number)
	defer kadm.NewClient(r.client).DeleteGroup(context.Background(), name)
	send := func(lines int) {
		var records []*kgo.Record
		for range lines * []int{1, 200}[number%2] {
			sent++
			records = append(records, &kgo.Record{Key: []byte(strconv.Itoa(sent)), Value: fmt.Appendf(nil, "%s.%d", name, sent)})
		}
		r.check(r.client.ProduceSync(r.t.Context(), records...).FirstErr())
	}
	first := r.start(name)
	defer first.end(os.Kill) // if something has failed
	r.until(first, " 16 of 16 ")
	firstID := r.members(name)
	send(8)
	second := r.start(name)
	defer second.end(os.Kill)
	send(8) // while it joins
	r.until(first, " 8 of 16 ")
	r.until(second, " 8 of 16 ")
	send(8)

	stays, leaves := first, second
	if number/2%2 == 0 {
		stays, leaves = second, first
	}
	signal := []os.Signal{os.Interrupt, syscall.SIGTERM, os.Kill}[number%3]
	stays.seen = len(stays.log())
	leaves.command.Process.Signal(signal)
	send(40)
	r.check(leaves.wait())
	if signal == os.Kill { // the group would wait for it for 45 seconds
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = name
		for _, id := range r.members(name) {
			if slices.Contains(firstID, id) == (leaves == first) {
				leave.Members = append(leave.Members, kmsg.LeaveGroupRequestMember{MemberID: id})
			}
		}
		_, err := leave.RequestWith(r.t.Context(), r.client)
		r.check(err)
	}
	r.until(stays, " 16 of 16 ")
	send(8)

	complete := within(r.limit, func() bool {
		printed = make(map[string]int)
		for _, m := range []*member{first, second} {
			text, _ := os.ReadFile(m.printed.Name())
			for line := range strings.Lines(string(text)) {
				printed[strings.TrimSpace(line)]++
			}
		}
		return len(printed) == sent
	})
	if !complete {
		r.t.Logf("round %d: %d of %d lines, %v; the first:\n%s\nthe second:\n%s", number, len(printed), sent, signal, first.log(), second.log())
	}
	r.check(stays.end(os.Interrupt))
	return printed, sent
}

func (r *trial) check(err error) {
	if err != nil {
		r.t.Error(err)
	}
}

func (r *trial) members(name string) (ids []string) {
	groups, err := kadm.NewClient(r.client).DescribeGroups(r.t.Context(), name)
	r.check(err)
	for _, m := range groups[name].Members {
		ids = append(ids, m.MemberID)
	}
	return ids
}

// A member is a process of the program.
type member struct {
	command         *exec.Cmd
	printed, errors *os.File
	seen            int // what until does not look at
}

func (r *trial) start(name string) *member {
	m := &member{command: exec.Command(r.program, r.bench.Topic, name, "-f", `%v\n`)}
	var err1, err2 error
	m.printed, err1 = os.CreateTemp(r.t.TempDir(), "")
	m.errors, err2 = os.CreateTemp(r.t.TempDir(), "")
	m.command.Dir, m.command.Stdout, m.command.Stderr = r.bench.Dir, m.printed, m.errors
	r.check(err1)
	r.check(err2)
	r.check(m.command.Start())
	return m
}

func (m *member) log() string {
	text, _ := os.ReadFile(m.errors.Name())
	return string(text)
}

// until waits until the member has printed the text.
func (r *trial) until(m *member, text string) {
	if !within(time.Minute, func() bool { return strings.Contains(m.log()[m.seen:], text) }) {
		r.t.Errorf("no line with%s:\n%s", text, m.log())
	}
}

// end stops the member.
func (m *member) end(signal os.Signal) error {
	m.command.Process.Signal(signal)
	return m.wait()
}

// wait fails if the member has another status than 0, unless it was killed.
func (m *member) wait() error {
	err := m.command.Wait()
	if state := m.command.ProcessState; state != nil && state.ExitCode() == -1 {
		return nil
	}
	return err
}

// within waits until it is true, and returns whether this was in time.
func within(limit time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for !condition() {
		if cli.Pause(ctx, 10*time.Millisecond) != nil {
			return false
		}
	}
	return true
}
