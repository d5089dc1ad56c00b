package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"tkafka/pkg/lab/process"
)

const (
	lineTime    = time.Minute // for an expected line; it includes the time to compile a program
	shellPrompt = "tour-shell-"
)

// A terminal is a shell on a terminal of its own, without echo.
type terminal struct {
	*process.Process
	name    string
	extra   *regexp.Regexp // lines that may come, too
	line    string         // the last line
	typed   string         // the last text: a terminal in a container echoes it
	prompt  string         // what is shown behind it, where the cursor is
	skip    bool           // any lines may come
	stopped bool           // Ctrl-C was the last that was typed
}

// open returns the terminal with this name. It opens it the first time.
func (p *player) open(ctx context.Context, name string) (*terminal, error) {
	if t, ok := p.terminals[name]; ok {
		return t, nil
	}
	shell := exec.Command("bash", "--norc", "--noprofile", "--noediting", "-i")
	shell.Dir = p.root
	shell.Env = append(p.env, "PS1="+shellPrompt+"$? ", "TERM=dumb")
	t := &terminal{Process: process.New(shell), name: name, extra: slow}
	if p.existing {
		t.extra = older
	}
	if err := t.StartOnTerminal(50, 200); err != nil {
		return nil, err
	}
	p.terminals[name] = t
	if err := t.await(ctx, shellPrompt, nil); err != nil {
		return nil, err
	}
	t.skip = true // the echo of this command
	return t, t.enter("stty -echo\n")
}

func (t *terminal) enter(keys string) error {
	t.typed, t.prompt, t.stopped = strings.TrimSuffix(keys, "\n"), "", false
	return t.Type(keys)
}

var (
	// next matches the next line, or a prompt at the end of what is printed. In a line the program may have
	// erased something: a prompt, or a number of messages. The prompt of the shell may follow a line without an
	// end: at Ctrl-C, a terminal drops what it has not shown yet.
	next = regexp.MustCompile(`^(?:.*\r\x1b\[K|\^C|(?:\x1b\[[0-9;?]*[a-z])+)?(?:(?:> )?(.*?)\r?\n|(> )$|(.*)` + shellPrompt + `(\d+) $)`)
	// slow matches lines of a slow machine, empty ones, and the identifier of a container.
	slow = regexp.MustCompile(`^$|^go: downloading |: waiting for |^[0-9a-f]{64}$`)
	// older also matches a line that comes if the topic has older messages.
	older = regexp.MustCompile(slow.String() + `|: latest: the group skips `)
)

// await reads lines until one is as wanted, or until the prompt is shown. It fails if another line comes.
func (t *terminal) await(ctx context.Context, prompt string, wanted *regexp.Regexp) error {
	for wanted != nil || t.prompt != prompt {
		match, err := t.Await(ctx, &t.Stdout, next, lineTime)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fmt.Errorf("terminal %s: nothing else came within %v; behind the line %q it printed %q", t.name, lineTime, t.line, t.Stdout.Unmatched())
		}
		cut, status := match[3], match[4]
		if t.prompt = match[2]; status != "" {
			t.prompt = shellPrompt
		} else if t.prompt == "" {
			t.line = match[1]
		}
		switch {
		case cut != "" && !t.stopped:
			return fmt.Errorf("terminal %s: its last line %q has no end", t.name, cut)
		case status != "" && status != "0" && !t.stopped: // after Ctrl-C the status of go run is 1
			return fmt.Errorf("terminal %s: the command ended with status %s; its last line was %q", t.name, status, t.line)
		case t.prompt == shellPrompt && wanted != nil:
			return fmt.Errorf("terminal %s: the command ended; its last line was %q", t.name, t.line)
		case t.prompt != "":
		case wanted != nil && wanted.MatchString(t.line):
			wanted, prompt = nil, t.prompt
		case t.line == t.typed:
			t.typed = ""
		case !t.skip && !t.extra.MatchString(t.line):
			return fmt.Errorf("terminal %s: it printed %q", t.name, t.line)
		}
	}
	t.skip = false
	return nil
}

// close ends the shells and all that runs in them: those of the cluster at last, so that members can leave.
func (p *player) close() {
	var members sync.WaitGroup
	for _, t := range p.terminals {
		if t.name != "cluster" {
			members.Go(t.close)
		}
	}
	members.Wait()
	if t := p.terminals["cluster"]; t != nil {
		t.close()
	}
}

func (t *terminal) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second) // a program ends within three
	defer cancel()
	t.enter("\x03") // go run waits for the end of its program, and removes its files
	t.skip, t.stopped = true, true
	t.await(ctx, shellPrompt, nil)
	t.Signal(syscall.SIGHUP) // the shell passes it to its programs
	t.Wait(time.Second)
	t.Kill()
}

var digits = regexp.MustCompile(`commitoffsets-\w+|[0-9,]*[0-9]`)

// like returns a pattern for a line with other digits, or for the same line if it has only digits.
func like(line string) *regexp.Regexp {
	if digits.FindString(line) == line {
		return regexp.MustCompile("^" + regexp.QuoteMeta(line) + "$")
	}
	pattern := digits.ReplaceAllStringFunc(regexp.QuoteMeta(line), func(found string) string {
		if strings.HasPrefix(found, "commitoffsets-") {
			return `commitoffsets-\w+`
		}
		return `[0-9,]+`
	})
	return regexp.MustCompile("^" + pattern + "$")
}

var checkMark = func() string {
	if _, plain := os.LookupEnv("NO_COLOR"); plain || !term.IsTerminal(int(os.Stdout.Fd())) {
		return "✓"
	}
	return "\x1b[32m✓\x1b[0m"
}()
