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
func sent(n int) (all []Message) {
	for i := range n {
		all = append(all, Message{Record: Record{Number: i, Key: "k", Partition: 3, Offset: int64(10 + i)}, Sent: time.Duration(i) * 10 * ms, Required: true})
	}
	return all
}

func prints(process string, from time.Duration, numbers ...int) (all []Print) {
	for i, number := range numbers {
		all = append(all, Print{number, process, from + time.Duration(i)*10*ms})
	}
	return all
}

func TestCheckReading(t *testing.T) {
	other := func(m Message, partition int32, key string) Message {
		m.Partition, m.Key = partition, key
		return m
	}
	early := sent(3)
	early[0].Required = false
	for _, test := range []struct {
		name    string
		reading Reading
		counts  string // arrived of sent, lost, twice, out of order
		kind    Kind
		want    string // the first finding
	}{
		{"complete", Reading{Sent: sent(3), Printed: prints("process 1", 0, 0, 1, 2)}, "3/3 0 0 0", "", ""},
		{"sent before it was ready", Reading{Sent: early, Printed: prints("process 1", 0, 1, 2)}, "2/2 0 0 0", "", ""},
		{"of another workload", Reading{Sent: sent(2), Printed: prints("process 1", 0, 7, 0, 1)}, "2/2 0 0 0", "", ""},
		{"committed before it was printed", Reading{
			Sent: sent(4), Printed: append(prints("process 1", 0, 0), prints("process 2", 500*ms, 2, 3)...),
			Committed: map[int32]int64{3: 14},
			Events:    []Event{{200 * ms, "process 1 was killed"}, {300 * ms, "process 2 was started"}, {600 * ms, "process 2 was stopped"}},
		}, "3/4 1 0 0", LostCommitted, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
			"process 1 printed judge-000000, before it in this partition, at 0.00 s; process 1 was killed at 0.20 s; " +
			"process 2 printed judge-000002, after it in this partition, at 0.50 s; " +
			"the committed offset is 14, so the group does not read it again"},
		{"no committed offset to continue at", Reading{
			Sent: sent(3), Printed: append(prints("process 1", 0, 0), prints("process 2", 500*ms, 2)...), Committed: map[int32]int64{},
			Starts: []Start{{"process 1", 0, map[int32]int64{}}, {"process 2", 300 * ms, map[int32]int64{1: 5}}},
		}, "2/3 1 0 0", LostAtReset, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
			"process 1 printed judge-000000, before it in this partition, at 0.00 s; " +
			"process 2 printed judge-000002, after it in this partition, at 0.50 s; " +
			"when process 2 started at 0.30 s, the group had no committed offset for the partition; " +
			"the group has no committed offset for the partition"},
		{"a gap", Reading{Sent: sent(3), Printed: prints("process 1", 0, 0, 2), Committed: map[int32]int64{3: 11}},
			"2/3 1 0 0", LostGap, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
				"process 1 printed judge-000000, before it in this partition, at 0.00 s; " +
				"process 1 printed judge-000002, after it in this partition, at 0.01 s"},
		{"the end is missing, and the offsets are unknown", Reading{Sent: sent(2), Printed: prints("process 1", 0, 0)},
			"1/2 1 0 0", LostWaiting, "judge-000001 (partition 3, offset 11): never printed; sent at 0.01 s; " +
				"process 1 printed judge-000000, before it in this partition, at 0.00 s; the committed offsets are not known"},
		{"a later message of another partition is no gap", Reading{
			Sent: []Message{sent(2)[0], other(sent(2)[1], 4, "other")}, Printed: prints("process 1", 0, 1), Committed: map[int32]int64{3: 0, 4: 0},
		}, "1/2 1 0 0", LostWaiting, "judge-000000 (partition 3, offset 10): never printed; sent at 0.00 s"},
		{"twice by one", Reading{Sent: sent(2), Printed: prints("process 1", 0, 0, 1, 1)}, "2/2 0 1 0", TwiceInOne,
			"judge-000001 (partition 3, offset 11): printed by process 1 at 0.01 s and by process 1 at 0.02 s"},
		{"twice by two", Reading{Sent: sent(2), Printed: append(prints("process 1", 0, 0, 1), prints("process 2", 100*ms, 0)...)},
			"2/2 0 1 0", TwiceInTwo, "judge-000000 (partition 3, offset 10): printed by process 1 at 0.00 s and by process 2 at 0.10 s"},
		{"interrupted before the commit", Reading{Sent: sent(2), Printed: append(prints("process 1", 0, 0, 1), prints("process 2", 100*ms, 1)...)},
			"2/2 0 1 0", Interrupted, "judge-000001 (partition 3, offset 11): printed by process 1 at 0.01 s and by process 2 at 0.10 s"},
		{"read again is not out of order", Reading{Sent: sent(3), Printed: prints("process 1", 0, 0, 1, 2, 0, 1, 2)}, "3/3 0 3 0", TwiceInOne,
			"judge-000000 (partition 3, offset 10): printed by process 1 at 0.00 s and by process 1 at 0.03 s"},
		{"swapped", Reading{Sent: sent(3), Printed: prints("process 1", 0, 0, 2, 1)}, "3/3 0 0 1", OutOfOrder,
			"judge-000001 (partition 3, offset 11): printed by process 1 at 0.02 s, after judge-000002 at offset 12, " +
				"which process 1 printed at 0.01 s; both have the key k"},
		{"swapped, with two keys", Reading{Sent: []Message{sent(2)[0], other(sent(2)[1], 3, "other")}, Printed: prints("process 1", 0, 1, 0)},
			"2/2 0 0 0", "", ""},
		{"two pipes have no exact order", Reading{Sent: sent(2), Printed: append(prints("process 1", 0, 1), prints("process 2", 10*ms, 0)...)},
			"2/2 0 0 0", "", ""},
		{"a late process is out of order", Reading{Sent: sent(2), Printed: append(prints("process 1", 0, 1), prints("process 2", time.Second, 0)...)},
			"2/2 0 0 1", OutOfOrder, "judge-000000 (partition 3, offset 10): printed by process 2 at 1.00 s, after judge-000001 at offset 11, " +
				"which process 1 printed at 0.00 s; both have the key k"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.reading.Check(), test.counts, test.kind, test.want) })
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
	record := func(number int, partition int32, offset int64, key string) Record {
		return Record{Number: number, Key: key, Keyless: key == "", Partition: partition, Offset: offset}
	}
	const lines = 3
	all := []Record{record(0, 1, 0, ""), record(1, 1, 1, ""), record(2, 2, 0, "")}
	for _, test := range []struct {
		name    string
		writing Writing
		counts  string
		kind    Kind
		want    string
	}{
		{"complete", Writing{Lines: lines, Records: all}, "3/3 0 0 0", "", ""},
		{"missing", Writing{Lines: lines, Records: all[:2]}, "2/3 1 0 0", NotInTopic, "judge-000002: line 3 of 3 is not in the topic"},
		{"stopped, and not reported", Writing{Lines: lines, Records: all[:2], Partial: true, Reported: []Report{{Line: "ok", Number: 0}}},
			"1/1 0 0 0", "", ""},
		{"stopped, and nothing reported", Writing{Lines: lines, Records: all[:2], Partial: true}, "2/2 0 0 0", "", ""},
		{"stopped, and reported", Writing{Lines: lines, Records: all[:2], Partial: true, Reported: reportsIn("sent judge-000002")},
			"0/1 1 0 0", NotDelivered, `judge-000002: line 3 is not in the topic, but the program printed "sent judge-000002"`},
		{"stopped, and a place reported", Writing{Lines: lines, Records: all[:2], Partial: true,
			Reported: append(reportsIn("partition 1, offset 1"), reportsIn("partition 9, offset 0")...)}, "1/2 1 0 0", NotDelivered,
			`a message (partition 9, offset 0): no line is there, but the program printed "partition 9, offset 0"`},
		{"stopped, and a count reported", Writing{Lines: lines, Records: all[:2], Partial: true, Reported: reportsIn("x: 3 messages delivered in 2 s")},
			"2/3 1 0 0", NotDelivered, `some messages: 2 lines are in the topic, but the program printed "x: 3 messages delivered in 2 s"`},
		{"stopped, and the right count reported", Writing{Lines: lines, Records: all[:2], Partial: true, Reported: reportsIn("2 messages delivered")},
			"2/2 0 0 0", "", ""},
		{"twice", Writing{Lines: lines, Records: append(slices.Clone(all), record(1, 5, 7, ""))}, "3/3 0 1 0", TwiceInTopic,
			"judge-000001 (partition 1, offset 1): line 2 is in the topic 2 times: partition 1, offset 1; partition 5, offset 7"},
		{"out of order", Writing{Lines: lines, Records: []Record{record(0, 1, 0, ""), record(2, 1, 1, ""), record(1, 1, 2, "")}}, "3/3 0 0 1", OutOfOrder,
			"judge-000001 (partition 1, offset 2): it is behind judge-000002 at offset 1, which was sent after it; both have no key"},
		{"order counts within a key", Writing{Lines: lines, Records: []Record{record(1, 1, 0, "b"), record(0, 1, 1, "a"), record(2, 1, 2, "a")}},
			"3/3 0 0 0", "", ""},
		{"a key in two partitions", Writing{Lines: lines, Records: []Record{record(0, 1, 0, "a"), record(1, 2, 0, "a"), record(2, 1, 1, "a")}}, "3/3 0 0 1", OutOfOrder,
			"judge-000001 (partition 2, offset 0): the key a is also in partition 1, so its messages have no order"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.writing.Check(), test.counts, test.kind, test.want) })
	}
}

func TestNumbersIn(t *testing.T) {
	for line, want := range map[string][]int{
		"judge-000123":                      {123},
		"b'judge-000007'":                   {7},
		"partition 1, value judge-000001 ":  {1},
		"[judge-000001 judge-000002]":       {1, 2},
		"judge-12":                          nil,
		"File /tmp/tkafka-judge-3104511463": nil,
		strings.Repeat("x", 100) + "judge-": nil,
	} {
		if got := numbersIn(line); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}
