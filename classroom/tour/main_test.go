package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tkafka/pkg/lab/testbed"
)

// elsewhere are the commands of the pages that no test types here, with what types them instead.
var elsewhere = map[string]string{
	"go run ./classroom/tour":                                                   "this test",
	"go run ./classroom/tour --auth auth --topic client7":                       ".ci/real",
	"go test ./...":                                                             "this is a part of it",
	"go run ./classroom/watch client60":                                         "the tests of classroom/watch",
	"go run ./classroom/playground":                                             "the tests of classroom/playground",
	"pkill -9 consumercommit":                                                   "nothing: it would end the programs of other tests",
	"cp ~/Downloads/client7/* auth/":                                            "nothing: there is no such folder",
	"scp -i key.pem ~/Downloads/client7/* ubuntu@your-vm:tkafka/auth/":          "nothing: there is no such machine",
	"ssh -i key.pem ubuntu@your-vm chmod 600 tkafka/auth/kafka.keystore.pkcs12": "nothing: there is no such machine",
}

var commandInText = regexp.MustCompile("`((?:go (?:run|build) |\\./[a-z]+ |pkill )[^`]+)`")

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "4") // all pages at the same time: most of it each waits
	m.Run()
}

// The tour plays the pages, and then this test types the commands within their text.
func TestPages(t *testing.T) {
	if testing.Short() || os.Getenv("TKAFKA_TEST_AUTH") != "" {
		t.Skip("compiles and runs every program on a cluster of its own")
	}
	t.Setenv("GOFLAGS", "-trimpath") // so what is compiled in a copy of the repository is used in another one, too
	t.Setenv("GOGC", "400")          // go run takes less time
	for _, page := range []string{"README.md", "commitoffsets/README.md", "consumergroup/README.md", "consumergroup/share/README.md"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			p, err := newPlayer(t.Context(), t.Output(), t.TempDir(), nil, "")
			if err != nil {
				t.Fatal(err)
			}
			temporary := t.TempDir()
			p.env = append(p.env, "TMPDIR="+temporary)
			defer func() {
				p.close()
				if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
					t.Error(left, err)
				}
			}()
			if err := p.play(t.Context(), page); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(filepath.Join(p.root, page))
			if err != nil {
				t.Fatal(err)
			}
			for _, span := range commandInText.FindAllStringSubmatch(string(text), -1) {
				if elsewhere[span[1]] != "" || strings.Contains(string(text), "\n$ "+span[1]) {
					continue
				}
				err := p.transcript(t.Context(), part{terminal: "text", lines: []string{"$ " + span[1], "..."}})
				if err == nil && !strings.HasPrefix(span[1], "go build ") { // it runs until it is stopped
					err = p.terminals["text"].await(t.Context(), "", testbed.Assigned)
					err = errors.Join(err, p.transcript(t.Context(), part{terminal: "text", lines: []string{"...", "^C"}}))
				}
				if err != nil {
					t.Errorf("%s: %v", span[1], err)
				}
			}
		})
	}
}

// Each command of the pages is in a block that the tour plays, or something else types it.
func TestCommandsElsewhere(t *testing.T) {
	for _, page := range []string{"README.md", "classroom/REFERENCE.md", "commitoffsets/README.md", "consumergroup/README.md", "consumergroup/share/README.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		parts, err := parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
		for _, part := range parts {
			for _, line := range part.lines {
				if command := strings.TrimPrefix(line, "$ "); part.kind == commands && elsewhere[command] == "" {
					t.Errorf("%s:%d: nothing types %q", page, part.line, command)
				}
			}
		}
	}
}

// A page that promises too much fails.
func TestWrongPages(t *testing.T) {
	const program = "one()\ntwo()\none()\n"
	for name, test := range map[string]struct{ page, problem string }{
		"right":           {console("$ echo 12 messages", "34 messages", "$ tail -n 1 -f main.go", "one()", "^C", "$ printf 'a\\nb\\nc\\n'", "...", "b", "..."), ""},
		"other digits":    {console("$ echo 12", "34"), `it printed "12"`},
		"another line":    {console("$ printf 'a\\nb\\n'", "b"), `it printed "a"`},
		"one line more":   {console("$ printf 'a\\nb\\n'", "a", "$ true"), `it printed "b"`},
		"no line end":     {console("$ printf a"), `"a" has no end`},
		"cut by Ctrl-C":   {console("$ sh -c 'trap exit INT; printf a\\\\nb; while :; do sleep 0.05; done'", "a", "^C"), ""},
		"one line less":   {console("$ echo a", "a", "b"), "the command ended"},
		"status":          {console("$ echo a; false", "a", "$ true"), "status 1"},
		"change":          {change("-two()", "+three()") + "Change it back.\n", ""},
		"change, no back": {change("-two()", "+three()"), "never changed back"},
		"back, no change": {"Change\nit back.\n", "page.md:2: there is no change"},
		"other lines":     {change("-three()"), "has these lines 0 times"},
		"not clear which": {change("-one()"), "has these lines 2 times"},
		"no file":         {"```diff\n-one()\n```\n", "a diff begins with"},
		"no end":          {"```console terminal=one\n$ true\n", "has no end"},
		"unknown block":   {"```console termial=one\n$ true\n```\n", "line 1: unknown block"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &player{out: t.Output(), root: t.TempDir(), env: os.Environ(), replace: strings.NewReplacer(),
				terminals: make(map[string]*terminal), original: make(map[string][]byte)}
			defer p.close()
			for name, text := range map[string]string{"page.md": test.page, "main.go": program} {
				if err := os.WriteFile(filepath.Join(p.root, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			err := p.play(t.Context(), "page.md")
			if (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("%v, want %q", err, test.problem)
			}
			if text, _ := os.ReadFile(filepath.Join(p.root, "main.go")); test.problem == "" && string(text) != program {
				t.Errorf("main.go is not as before: %s", text)
			}
		})
	}
}

func console(lines ...string) string {
	return "```console terminal=one\n" + strings.Join(lines, "\n") + "\n```\n```console terminal=one\n$ true\n```\n"
}

func change(lines ...string) string {
	return "```diff\n@@ main.go @@\n" + strings.Join(lines, "\n") + "\n```\n"
}

// Ctrl-C ends the tour and all that runs in its terminals.
func TestStopped(t *testing.T) {
	p := &player{out: t.Output(), root: t.TempDir(), env: os.Environ(), terminals: make(map[string]*terminal)}
	ctx, stop := context.WithCancel(t.Context())
	program := `$ sh -c 'trap "sleep 0.2; touch stopped; exit" INT; echo ready; while :; do sleep 0.01; done'`
	if err := p.transcript(ctx, part{terminal: "one", lines: []string{program, "ready"}}); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := p.transcript(ctx, part{terminal: "one", lines: []string{"never"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	started := time.Now()
	p.close()
	if _, err := os.Stat(filepath.Join(p.root, "stopped")); err != nil || time.Since(started) > 2*time.Second {
		t.Errorf("after %v: %v", time.Since(started), err)
	}
}
