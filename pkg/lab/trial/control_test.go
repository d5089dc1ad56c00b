package trial

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"tkafka/pkg/tlsconf"
)

// The programs below are judged in these tests. One of each kind is correct, and each of the others has
// one mistake. The trial that is meant for the mistake must find it.
func TestMain(m *testing.M) {
	flag.Set("test.parallel", "16") // most of the time each test waits
	testscript.Main(m, map[string]func(){"judged": judged})
}

// judged consumer|producer TOPIC GROUP MISTAKE
func judged() {
	// Of all goroutines, only this one handles the signal: the program ends when its work does.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	role, topic, group, mistake := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	if mistake == "does not end" {
		ctx = context.Background()
	}
	var err error
	if role == "producer" {
		err = produce(ctx, topic, mistake)
	} else {
		err = consume(ctx, topic, group, mistake)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func connect() ([]kgo.Opt, error) {
	security, err := tlsconf.Load("auth", os.Getenv("KAFKA_KEYSTORE_PASSWORD"), nil)
	return []kgo.Opt{
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BROKERS"), ",")...),
		kgo.DialTLSConfig(security),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.AlwaysRetryEOF(), // also when a connection breaks before its first answer
	}, err
}

func consume(ctx context.Context, topic, group, mistake string) error {
	options, err := connect()
	if err != nil {
		return err
	}
	switch mistake {
	case "ends":
		return errors.New("judged: cannot open the database")
	case "does not connect":
		<-ctx.Done()
		return nil
	case "another topic":
		topic = "client60"
	case "starts slowly":
		time.Sleep(1500 * time.Millisecond)
	}
	reset := kgo.NewOffset().AtStart()
	if mistake == "never commits" || mistake == "begins at the end" {
		reset = kgo.NewOffset().AtEnd()
	}
	if strings.HasSuffix(mistake, "transactions") {
		timeout := 30 * time.Second
		if mistake == "short transactions" { // the messages of a killed program come again after this time
			timeout = 2 * time.Second
		}
		return consumeInTransactions(ctx, append(options, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.ConsumeResetOffset(reset), kgo.TransactionTimeout(timeout)))
	}
	if mistake == "static member" {
		options = append(options, kgo.InstanceID("judged-1"))
	}
	direct, err := kgo.NewClient(options...) // for the member that ignores a revocation
	if err != nil {
		return err
	}
	var mu sync.Mutex
	next := make(map[int32]int64)
	options = append(options,
		kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.ConsumeResetOffset(reset),
		kgo.Balancers(kgo.RangeBalancer()), kgo.HeartbeatInterval(200*time.Millisecond),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, revoked map[string][]int32) {
			if mistake == "ignores revocation" && ctx.Err() == nil {
				mu.Lock()
				defer mu.Unlock()
				for _, partition := range revoked[topic] {
					direct.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(next[partition])}})
				}
			}
		}),
	)
	if mistake == "ends when removed" { // also if nothing is to be committed at that time
		options = append(options, kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) {
			fmt.Fprintln(os.Stderr, "judged: removed from the group")
			os.Exit(1)
		}))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	if mistake == "ignores revocation" {
		go func() {
			for ctx.Err() == nil {
				for _, message := range direct.PollFetches(ctx).Records() {
					fmt.Println(string(message.Value))
				}
			}
		}()
	}
	store := newStore(mistake)
	seen := 0
	var held, last *kgo.Record
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		records := fetches.Records()
		if mistake == "commits first" || mistake == "stores after the commit" {
			client.CommitRecords(context.Background(), records...)
		}
		for _, message := range records {
			seen++
			if isDropped(mistake, message, last) {
				continue
			}
			if mistake == "slow" {
				time.Sleep(100 * time.Millisecond)
			}
			last = message
			mu.Lock()
			next[message.Partition] = message.Offset + 1
			mu.Unlock()
			switch text := string(message.Value); {
			case store != nil:
				store.add(message)
			case mistake == "prints nothing":
			case mistake == "prints something else":
				fmt.Println("got a message")
			case mistake == "prints on standard error":
				fmt.Fprintln(os.Stderr, text)
			case mistake == "prints without line ends":
				fmt.Print(text, " ")
			case mistake == "prints two kinds":
				fmt.Printf("received %s\nprocessed %s\n", text, text)
			case mistake == "swaps" && seen == 60:
				held = message // until the next one of its key comes
			case mistake == "skips" && seen == 60:
			case mistake == "prints twice" && seen%50 == 0:
				fmt.Printf("%s\n%s\n", text, text)
			default:
				fmt.Println(text)
				if held != nil && string(message.Key) == string(held.Key) {
					fmt.Println(string(held.Value))
					held = nil
				}
			}
		}
		if strings.HasPrefix(mistake, "/") {
			if err := client.CommitRecords(context.Background(), records...); err != nil {
				return err
			}
		}
		if strings.HasPrefix(mistake, "/") && seen > 60 { // a file: it ends only once
			if file, err := os.OpenFile(mistake, os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				file.Close()
				return errors.New("judged: it was a busy moment")
			}
		}
		if mistake != "never commits" && mistake != "commits first" && mistake != "stores after the commit" {
			err := client.CommitRecords(context.Background(), records...)
			if mistake == "ends when removed" && errors.Is(err, kerr.UnknownMemberID) { // then the client joins again, and has lost nothing
				return err
			}
		}
		client.AllowRebalance()
	}
}

// consumeInTransactions commits its offsets in transactions, as a program does that reads, processes and writes.
func consumeInTransactions(ctx context.Context, options []kgo.Opt) error {
	session, err := kgo.NewGroupTransactSession(append(options, kgo.TransactionalID(fmt.Sprint("judged-", os.Getpid())),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return err
	}
	defer session.Close()
	for {
		fetches := session.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := session.Begin(); err != nil {
			return err
		}
		for _, message := range fetches.Records() {
			fmt.Println(string(message.Value))
		}
		if _, err := session.End(context.Background(), kgo.TryCommit); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

// produceInTransactions sends ten lines in a transaction, and aborts and repeats every third one.
func produceInTransactions(options []kgo.Opt) error {
	client, err := kgo.NewClient(append(options, kgo.TransactionalID(fmt.Sprint("judged-", os.Getpid())))...)
	if err != nil {
		return err
	}
	defer client.Close()
	input, ctx := bufio.NewReader(os.Stdin), context.Background()
	for number, more := 1, true; more; number++ {
		var batch []*kgo.Record
		for more && len(batch) < 10 {
			line, err := input.ReadString('\n')
			if more = err == nil; line != "" {
				batch = append(batch, &kgo.Record{Value: []byte(strings.TrimSuffix(line, "\n"))})
			}
		}
		for _, commit := range [][]kgo.TransactionEndTry{{kgo.TryAbort, kgo.TryCommit}, {kgo.TryCommit}}[min(1, number%3)] {
			if err := client.BeginTransaction(); err != nil {
				return err
			}
			if err := errors.Join(client.ProduceSync(ctx, batch...).FirstErr(), client.EndTransaction(ctx, commit)); err != nil {
				return err
			}
		}
	}
	return nil
}

// isDropped reports whether a program drops a message, or a line, because it has an unusual content.
func isDropped(mistake string, m, last *kgo.Record) bool {
	return mistake == "drops the unusual" && (len(m.Value) == 0 || len(m.Value) > 65536 || !utf8.Valid(m.Value) || len(m.Key) == 0 || !utf8.Valid(m.Key) ||
		last != nil && bytes.Equal(m.Value, last.Value))
}

// store is a file with the messages. Only new ones are added, and printed a moment later.
type store struct {
	file *os.File
	text string // of the file
}

func newStore(mistake string) *store {
	if !strings.HasPrefix(mistake, "stores") {
		return nil
	}
	text, _ := os.ReadFile("stored")
	file, _ := os.OpenFile("stored", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if stored := strings.Fields(string(text)); mistake == "stores again" && len(stored) > 0 { // what it has stored before
		fmt.Fprintln(file, stored[len(stored)-1])
	}
	return &store{file, string(text)}
}

func (s *store) add(message *kgo.Record) {
	if text := string(message.Value); !strings.Contains(s.text, text) {
		fmt.Fprintln(s.file, text)
		time.Sleep(3 * time.Millisecond)
		fmt.Println(text)
	}
}

func produce(ctx context.Context, topic, mistake string) error {
	options, err := connect()
	if err != nil {
		return err
	}
	if mistake == "starts slowly" {
		time.Sleep(1500 * time.Millisecond)
	}
	if mistake == "transactions" {
		return produceInTransactions(append(options, kgo.DefaultProduceTopic(topic)))
	}
	options = append(options, kgo.DefaultProduceTopic(topic), kgo.RequiredAcks(kgo.AllISRAcks()))
	switch mistake {
	case "not idempotent":
		options = append(options, kgo.DisableIdempotentWrite())
	case "old, not idempotent": // it names topics, and not their IDs
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxVersions(kversion.V3_0_0()))
	case "does not flush":
		options = append(options, kgo.ProducerLinger(2*time.Second))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for input := bufio.NewReader(os.Stdin); ; {
			line, err := input.ReadString('\n')
			if line != "" && (err == nil || mistake != "drops the unusual") {
				lines <- strings.TrimSuffix(line, "\n")
			}
			if err != nil {
				return
			}
		}
	}()
	var held, last *kgo.Record
	var waiting []*kgo.Record
	for number := 0; ; number++ {
		var text string
		select {
		case <-ctx.Done():
			if mistake == "reports too early" {
				return nil
			}
			return client.Flush(context.Background())
		case line, open := <-lines:
			if !open && mistake == "does not flush" {
				return nil
			} else if !open {
				return client.Flush(context.Background())
			}
			text = line
		}
		if mistake == "changes the unusual" {
			text = strings.ToValidUTF8(strings.TrimSpace(text[:min(len(text), 1000)]), "?")
		}
		record := &kgo.Record{Key: fmt.Append(nil, number%5), Value: []byte(text)}
		if mistake == "random keys" {
			record.Key = fmt.Append(nil, rand.Float64())
		}
		if isDropped(mistake, record, last) {
			continue
		}
		last = record
		if mistake == "slow" {
			time.Sleep(100 * time.Millisecond)
		}
		if mistake == "swaps" && number == 60 {
			held = record
			continue
		}
		if mistake == "reports too early" { // five lines before it sends them
			fmt.Println("sent", text)
			waiting = append(waiting, record)
			if len(waiting) <= 5 {
				continue
			}
			record, waiting = waiting[0], waiting[1:]
		}
		send := func(record *kgo.Record) {
			client.Produce(context.Background(), record, func(record *kgo.Record, err error) {
				if (err == nil || mistake == "reports failures as delivered") && mistake != "reports nothing" && mistake != "reports too early" {
					fmt.Println("delivered", string(record.Value))
				}
			})
		}
		send(record)
		if held != nil && string(record.Key) == string(held.Key) {
			send(held)
			held = nil
		}
	}
}

// quick are limits for a program that does not need long.
var quick = limits{start: 30 * time.Second, patience: 6 * time.Second, end: 5 * time.Second, odd: 500 * time.Millisecond, away: 500 * time.Millisecond, pace: 2 * time.Millisecond, feed: 20 * time.Second}

// judge performs trials with a program that has a mistake. Without names, it performs all.
func judge(t *testing.T, role, mistake string, limits limits, names ...string) []Result {
	t.Helper()
	program, err := exec.LookPath("judged")
	if err != nil {
		t.Fatal(err)
	}
	command := Command{Args: []string{program, role, "{topic}", "{group}", mistake}, Folder: t.TempDir()}
	return perform(t, command, role == "producer", limits, names...)
}

func perform(t *testing.T, command Command, producer bool, limits limits, names ...string) []Result {
	t.Helper()
	s := &Suite{
		Command: command, Producer: producer, Seed: 1, limits: limits, once: true,
		Say: func(trial, line string) { t.Logf("%s: %s", trial, line) },
	}
	all := Consumer
	if producer {
		all = Producer
	}
	for _, trial := range all {
		if names == nil || slices.Contains(names, trial.Name) {
			s.Trials = append(s.Trials, trial)
		}
	}
	dir := t.TempDir()
	results, err := s.Run(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	return results
}

// A slow program gets as many messages as it can process, and its answer comes in time.
func TestSlow(t *testing.T) {
	t.Parallel()
	for role, trials := range map[string]string{"consumer": "start", "producer": "all"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			limits := quick
			limits.feed = 4 * time.Second
			results := judge(t, role, "slow", limits, strings.Fields(trials)...)
			for _, r := range results {
				if r.Status != OK || r.Sent < 20 || r.Sent > 200 || r.Seconds > 60 {
					t.Errorf("%s: %s %s: %d messages in %.1f s", r.Trial, r.Status, r.Why, r.Sent, r.Seconds)
				}
			}
			if !strings.Contains(strings.Join(results[0].Notes, ""), "a message takes about 0.") {
				t.Error(results[0].Notes)
			}
		})
	}
}

// Each mistake is found by the trial that is meant for it, and not by another check.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		role, mistake, trial string
		kind                 Kind
	}{
		{"producer", "not idempotent", "replies", TwiceInTopic},
		{"producer", "old, not idempotent", "replies", TwiceInTopic},
		{"producer", "not idempotent", "replicas", TwiceInTopic},
		{"producer", "does not flush", "all", NotInTopic},
		{"producer", "swaps", "all", OutOfOrder},
		{"producer", "reports too early", "stop", NotDelivered},
		{"consumer", "commits first", "kill", LostCommitted},
		{"consumer", "ignores revocation", "members", TwiceInTwo},
		{"consumer", "prints twice", "start", TwiceInOne},
		{"consumer", "swaps", "start", OutOfOrder},
		{"consumer", "skips", "start", LostCommitted},
		{"consumer", "never commits", "kill", LostAtReset},
		{"consumer", "begins at the end", "retention", LostExpired},
		{"consumer", "drops the unusual", "contents", LostContent},
		{"producer", "drops the unusual", "contents", LostContent},
		{"producer", "changes the unusual", "contents", Changed},
		{"producer", "random keys", "contents", RandomKey},
		{"producer", "reports failures as delivered", "refused", NotDelivered},
		{"producer", "reports nothing", "refused", NotInTopic},
	} {
		t.Run(test.mistake+" "+test.trial, func(t *testing.T) {
			t.Parallel()
			names := []string{test.trial}
			if test.mistake == "random keys" {
				names = append(names, "all") // to compare the keys
			}
			limits := quick
			switch test.mistake {
			case "never commits": // the judge waits so long for a commit
				limits.end = 2 * time.Second
			case "does not flush": // it has few messages in this time, because each waits for others; the first comes 2 s after its start
				limits.feed = 8 * time.Second
			}
			results := judge(t, test.role, test.mistake, limits, names...)
			r := results[len(results)-1]
			found := slices.Concat(r.Lost, r.Twice, r.OutOfOrder)
			if r.Status != Failed || r.Why != "" || len(found) == 0 || len(r.Meanings) == 0 || r.Section == "" {
				t.Fatalf("%s %s: %d findings, %q %q", r.Status, r.Why, len(found), r.Meanings, r.Section)
			}
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Kind == test.kind }) {
				t.Errorf("not found as %q: %s: %s", test.kind, found[0].Kind, found[0])
			}
			if want := map[string]int{"consumer drops the unusual": 7, "producer drops the unusual": 5, "producer changes the unusual": 3}[test.role+" "+test.mistake]; want > 0 && len(r.Lost) != want {
				t.Errorf("%d of %d contents: %v", len(r.Lost), want, r.Lost)
			}
			t.Logf("%d lost, %d twice, %d out of order; %s", len(r.Lost), len(r.Twice), len(r.OutOfOrder), found[0])
		})
	}
}

// What a group allows is no failure, or the reason is named.
func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, test := range []allowed{
		{"consumer", "static member", "start stop kill members", "ok ok ok not tried", "group.instance.id judged-1"},
		{"consumer", "ends when removed", "start slow", "ok ok", ""},
		{"consumer", "transactions", "stop members", "ok ok", ""},
		// Not connections: while all brokers refuse one, franz-go finds no coordinator for a transaction, and gives up.
		{"producer", "transactions", "all leaders stop", "ok ok not tried", "reports no delivery"},
	} {
		t.Run(test.role+" "+test.program+" "+test.trials, test.run)
	}
}

// The messages of a killed program come again when its transaction has timed out. Since this takes long, it is no
// part of TestAllowed, and so it begins first.
func TestKilledInTransaction(t *testing.T) {
	allowed{"consumer", "short transactions", "start kill", "ok ok", ""}.run(t)
}

// The same for a program that is paused: until its transaction ends, nobody else gets the committed offsets.
func TestPausedInTransaction(t *testing.T) {
	allowed{"consumer", "transactions", "start slow", "ok ok", ""}.run(t)
}

type allowed struct{ role, program, trials, want, why string }

func (a allowed) run(t *testing.T) {
	t.Parallel()
	var got []string
	var last Result
	for _, last = range judge(t, a.role, a.program, quick, strings.Fields(a.trials)...) {
		if got = append(got, string(last.Status)); last.Status == Failed {
			t.Errorf("%s: %s %q %v %v %v", last.Trial, last.Why, last.Notes, last.Lost, last.Twice, last.OutOfOrder)
		}
	}
	if strings.Join(got, " ") != a.want || !strings.Contains(last.Why, a.why) {
		t.Errorf("%q %q", got, last.Why)
	}
	if a.program == "ends when removed" && (len(last.Notes) == 0 || !strings.Contains(last.Notes[0], "it ended with status 1, and was started again")) {
		t.Error(last.Notes)
	}
}

// What a program stores counts if the judge can see it. A program that prints only what is new is acquitted then.
func TestStored(t *testing.T) {
	t.Parallel()
	for mistake, want := range map[string]string{"stores": "ok, twice false", "stores again": "ok, twice true", "stores after the commit": "FAILED, twice false"} {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath("judged")
			if err != nil {
				t.Fatal(err)
			}
			s := Suite{Command: Command{Args: []string{program, "consumer", "{topic}", "{group}", mistake}, Folder: t.TempDir()}, Seed: 1, limits: quick, once: true, Stored: "cat stored"}
			s.Trials = slices.DeleteFunc(slices.Clone(Consumer), func(t Trial) bool { return t.Name != "kill" })
			results, err := s.Run(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			r := results[0]
			if got := fmt.Sprintf("%s, twice %t", r.Status, len(r.Twice) > 0); got != want || r.Sent < 100 {
				t.Errorf("%s %s: %d of %d, %v %v", got, r.Why, r.Arrived, r.Sent, r.Lost, r.Twice)
			}
		})
	}
}

// A correct program passes all trials. Without this, the other tests would mean nothing.
func TestCorrectPrograms(t *testing.T) {
	t.Parallel()
	for role, trials := range map[string][]Trial{"consumer": Consumer, "producer": Producer} {
		for _, trial := range trials {
			t.Run(role+" "+trial.Name, func(t *testing.T) {
				t.Parallel()
				r := judge(t, role, "none", quick, trial.Name)[0]
				if r.Status != OK || r.Sent < 50 && r.Trial != "contents" || r.Arrived != r.Sent {
					t.Errorf("%s: %s %s: %d of %d, %v %v %v", r.Trial, r.Status, r.Why, r.Arrived, r.Sent, r.Lost, r.Twice, r.OutOfOrder)
				}
			})
		}
	}
}

// A program that cannot be judged gets an answer that helps.
func TestHelpfulAnswers(t *testing.T) {
	t.Parallel()
	impatient := quick
	impatient.start = 3 * time.Second
	for _, test := range []struct{ mistake, why, hint string }{
		{"ends", `process 1 ended by itself, with status 1, after `, ""},
		{"ends", `; the end of its standard error: "judged: cannot open the database"`, ""},
		{"does not connect", "it has not connected to the brokers in 5s; it printed nothing", "KAFKA_BROKERS"},
		{"another topic", "it asks for the topic client60, and the messages are in the topic judge", "{topic}"},
		{"prints nothing", "it reads the topic, and has printed nothing on standard output in 5s", "python3 -u"},
		{"prints something else", "has the text of a message; the end of its standard output: \"got a message", "such as judge-000000"},
		{"prints on standard error", "it prints the messages on standard error", "2>&1"},
		{"prints without line ends", "it prints the messages without line ends", `"\n"`},
		{"prints two kinds", `it prints each message in several kinds of lines: ["received judge-#" "processed judge-#"]`, "--line"},
	} {
		t.Run(test.mistake, func(t *testing.T) {
			t.Parallel()
			limits := impatient
			if test.mistake == "prints two kinds" { // it reads everything, which may take longer
				limits = quick
			}
			results := judge(t, "consumer", test.mistake, limits, "start", "kill")
			if r := results[0]; r.Status != Failed || !strings.Contains(r.Why, test.why) || !strings.Contains(r.Hint, test.hint) {
				t.Errorf("%s: %s\nhint: %s", r.Status, r.Why, r.Hint)
			}
			if r := results[1]; r.Status != NotTried || r.Why != "the trial start was not possible" && test.mistake != "prints two kinds" {
				t.Errorf("%s: %s", r.Status, r.Why)
			}
		})
	}
	t.Run("does not end", func(t *testing.T) { // it reads, so the other trials are possible
		t.Parallel()
		limits := quick
		limits.end = time.Second
		for _, r := range judge(t, "consumer", "does not end", limits, "start", "away") {
			if r.Status != Failed || r.Arrived == 0 || !strings.Contains(r.Why, " did not end within ") {
				t.Errorf("%s: %s %s", r.Trial, r.Status, r.Why)
			}
		}
	})
	for role, trial := range map[string]string{"consumer": "start", "producer": "all"} {
		t.Run(role+" starts slowly", func(t *testing.T) {
			t.Parallel()
			impatient := quick
			impatient.patience = time.Second
			if r := judge(t, role, "starts slowly", impatient, trial)[0]; r.Status != OK {
				t.Errorf("%s: %s", r.Status, r.Why)
			}
		})
	}
	t.Run("reports nothing", func(t *testing.T) {
		t.Parallel()
		r := judge(t, "producer", "reports nothing", quick, "stop")[0]
		if r.Status != NotTried || !strings.Contains(r.Why, "reports no delivery") {
			t.Errorf("%s: %s", r.Status, r.Why)
		}
	})
}

// A trial that failed once and not again is no failure, but a note.
func TestTwice(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("judged")
	if err != nil {
		t.Fatal(err)
	}
	s := Suite{Command: Command{Args: []string{program, "consumer", "{topic}", "{group}", t.TempDir() + "/ended"}, Folder: t.TempDir()},
		Trials: Consumer[:1], limits: quick}
	results, err := s.Run(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Status != OK || !strings.Contains(strings.Join(r.Notes, ""), "it was a busy moment") {
		t.Errorf("%s %s %q", r.Status, r.Why, r.Notes)
	}
}
