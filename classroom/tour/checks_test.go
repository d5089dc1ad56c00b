package main

import (
	"slices"
	"strings"
	"testing"
)

// Each check accepts a correct transcript and refuses wrong ones.
func TestChecks(t *testing.T) {
	places := map[string]place{"a1": {1, 0}, "a2": {1, 1}, "a3": {1, 2}, "b1": {2, 7}}
	member := func(line string) []int32 {
		a, ok := parseAssignment(line)
		if !ok {
			t.Fatalf("cannot read %s", line)
		}
		return a
	}
	full := func(messages ...string) (printed []string) {
		for _, m := range messages {
			printed = append(printed, m, "stores it", "has stored it", messageCommitted)
		}
		return printed
	}
	firstRun := append(full("a1"), "a2", "stores it")
	stopped := func(printed []string, committed map[int32]int64) error {
		done, again, err := stoppedBetween(printed, places, committed)
		if err == nil && (done != "a1" || again != "a2") {
			t.Errorf("%q is committed and %q comes again", done, again)
		}
		return err
	}
	low, high, all := member("assigned 2 of 4 partitions: 0-1"), member("assigned 2 of 4 partitions: 2-3, lost 0-1"), member("assigned 4 of 4 partitions: 0-3")
	const (
		aAccepted  = "partition 0, offset 0 is accepted"
		bAccepted  = "partition 3, offset 0 is accepted"
		aDelivered = "partition 0, offset 0, key 0, value a, delivery 1"
		bDelivered = "partition 3, offset 0, key 1, value b, delivery 1"
		bAgain     = "partition 3, offset 0, key 1, value b, delivery 2"

		one   = "partition 0, offset 0, key 0, value 1"
		two   = "partition 3, offset 0, key 1, value 2"
		three = "partition 0, offset 1, key 0, value 3"
	)

	for _, test := range []struct {
		name    string
		problem error
		want    string // part of the problem; empty: there is none
	}{
		{"all printed", printedExactly([]string{"a", "b"}, []string{"b", "a"}), ""},
		{"one missing", printedExactly([]string{"a"}, []string{"a", "b"}), `"b" is missing`},
		{"one twice", printedExactly([]string{"a", "b", "a"}, []string{"a", "b"}), `"a" was printed 2 times`},
		{"latest prints an old one", printedExactly([]string{"old", "new"}, []string{"new"}), `"old" was printed`},
		{"among older ones", printedOnce([]string{"old", "old", "a"}, []string{"a"}), ""},
		{"missing among older ones", printedOnce([]string{"old"}, []string{"a"}), `"a" is missing`},
		{"twice among older ones", printedOnce([]string{"a", "old", "a"}, []string{"a"}), "2 times"},

		{"accepted", acceptedOnce([]string{"a", "b"}, []string{aDelivered, bAgain}, []string{aAccepted, bAccepted}, nil), ""},
		{"not accepted", acceptedOnce([]string{"a", "b"}, []string{aDelivered, bAgain}, []string{aAccepted}, nil), `"b" is missing`},
		{"accepted twice", acceptedOnce([]string{"a"}, []string{aDelivered}, []string{aAccepted, aAccepted}, nil), "2 times"},
		{"accepted by the other one", acceptedOnce([]string{"a"}, []string{aDelivered}, []string{aAccepted}, []string{bAccepted}), "member 2 accepted"},
		{"delivered again", deliveredAgain([]string{"b"}, []string{aDelivered, bAgain}, []string{bDelivered}), ""},
		{"not delivered again", deliveredAgain([]string{"b"}, []string{aDelivered}, []string{bDelivered}), `"b" came with the delivery counts [1], not [1 2]`},
		{"another one again", deliveredAgain(nil, []string{aDelivered, bAgain}, []string{bDelivered}), `"b" came with the delivery counts [1 2], not [1]`},
		{"no delivery", deliveredAgain(nil, []string{one}), "printed"},

		{"in order", inOrder([]string{"a1", "b1", "a2"}, places), ""},
		{"out of order", inOrder([]string{"a2", "b1", "a1"}, places), `in partition 1, "a1" came after "a2"`},

		{"stopped between", stopped(firstRun, map[int32]int64{1: 1}), ""},
		{"nothing committed", stopped(firstRun, nil), `"a1" is not committed`},
		{"too much committed", stopped(firstRun, map[int32]int64{1: 2}), `"a2" is committed`},
		{"stopped too late", stopped(append(firstRun, messageCommitted), map[int32]int64{1: 2}), "should read two messages"},
		{"stopped too early", stopped(firstRun[:4], map[int32]int64{1: 1}), "should read two messages"},
		{"commit without a message", stopped([]string{"x", messageCommitted}, nil), "the tour did not send"},
		{"two commits for one message", stopped(append(full("a1", "x"), "a2"), map[int32]int64{1: 1}), "the tour did not send"},
		{"place", reportedPlace([]string{"stopped: partition 1, offset 1: not committed"}, places["a2"]), ""},
		{"other place", reportedPlace([]string{"stopped: partition 1, offset 12: not committed"}, places["a2"]), "partition 1, offset 1 is missing"},

		{"read again", readAgain(full("b1", "a2", "a3"), "a2", places), ""},
		{"not read again", readAgain(full("b1"), "a2", places), `"a2" did not come again`},
		{"read again, but not first", readAgain(full("b1", "a3", "a2"), "a2", places), `"a3" came before "a2"`},
		{"each once", readOnce(firstRun, full("b1", "a2", "a3"), "a2", places), ""},
		{"committed one again", readOnce(firstRun, full("a1", "a2", "a3", "b1"), "a2", places), `"a1" was read 2 times`},
		{"another one twice", readOnce(firstRun, full("a2", "a3", "b1", "b1"), "a2", places), `"b1" was read 2 times`},
		{"one never", readOnce(firstRun, full("a2", "a3"), "a2", places), `"b1" was read 0 times`},
		{"one without commit", readOnce(firstRun, append(full("a2", "a3"), "b1"), "a2", places), `"b1" was read 1 times and committed 0`},
		{"all committed", committedAll(map[int32]int64{1: 3, 2: 8}, places), ""},
		{"last one not committed", committedAll(map[int32]int64{1: 2, 2: 8}, places), "partition 1 has the committed offset 2"},
		{"partition not committed", committedAll(map[int32]int64{1: 3}, places), "partition 2 has the committed offset 0"},

		{"shared", shared(4, low, high), ""},
		{"alone", shared(4, all), ""},
		{"one for two", shared(1, member("assigned 1 of 1 partitions: 0"), member("no partitions: 2 members share 1")), ""},
		{"overlapping", shared(4, low, member("assigned 3 of 4 partitions: 1-3")), "partition 1 has 2 members"},
		{"not all", shared(4, low, member("assigned 1 of 4 partitions: 3")), "partition 2 has 0 members"},
		{"not all, alone", shared(4, low), "partition 2 has 0"},
		{"unfair", shared(4, member("assigned 3 of 4 partitions: 0-2"), member("assigned 1 of 4 partitions: 3")), "has 3 partitions and another one 1"},
		{"too many", shared(3, low, high), "have 4 partitions"},

		{"one each", reachedOne([]string{"1", "2"}, []string{one}, []string{two}), ""},
		{"reached both", reachedOne([]string{"1", "2"}, []string{one, two}, []string{two}), `"2" was printed 2 times`},
		{"reached none", reachedOne([]string{"1", "2"}, []string{one}, nil), `"2" is missing`},
		{"another line", reachedOne([]string{"1"}, []string{one, "panic"}), `printed "panic"`},
		{"of its partition", inPartitionsOf([]string{one}, low), ""},
		{"of another member's partition", inPartitionsOf([]string{one, two}, low), `"2" of partition 3`},
		{"after it had left", reachedNone([]string{"2"}, []string{one, two}), `"2" reached`},
		{"before it left", reachedNone([]string{"2"}, []string{one}), ""},
		{"keys count", keysCount([]string{"1", "2"}, []string{one}, []string{two, three}), ""},
		{"keys do not count", keysCount([]string{"2", "1"}, []string{one}), `"1" has the key 0`},
		{"same partition", sameKeySamePartition([]string{one, two}, []string{three}), ""},
		{"other partition", sameKeySamePartition([]string{one}, []string{"partition 3, offset 1, key 0, value 3"}), "key 0 is in partition 0 and in partition 3"},
		{"no key twice", sameKeySamePartition([]string{one, two}), "no key came twice"},
	} {
		switch {
		case test.want == "" && test.problem != nil:
			t.Errorf("%s: %v", test.name, test.problem)
		case test.want != "" && (test.problem == nil || !strings.Contains(test.problem.Error(), test.want)):
			t.Errorf("%s: got %v, want %s", test.name, test.problem, test.want)
		}
	}
}

func TestParseAssignment(t *testing.T) {
	for line, want := range map[string][]int32{
		"assigned 3 of 16 partitions: 0-2":            {0, 1, 2},
		"assigned 3 of 16 partitions: 0,4-5":          {0, 4, 5},
		"assigned 1 of 16 partitions: 7, lost 0-6":    {7},
		"no partitions, lost 3: 17 members share 16":  nil,
		"assigned 1 of 1 partitions: 0, lost nothing": {0},
	} {
		a, ok := parseAssignment(line)
		if !ok || !slices.Equal(a, want) {
			t.Errorf("%s: %v, %v", line, a, ok)
		}
	}
	for _, line := range []string{
		"joining group g",
		"assigned 8 of 16 partitions: 0-6", // the count is wrong
		"assigned 2 of 16 partitions: ",
		"assigned 2 of 16 partitions: 0-99999999999",
		"assigned 2 of 2 partitions: 0-2000000000",
	} {
		if a, ok := parseAssignment(line); ok {
			t.Errorf("%s: read as %v", line, a)
		}
	}
}

func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 60)
	for _, text := range []string{long, strings.Repeat("x", 250), strings.Repeat("é", 100), "short", ""} {
		lines := wrap(10, text)
		for _, line := range lines {
			if n := len([]rune(line)); n > width {
				t.Errorf("%d columns: %s", n, line)
			}
		}
		if got := strings.Join(strings.Fields(strings.Join(lines, "")), ""); got != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%q became %q", text, got)
		}
	}
}
