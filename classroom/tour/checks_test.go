package main

import (
	"slices"
	"strings"
	"testing"
)

// Each check is shown a transcript that is as it should be, and broken ones.
func TestChecks(t *testing.T) {
	places := map[string]place{"a1": {1, 0}, "a2": {1, 1}, "a3": {1, 2}, "b1": {2, 7}}
	held := func(line string) assignment {
		a, ok := parseAssignment(line)
		if !ok {
			t.Fatalf("not understood: %s", line)
		}
		return a
	}
	full := func(messages ...string) (printed []string) {
		for _, m := range messages {
			printed = append(printed, m, "Start Storing", "End Storing", "Message committed")
		}
		return printed
	}
	firstRun := append(full("a1"), "a2", "Start Storing")
	interruption := func(printed []string, committed map[int32]int64) error {
		done, again, err := interrupted(printed, places, committed)
		if err == nil && (done != "a1" || again != "a2") {
			t.Errorf("%q is done and %q comes again", done, again)
		}
		return err
	}
	low, high, all := held("assigned 2 of 4 partitions: 0-1"), held("assigned 2 of 4 partitions: 2-3, lost 0-1"), held("assigned 4 of 4 partitions: 0-3")
	const (
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
		{"latest prints an old one", printedExactly([]string{"old", "new"}, []string{"new"}), `"old" was printed, and should not`},
		{"among older ones", printedAll([]string{"old", "old", "a"}, []string{"a"}), ""},
		{"missing among older ones", printedAll([]string{"old"}, []string{"a"}), `"a" is missing`},
		{"twice among older ones", printedAll([]string{"a", "old", "a"}, []string{"a"}), "2 times"},

		{"in order", inOrder([]string{"a1", "b1", "a2"}, places), ""},
		{"out of order", inOrder([]string{"a2", "b1", "a1"}, places), `in partition 1, "a1" came after "a2"`},

		{"interrupted", interruption(firstRun, map[int32]int64{1: 1}), ""},
		{"nothing committed", interruption(firstRun, nil), `"a1" is not committed`},
		{"too much committed", interruption(firstRun, map[int32]int64{1: 2}), `"a2" is committed`},
		{"stopped too late", interruption(append(firstRun, "End Storing"), map[int32]int64{1: 1}), "stopped while it stored"},
		{"stopped too early", interruption(firstRun[:4], map[int32]int64{1: 1}), "stopped while it stored"},
		{"committed without storing", interruption([]string{"a1", "Start Storing", "Message committed"}, map[int32]int64{1: 1}), `instead of "End Storing"`},
		{"a message of others", interruption(append(full("x"), "a2", "Start Storing"), map[int32]int64{1: 1}), "not a message of this tour"},
		{"place said", saidWhere([]string{"stopped while storing: partition 1, offset 1 is not committed and will be read again"}, places["a2"]), ""},
		{"other place said", saidWhere([]string{"stopped while storing: partition 1, offset 12 is not committed and will be read again"}, places["a2"]), "nothing of partition 1, offset 1"},

		{"read again", readAgain(full("b1", "a2", "a3"), "a2", places), ""},
		{"not read again", readAgain(full("b1"), "a2", places), `"a2" did not come again`},
		{"read again, but not first", readAgain(full("b1", "a3", "a2"), "a2", places), `"a3" came before it`},
		{"each once", readOnce(firstRun, full("b1", "a2", "a3"), "a2", places), ""},
		{"committed one again", readOnce(firstRun, full("a1", "a2", "a3", "b1"), "a2", places), `"a1" was read 2 times`},
		{"another twice", readOnce(firstRun, full("a2", "a3", "b1", "b1"), "a2", places), `"b1" was read 2 times`},
		{"one never", readOnce(firstRun, full("a2", "a3"), "a2", places), `"b1" was read 0 times`},
		{"all committed", committedAll(map[int32]int64{1: 3, 2: 8}, places), ""},
		{"last not committed", committedAll(map[int32]int64{1: 2, 2: 8}, places), "partition 1 goes on at offset 2"},
		{"partition not committed", committedAll(map[int32]int64{1: 3}, places), "partition 2 goes on at offset 0"},

		{"shared", sharedOut(4, low, high), ""},
		{"alone", sharedOut(4, all), ""},
		{"one for two", sharedOut(1, held("assigned 1 of 1 partitions: 0"), held("no partitions: 2 members share 1")), ""},
		{"overlapping", sharedOut(4, low, held("assigned 3 of 4 partitions: 1-3")), "partition 1 is with 2 members"},
		{"not all", sharedOut(4, low, held("assigned 1 of 4 partitions: 3")), "partition 2 is with 0 members"},
		{"not all, alone", sharedOut(4, low), "partition 2 is with 0"},
		{"unfair", sharedOut(4, held("assigned 3 of 4 partitions: 0-2"), held("assigned 1 of 4 partitions: 3")), "holds 3 partitions and another 1"},
		{"too many", sharedOut(3, low, high), "4 partitions are shared"},

		{"one each", reachedOne([]string{"1", "2"}, []string{one}, []string{two}), ""},
		{"reached both", reachedOne([]string{"1", "2"}, []string{one, two}, []string{two}), `"2" was printed 2 times`},
		{"reached none", reachedOne([]string{"1", "2"}, []string{one}, nil), `"2" is missing`},
		{"another line", reachedOne([]string{"1"}, []string{one, "panic"}), `printed "panic"`},
		{"of its partition", reachedHolder([]string{one}, low), ""},
		{"of another's partition", reachedHolder([]string{one, two}, low), `"2" of partition 3`},
		{"after it had left", reachedNone([]string{"2"}, []string{one, two}), `"2" reached`},
		{"before it left", reachedNone([]string{"2"}, []string{one}), ""},
		{"keys grow", keysGrow([]string{"1", "2"}, []string{one}, []string{two, three}), ""},
		{"keys do not grow", keysGrow([]string{"2", "1"}, []string{one}), `"1" has the key 0`},
		{"same partition", sameKeySamePartition([]string{one, two}, []string{three}), ""},
		{"other partition", sameKeySamePartition([]string{one}, []string{"partition 3, offset 1, key 0, value 3"}), "key 0 was in partition 0 and in partition 3"},
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
		"no partitions: 17 members share 16, lost 3":  nil,
		"assigned 1 of 1 partitions: 0, lost nothing": {0},
	} {
		a, ok := parseAssignment(line)
		if !ok || !slices.Equal(a.partitions, want) {
			t.Errorf("%s: %v, %v", line, a.partitions, ok)
		}
	}
	for _, line := range []string{
		"joining group g",
		"assigned 8 of 16 partitions: 0-6", // it counts otherwise than it names
		"assigned 2 of 16 partitions: ",
		"assigned 2 of 16 partitions: 0-99999999999",
		"assigned 2 of 2 partitions: 0-2000000000",
	} {
		if a, ok := parseAssignment(line); ok {
			t.Errorf("%s: understood as %v", line, a)
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
