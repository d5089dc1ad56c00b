package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// What breaks a promise is found.
func TestStopped(t *testing.T) {
	const whole = "0\nStart Storing\nEnd Storing\nMessage committed\n"
	for name, test := range map[string]struct {
		runs      []string // what the program prints, from one start to the next
		committed int64
		want      string // the first broken promise, or none
	}{
		"the same":               {[]string{whole + "1\nStart Storing\n", "1\nStart Storing\n"}, 1, ""},
		"the next":               {[]string{whole, "1\nStart Storing\nEnd Storing\n"}, 1, ""},
		"nothing":                {[]string{whole, "", "1\n"}, 1, ""},
		"a gap":                  {[]string{whole, "2\n"}, 1, "offset 2 after offset 0"},
		"back":                   {[]string{"0\n", "1\n", "0\n"}, 0, "offset 0 after offset 1"},
		"false commit":           {[]string{whole, "0\n"}, 0, "offset 0 comes again, and was reported as committed"},
		"committed too early":    {[]string{"0\nStart Storing\n"}, 1, "committed offset 1, but only -1 is stored"},
		"not a line of a lesson": {[]string{"panic: \n"}, 0, `it printed "panic: "`},
	} {
		f := &findings{}
		s := &stopped{f: f, last: -1, stored: -1, claimed: -1}
		for i, run := range test.runs {
			committed := test.committed
			if i < len(test.runs)-1 {
				committed = 0
			}
			s.check(strings.Split(strings.TrimSuffix(run, "\n"), "\n")[:strings.Count(run, "\n")], committed, "stop")
		}
		if got := strings.Join(f.broken, "; "); test.want == "" && got != "" || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestHarmful(t *testing.T) {
	for _, text := range hostile {
		if text != "two\nlines" && harmful([]byte("before "+text)) == "" {
			t.Errorf("%q is harmless", text)
		}
	}
	if got := harmful([]byte("plain, Grüße, \tand\r\n\\x1b[31m")); got != "" {
		t.Errorf("%s is harmful", got)
	}
}

// A broken promise, and an attack that could not be performed, fail the command. One that is not possible here does not.
func TestPrint(t *testing.T) {
	for name, test := range map[string]struct {
		broken []string
		err    error
		fails  bool
	}{
		"ok":                {nil, nil, false},
		"broken":            {[]string{"a message is lost"}, nil, true},
		"broken, and ended": {[]string{"a message is lost"}, errors.New("no topic"), true},
		"not performed":     {nil, errors.New("no topic"), true},
		"not tried":         {nil, notTried("no disk"), false},
	} {
		rows := []row{newRow(attack{}, &findings{broken: test.broken}, "", test.err, time.Second)}
		if err := printTable(io.Discard, rows); (err != nil) != test.fails {
			t.Errorf("%s: %v", name, err)
		}
	}
}
