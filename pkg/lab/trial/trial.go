// Package trial finds out whether a program loses messages. It runs a consumer or a producer, in any
// language, as a process, breaks things around it, and compares what the program printed with what is in
// the topic.
//
// A consumer has processed a message when it prints a line on standard output that contains the text of
// the message, such as judge-000123. A producer sends each line of its standard input.
//
// A trial is a list of faults (faults.go) while messages come (workload.go, consumer.go, producer.go). At its
// end, checker.go compares, and result.go explains.
package trial

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Trial is something that is tried with a program.
type Trial struct {
	Name string
	What string // a sentence
	Once bool   // a message that comes twice fails the trial: nobody was killed, and all left cleanly

	grouped bool // it needs a member of a group
	faults  []fault
	during  func(*run) (note func() string) // a fault of all answers to a producer
	own     func(*run)                      // the steps and findings of a trial without faults
}

// Consumer are the trials of a consumer. The first one finds out how the program reads.
var Consumer = []Trial{
	{Name: "start", What: "it reads a topic", Once: true},
	{Name: "stop", What: "stopped with Ctrl-C and started again, three times", Once: true, grouped: true,
		faults: times(3, stopped(syscall.SIGINT))},
	{Name: "sigterm", What: "stopped with SIGTERM, as docker stop does, and started again", grouped: true,
		faults: times(3, stopped(syscall.SIGTERM))},
	{Name: "kill", What: "killed while it works, and started again", grouped: true, faults: times(2, killedAtCommit, killed)},
	{Name: "members", What: "a second and a third member join and leave", Once: true, grouped: true,
		faults: []fault{joined, joined, left, left}},
	{Name: "coordinator", What: "the coordinator and the leaders move", faults: times(3, coordinatorMoved)},
	{Name: "broker", What: "a broker dies and comes back", faults: []fault{brokerDied, brokerBack}},
	{Name: "away", What: "all brokers are away for 20 s", faults: []fault{allAway}},
	{Name: "rolling", What: "the brokers restart one after the other, and two members read", grouped: true,
		faults: []fault{joined, rolled(0), rolled(1), rolled(2)}},
	{Name: "slow", What: "a slow message outlasts the session", grouped: true, faults: []fault{joined, paused, resumed}},
	{Name: "retention", What: "while it is stopped, the messages at its offsets are deleted (retention)", grouped: true, faults: []fault{expired}},
	{Name: "contents", What: "messages with unusual contents", own: (*run).readContents},
}

// Producer are the trials of a producer. The first one has no faults.
var Producer = []Trial{
	{Name: "all", What: "it sends all lines", Once: true},
	{Name: "replies", What: "5 % of the answers get lost", Once: true, during: answersLost},
	{Name: "connections", What: "all connections are cut, five times", Once: true, faults: times(5, connectionsCut)},
	{Name: "leaders", What: "the leaders move, five times", Once: true, faults: times(5, leadersMoved)},
	{Name: "replicas", What: "10 % of the answers are NOT_ENOUGH_REPLICAS_AFTER_APPEND", Once: true, during: answersRefused},
	{Name: "broker", What: "a broker dies and comes back", Once: true, faults: []fault{brokerDied, brokerBack}},
	{Name: "rolling", What: "the brokers restart one after the other", Once: true, faults: []fault{rolled(0), rolled(1), rolled(2)}},
	{Name: "stop", What: "stopped with SIGTERM in the middle", Once: true, faults: []fault{nothing, terminated}},
	{Name: "refused", What: "the brokers refuse some messages for good (INVALID_RECORD)", Once: true, during: messagesRefused},
	{Name: "contents", What: "lines with unusual contents", own: (*run).writeContents},
}

func times(n int, faults ...fault) []fault { return slices.Repeat(faults, n) }

func nothing(*run) {} // until more lines are in the topic

// Suite is a program with the trials that it undergoes.
type Suite struct {
	Command  Command
	Producer bool
	Trials   []Trial // the first one is done alone: if it is not possible, the others are not either
	Seed     uint64
	Line     *regexp.Regexp // of a consumer: only these lines count; nil: all
	Stored   string         // of a consumer: a command of the shell that prints what it has stored; then that counts, and not its lines
	// Say shows what happens in a trial. Several trials may call it at the same time.
	Say func(trial, line string)
	// Done shows the result of each trial, at its end.
	Done func(Result)

	limits limits
	once   bool // a failed trial is not repeated

	learned
}

// learned is what the first trial finds out about the program.
type learned struct {
	members  int            // of the program in its group, in one process
	instance string         // the group.instance.id of its member
	keys     map[int]string // of a producer's messages, by their number
	cost     time.Duration  // how long a message takes, if the program is slow
}

// limits are how long a trial waits. It never waits longer than it needs.
type limits struct {
	start    time.Duration // for the first message, and for members of the group
	patience time.Duration // without a new message
	end      time.Duration // for the end of a program after Ctrl-C
	odd      time.Duration // for a message with an unusual content, when the next one was printed
	away     time.Duration // how long all brokers are away
	pace     time.Duration // between two messages
	feed     time.Duration // how long a producer gets lines, and a consumer messages: a slow one gets fewer
}

var defaultLimits = limits{start: time.Minute, patience: 15 * time.Second, end: 10 * time.Second, odd: 2 * time.Second, away: 20 * time.Second, pace: 4 * time.Millisecond, feed: 20 * time.Second}

// lanes is how many trials run at a time. Most of the time each of them waits.
const lanes = 4

// Run performs the trials in folders below dir, and returns their results in the order of the trials. The
// error is only for what has nothing to do with the program.
func (s *Suite) Run(ctx context.Context, dir string) ([]Result, error) {
	if s.limits == (limits{}) {
		s.limits = defaultLimits
	}
	if !s.Producer {
		s.members = 1
	}
	results := make([]Result, len(s.Trials))
	results[0] = s.tryTwice(ctx, s.Trials[0], dir)
	possible := results[0].Why == "" || results[0].Arrived > 0 && !results[0].unknown
	var all sync.WaitGroup
	free := make(chan struct{}, lanes)
	for i, t := range s.Trials[1:] {
		if !possible {
			results[1+i] = Result{Trial: t.Name, What: t.What, Status: NotTried, Why: "the trial " + s.Trials[0].Name + " was not possible"}
			continue
		}
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			results[1+i] = s.tryTwice(ctx, t, dir)
		})
	}
	all.Wait()
	return results, ctx.Err()
}

// tryTwice performs one trial. If it did not end well, it performs it once more, because this machine may have been
// busy. Only what happens again counts.
func (s *Suite) tryTwice(ctx context.Context, t Trial, dir string) Result {
	result := s.try(ctx, t, dir, s.Seed)
	if again := result.Status == NotTried || result.Status == Failed && (result.Arrived > 0 || t.own != nil) && !result.unknown; again && !s.once && ctx.Err() == nil {
		first := cmp.Or(result.Why, fmt.Sprintf("%d lost, %d twice, %d out of order", len(result.Lost), len(result.Twice), len(result.OutOfOrder)))
		if result = s.try(ctx, t, dir, s.Seed+1); result.Status == OK {
			result.note("the first time it failed, the second time it did not, and this counts; the first time: " + first)
		}
	}
	if s.Done != nil && ctx.Err() == nil {
		s.Done(result)
	}
	return result
}

// try performs one trial once.
func (s *Suite) try(ctx context.Context, t Trial, dir string, seed uint64) Result {
	r := &run{
		Suite: s, cost: s.cost, unload: func() {},
		history: history{began: time.Now(), random: rand.New(rand.NewPCG(seed, uint64(crc32.ChecksumIEEE([]byte(t.Name)))))},
		result:  Result{Trial: t.Name, What: t.What, Status: OK},
	}
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	if err := r.perform(t, filepath.Join(dir, t.Name)); err != nil {
		r.result.Status, r.result.Why = NotTried, err.Error()
	}
	r.cancel(nil)
	r.result.judge(t.Once && (r.kafka == nil || !r.kafka.look().transactional))
	r.result.Seconds = float64(r.since().Milliseconds()) / 1000
	return r.result
}

// perform prepares a trial in a folder of its own, performs it, and checks what there is to check, also after a problem. The error is
// why the trial is not possible.
func (r *run) perform(t Trial, root string) error {
	if t.grouped && r.members == 0 {
		return errors.New("the program is not a member of a group")
	}
	defer os.RemoveAll(root)
	var err error
	r.folder, err = r.Command.workFolder(root, func(path string) {
		r.result.note(fmt.Sprintf("%s is larger than %d MB and not there, because a trial has a copy of all that a program may write; chmod -w makes a file read-only, and then it is there", path, largest>>20))
	})
	if err != nil {
		return err
	}
	if r.kafka, err = openKafka(filepath.Join(r.folder, "auth")); err != nil {
		return err
	}
	defer r.kafka.close()
	var early *problem
	if err := r.steps(t); errors.As(err, &early) {
		r.setWhy(early.text, early.hint)
	} else if err != nil {
		return err
	}
	if t.own != nil {
		return nil
	}
	if r.Producer {
		messages, err := r.kafka.read(r.ctx)
		if err != nil {
			return err
		}
		r.records = recordsOf(messages)
		if t.Name == r.Trials[0].Name {
			r.Suite.keys = make(map[int]string)
			for _, record := range r.records {
				r.Suite.keys[record.number] = record.key
			}
		}
	}
	r.committed, r.inFlight = r.kafka.committed(), r.members
	if r.kafka.look().transactional {
		r.result.note("it commits its offsets in transactions: what it printed in one that was aborted comes again, and what it prints after a commit may be missing " +
			"when it is killed; let it write to the topic " + outTopic + ", and read that with --result 'COMMAND'")
	}
	if r.Stored != "" && !r.Producer {
		if err := r.readStored(); err != nil {
			return err
		}
	}
	r.mu.Lock() // an answer to a message of the load may still come
	defer r.mu.Unlock()
	if r.Producer {
		r.result.Findings = r.checkProducer()
	} else {
		r.result.Findings = r.checkConsumer()
	}
	if r.result.unknown {
		r.result.Findings = Findings{Sent: r.result.Sent, Arrived: r.result.Arrived}
	} else if early != nil {
		if unread := r.result.dropUnread(); unread > 0 {
			r.result.note(fmt.Sprintf("%d messages were not read, and would be read later", unread))
		}
	}
	return nil
}

// steps performs the steps of a trial, and returns the error that ended them.
func (r *run) steps(t Trial) (err error) {
	defer r.close()
	defer func() {
		end := recover()
		if failed, ok := end.(ended); ok {
			err = failed.error
		} else if end != nil {
			panic(end)
		}
	}()
	note := func() string { return "" }
	if t.during != nil {
		note = t.during(r)
	}
	switch {
	case t.own != nil:
		t.own(r)
	case r.Producer:
		r.feed(t.faults)
	case t.faults == nil:
		r.explore()
	default:
		r.consume(t.faults)
	}
	if text := note(); text != "" {
		r.result.note(text)
	}
	return nil
}
