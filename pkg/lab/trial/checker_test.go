package trial

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// sent is a workload of one partition and one key, of the messages 0, 1, 2 and so on.
func sent(n int) (all []message) {
	for i := range n {
		all = append(all, message{record: record{number: i, key: "k", partition: 3, offset: int64(10 + i)}, sent: time.Duration(i) * 10 * ms, required: true})
	}
	return all
}

func prints(process string, from time.Duration, numbers ...int) (all []printed) {
	for i, number := range numbers {
		all = append(all, printed{number, process, from + time.Duration(i)*10*ms, ""})
	}
	return all
}

func TestCheckReading(t *testing.T) {
	other := func(m message, partition int32, key string) message {
		m.partition, m.key = partition, key
		return m
	}
	early := sent(3)
	early[0].required = false
	for _, test := range []struct {
		name    string
		reading facts
		counts  string // arrived of sent, lost, twice, out of order
		kind    Kind
		want    string // the first finding
	}{
		{"complete", facts{messages: sent(3), prints: prints("process 1", 0, 0, 1, 2)}, "3/3 0 0 0", "", ""},
		{"sent before it was ready", facts{messages: early, prints: prints("process 1", 0, 1, 2)}, "2/2 0 0 0", "", ""},
		{"of another workload", facts{messages: sent(2), prints: prints("process 1", 0, 7, 0, 1)}, "2/2 0 0 0", "", ""},
		{"committed before it was printed", facts{
			messages: sent(4), prints: append(prints("process 1", 0, 0), prints("process 2", 500*ms, 2, 3)...),
			committed: map[int32]int64{3: 14},
			events:    []event{{200 * ms, "process 1 was killed"}, {300 * ms, "process 2 was started"}, {600 * ms, "process 2 was stopped"}},
		}, "3/4 1 0 0", LostCommitted, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
			"process 1 printed judge-000000, before it in this partition, at 0.00 s; process 1 was killed at 0.20 s; " +
			"process 2 printed judge-000002, after it in this partition, at 0.50 s; " +
			"the committed offset is 14, so the group does not read it again"},
		{"no committed offset to continue at", facts{
			messages: sent(3), prints: append(prints("process 1", 0, 0), prints("process 2", 500*ms, 2)...), committed: map[int32]int64{},
			starts: []start{{"process 1", 0, map[int32]int64{}}, {"process 2", 300 * ms, map[int32]int64{1: 5}}},
		}, "2/3 1 0 0", LostAtReset, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
			"process 1 printed judge-000000, before it in this partition, at 0.00 s; " +
			"process 2 printed judge-000002, after it in this partition, at 0.50 s; " +
			"when process 2 started at 0.30 s, the group had no committed offset for the partition; " +
			"the group has no committed offset for the partition"},
		{"a gap", facts{messages: sent(3), prints: prints("process 1", 0, 0, 2), committed: map[int32]int64{3: 11}},
			"2/3 1 0 0", LostGap, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
				"process 1 printed judge-000000, before it in this partition, at 0.00 s; " +
				"process 1 printed judge-000002, after it in this partition, at 0.01 s"},
		{"the end is missing, and the offsets are unknown", facts{messages: sent(2), prints: prints("process 1", 0, 0)},
			"1/2 1 0 0", LostWaiting, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
				"process 1 printed judge-000000, before it in this partition, at 0.00 s; the committed offsets are not known"},
		{"a later message of another partition is no gap", facts{
			messages: []message{sent(2)[0], other(sent(2)[1], 4, "other")}, prints: prints("process 1", 0, 1), committed: map[int32]int64{3: 0, 4: 0},
		}, "1/2 1 0 0", LostWaiting, "judge-000000 (partition 3, offset 10): never printed; sent at 0.00 s"},
		{"twice by one", facts{messages: sent(2), prints: prints("process 1", 0, 0, 1, 1)}, "2/2 0 1 0", TwiceInOne,
			"judge-000001 (partition 3, offset 11): printed by process 1 at 0.01 s and by process 1 at 0.02 s"},
		{"twice by two", facts{messages: sent(2), prints: append(prints("process 1", 0, 0, 1), prints("process 2", 100*ms, 0)...)},
			"2/2 0 1 0", TwiceInTwo, "judge-000000 (partition 3, offset 10): printed by process 1 at 0.00 s and by process 2 at 0.10 s"},
		{"interrupted before the commit", facts{messages: sent(2), prints: append(prints("process 1", 0, 0, 1), prints("process 2", 100*ms, 1)...)},
			"2/2 0 1 0", Interrupted, "judge-000001 (partition 3, offset 11): printed by process 1 at 0.01 s and by process 2 at 0.10 s"},
		{"read again is not out of order", facts{messages: sent(3), prints: prints("process 1", 0, 0, 1, 2, 0, 1, 2)}, "3/3 0 3 0", TwiceInOne,
			"judge-000000 (partition 3, offset 10): printed by process 1 at 0.00 s and by process 1 at 0.03 s"},
		{"stored once, in any order, and not printed", facts{messages: sent(2), prints: prints("process 1", 0, 1), stored: map[int]int{1: 1, 0: 1}}, "2/2 0 0 0", "", ""},
		{"stored twice", facts{messages: sent(2), prints: prints("process 1", 0, 0, 1), stored: map[int]int{1: 2, 0: 1}}, "2/2 0 1 0", TwiceStored,
			"judge-000001 (partition 3, offset 11): stored 2 times"},
		{"not stored", facts{messages: sent(2), prints: prints("process 1", 0, 0, 1), stored: map[int]int{0: 1}, committed: map[int32]int64{3: 12}},
			"1/2 1 0 0", LostCommitted, "judge-000001 (partition 3, offset 11): printed by process 1 at 0.01 s, but not stored; " +
				"process 1 printed judge-000000, before it in this partition, at 0.00 s; the committed offset is 12, so the group does not read it again"},
		{"swapped", facts{messages: sent(3), prints: prints("process 1", 0, 0, 2, 1)}, "3/3 0 0 1", OutOfOrder,
			"judge-000001 (partition 3, offset 11): printed by process 1 at 0.02 s, after judge-000002 at offset 12, " +
				"which process 1 printed at 0.01 s; both have the key k"},
		{"swapped, with two keys", facts{messages: []message{sent(2)[0], other(sent(2)[1], 3, "other")}, prints: prints("process 1", 0, 1, 0)},
			"2/2 0 0 0", "", ""},
		{"two pipes have no exact order", facts{messages: sent(2), prints: append(prints("process 1", 0, 1), prints("process 2", 10*ms, 0)...)},
			"2/2 0 0 0", "", ""},
		{"a late process is out of order", facts{messages: sent(2), prints: append(prints("process 1", 0, 1), prints("process 2", time.Second, 0)...)},
			"2/2 0 0 1", OutOfOrder, "judge-000000 (partition 3, offset 10): printed by process 2 at 1.00 s, after judge-000001 at offset 11, " +
				"which process 1 printed at 0.00 s; both have the key k"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.reading.checkConsumer(), test.counts, test.kind, test.want) })
	}
}

func compare(t *testing.T, f Findings, counts string, kind Kind, want string) {
	t.Helper()
	if got := fmt.Sprintf("%d/%d %d %d %d", f.Arrived, f.Sent, len(f.Lost), len(f.Twice), len(f.OutOfOrder)); got != counts {
		t.Errorf("%s, want %s", got, counts)
	}
	var first Finding
	for _, finding := range slices.Concat(f.Lost, f.Twice, f.OutOfOrder) {
		first = finding
		break
	}
	if first.Kind != kind || kind != "" && first.String() != want {
		t.Errorf("%s: %s\nwant %s: %s", first.Kind, first, kind, want)
	}
}

func TestCheckWriting(t *testing.T) {
	in := func(number int, partition int32, offset int64, key string) record {
		return record{number: number, key: key, keyless: key == "", partition: partition, offset: offset}
	}
	lines := sent(3)
	all := []record{in(0, 1, 0, ""), in(1, 1, 1, ""), in(2, 2, 0, "")}
	for _, test := range []struct {
		name    string
		writing facts
		counts  string
		kind    Kind
		want    string
	}{
		{"complete", facts{messages: lines, records: all}, "3/3 0 0 0", "", ""},
		{"missing", facts{messages: lines, records: all[:2]}, "2/3 1 0 0", NotInTopic, "judge-000002: line 3 of 3 is not in the topic"},
		{"stopped, and not reported", facts{messages: lines, records: all[:2], partial: true, reports: []report{{line: "ok", number: 0}}},
			"1/1 0 0 0", "", ""},
		{"stopped, and nothing reported", facts{messages: lines, records: all[:2], partial: true}, "2/2 0 0 0", "", ""},
		{"stopped, and reported", facts{messages: lines, records: all[:2], partial: true, reports: reportsIn("sent judge-000002")},
			"0/1 1 0 0", NotDelivered, `judge-000002: line 3 is not in the topic, but the program printed "sent judge-000002"`},
		{"stopped, and a count reported", facts{messages: lines, records: all[:2], partial: true, reports: reportsIn("x: 3 messages delivered in 2 s")},
			"2/3 1 0 0", NotDelivered, `some messages: 2 lines are in the topic, but the program printed "x: 3 messages delivered in 2 s"`},
		{"stopped, and the right count reported", facts{messages: lines, records: all[:2], partial: true, reports: reportsIn("2 messages delivered")},
			"2/2 0 0 0", "", ""},
		{"twice", facts{messages: lines, records: append(slices.Clone(all), in(1, 5, 7, ""))}, "3/3 0 1 0", TwiceInTopic,
			"judge-000001 (partition 1, offset 1): line 2 is in the topic 2 times: partition 1, offset 1; partition 5, offset 7"},
		{"out of order", facts{messages: lines, records: []record{in(0, 1, 0, ""), in(2, 1, 1, ""), in(1, 1, 2, "")}}, "3/3 0 0 1", OutOfOrder,
			"judge-000001 (partition 1, offset 2): it is behind judge-000002 at offset 1, which was sent after it; both have no key"},
		{"order counts within a key", facts{messages: lines, records: []record{in(1, 1, 0, "b"), in(0, 1, 1, "a"), in(2, 1, 2, "a")}},
			"3/3 0 0 0", "", ""},
		{"a key in two partitions", facts{messages: lines, records: []record{in(0, 1, 0, "a"), in(1, 2, 0, "a"), in(2, 1, 1, "a")}}, "3/3 0 0 1", OutOfOrder,
			"judge-000001 (partition 2, offset 0): the key a is also in partition 1, so its messages have no order"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.writing.checkProducer(), test.counts, test.kind, test.want) })
	}
}

func TestNumbersIn(t *testing.T) {
	for line, want := range map[string][]int{
		"judge-000123":                      {123},
		"b'judge-000007'":                   {7},
		"partition 1, value judge-000001 ":  {1},
		"[judge-000001 judge-000002]":       {1, 2},
		"\x1b[35mjudge-000004\x1b[0m":       {4},
		`{"line":"k\tjudge-000005\n"}`:      {5},
		"sensor_judge-000006_x":             {6},
		"judge-000001judge-000002":          {1, 2},
		"judge-0000012":                     nil,
		"judge-12":                          nil,
		"File /tmp/tkafka-judge-3104511463": nil,
		strings.Repeat("x", 100) + "judge-": nil,
	} {
		if got := numbersIn(line); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}

// A line of a producer is a report only if it says that something was delivered.
func TestReportsIn(t *testing.T) {
	for line, want := range map[string]string{
		"delivered judge-000004":                         "4",
		"judge-000004 -> partition 5, offset 17":         "4",
		`{"text": "judge-000004", "error": null}`:        "4",
		"ok judge-000004 (no error)":                     "4",
		"FAILED, not delivered: judge-000004: timed out": "",
		"judge-000004: Local: Message timed out":         "",
		"delivery_failed judge-000004":                   "",
		"sending judge-000004 ...":                       "",
		"queued judge-000004":                            "",
		"184 of 185 messages delivered":                  "184 messages",
		"184/185 records were successfully delivered":    "184 messages",
		"0 of 185 messages delivered":                    "0 messages",
		"x: 1,536,108 messages delivered in 2 s":         "1536108 messages",
		"delivered: 184, failed: 1":                      "184 messages",
		"acknowledged 184 of 185 lines":                  "184 messages",
		"185 lines sent, 184 messages delivered":         "184 messages",
		"sent 185 records":                               "185 messages",
		"185 messages sent, 3 failed":                    "",
		"3 messages not delivered":                       "",
		"delivered 18432 bytes":                          "",
		"line 5 is not delivered: MESSAGE_TOO_LARGE":     "",
		"partition 5, offset 17 delivered":               "",
	} {
		got := ""
		for _, report := range reportsIn(line) {
			if got = fmt.Sprint(report.number); report.number < 0 {
				got = fmt.Sprint(report.count, " messages")
			}
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// Two lines for each message are two kinds of lines. The same line twice is a message that came twice.
func TestKinds(t *testing.T) {
	var two, one history
	two.messages, one.messages = sent(20), sent(20)
	for i := range 20 {
		two.print("process 1", "got "+textOf(i))
		two.print("process 1", fmt.Sprintf("stored %s after %d ms", textOf(i), i))
		one.print("process 1", textOf(i))
		one.print("process 1", textOf(i))
	}
	if got := fmt.Sprintf("%q", two.kinds()); got != `["got judge-#" "stored judge-# after # ms"]` || one.kinds() != nil {
		t.Error(got, one.kinds())
	}
}
