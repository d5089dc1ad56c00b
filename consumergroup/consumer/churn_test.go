package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

	"tkafka/pkg/lab/process"
	"tkafka/pkg/lab/testbed"
)

// TestChurn tests what "assigned" promises: the group prints each message that is produced after this line, while
// members join, leave and are killed. In each round a new group begins at the end of the topic. Without the commit
// of group.Begin it loses messages, and the test must see this.
//
// TKAFKA_CHURN=100 performs a hundred rounds.
func TestChurn(t *testing.T) {
	t.Parallel()
	rounds, err := strconv.Atoi(cmp.Or(os.Getenv("TKAFKA_CHURN"), "4"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("program", func(t *testing.T) {
		t.Parallel()
		program, err := exec.LookPath("consumer") // this test's own program, so the race detector may be in it
		if err != nil {
			t.Fatal(err)
		}
		if lost := churn(t, program, rounds, time.Minute); lost > 0 {
			t.Errorf("%d lines are lost", lost)
		}
	})
	t.Run("without the commit", func(t *testing.T) {
		t.Parallel()
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
	r.until(first, " 16 of 16 ")
	firstID := r.members(name)
	send(8)
	second := r.start(name)
	send(8) // while it joins
	r.until(first, " 8 of 16 ")
	r.until(second, " 8 of 16 ")
	send(8)

	stays, leaves := first, second
	if number/2%2 == 0 {
		stays, leaves = second, first
	}
	signal := []os.Signal{os.Interrupt, syscall.SIGTERM, os.Kill}[number%3]
	r.check(leaves.Signal(signal))
	send(40)
	r.end(leaves)
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

	for end := time.Now().Add(r.limit); len(printed) < sent && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		printed = make(map[string]int)
		for _, line := range append(first.Stdout.Lines(), second.Stdout.Lines()...) {
			printed[line]++
		}
	}
	if len(printed) < sent {
		r.t.Logf("round %d: %d of %d lines, %v; the first:\n%s\nthe second:\n%s", number, len(printed), sent, signal, &first.Stderr, &second.Stderr)
	}
	r.check(stays.Signal(os.Interrupt))
	r.end(stays)
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

// start starts a process of the program.
func (r *trial) start(name string) *process.Process {
	command := exec.Command(r.program, r.bench.Topic, name, "-f", `%v\n`)
	command.Dir, command.Env = r.bench.Dir, []string{"HOME=" + r.bench.Dir, "GORACE=atexit_sleep_ms=0"} // see testbed
	m := process.New(command)
	r.check(m.Start())
	r.t.Cleanup(m.Kill)
	return m
}

// until waits until the member has printed the text.
func (r *trial) until(m *process.Process, text string) {
	if _, err := m.Await(context.Background(), &m.Stderr, regexp.MustCompile(text), time.Minute); err != nil {
		r.t.Errorf("%v:\n%s", err, &m.Stderr)
	}
}

// end waits until the member has ended.
func (r *trial) end(m *process.Process) {
	if status, err := m.Wait(time.Minute); err != nil || status > 0 { // -1: it was killed
		r.t.Errorf("status %d, %v:\n%s", status, err, &m.Stderr)
	}
}
