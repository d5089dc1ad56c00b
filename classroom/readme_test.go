// Package classroom has no code of its own: the tools are in the folders below. Here the README is
// put to the test.
package classroom

import (
	"bufio"
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"tkafka/pkg/settings"
)

// elsewhere are commands that this test must not run, with what runs them instead.
var elsewhere = map[string]string{
	"go run ./classroom/tour":                                     "the test of classroom/tour",
	"go run ./classroom/tour --auth auth --topic client7":         "the test of classroom/tour, and .ci/real",
	"go test ./...":                                               "whoever runs this test",
	".ci/real 4.3.1 300":                                          ".ci/run",
	"pkill -9 consumercommit":                                     "nothing: it would end other tests' programs",
	"scp -r auth you@your-vm:tkafka/":                             "nothing: there is no such machine",
	"ssh you@your-vm chmod 600 tkafka/auth/kafka.keystore.pkcs12": "nothing: there is no such machine",
}

// patience is how long an expected line may take: compiling a program for the first time is in it.
const patience = 90 * time.Second

// TestTranscripts types what the README's transcripts show, each terminal=NAME in a terminal of its
// own, in the order of the text, and expects what they show to be printed:
//
//	$ command       typed at the shell's prompt
//	> text          typed at a program's prompt
//	^C, ^D          the key
//	...             any lines
//	anything else   a line that is printed, with any digits for digits
func TestTranscripts(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs every program")
	}
	root := copyOfRepository(t)
	terminals := make(map[string]*terminal)
	for _, block := range transcripts(t) {
		if block.mark == "docker" || block.mark == "staff" {
			continue
		}
		if block.terminal == "" {
			for _, line := range block.lines {
				command, isCommand := strings.CutPrefix(line, "$ ")
				if (isCommand || block.mark == "sh") && elsewhere[command] == "" {
					t.Errorf("README.md:%d: nothing runs %q", block.line, command)
				}
			}
			continue
		}
		if terminals[block.terminal] == nil {
			terminals[block.terminal] = openTerminal(t, root, block.terminal)
		}
		terminals[block.terminal].play(block)
	}
	term := openTerminal(t, root, "what the text suggests")
	for _, command := range suggestions(t) {
		if elsewhere[command] != "" {
			continue
		}
		t.Log(command)
		term.press(strings.ReplaceAll(command, "client7", "client60") + "\n")
		if !strings.HasPrefix(command, "go build") { // a consumer: it runs until it is stopped
			term.expect(`: assigned 16 of 16 partitions: 0-15`)
			term.press("\x03")
		}
		term.expect(shellPrompt)
	}
}

// suggestions are the commands within the text that no transcript shows.
func suggestions(t *testing.T) (commands []string) {
	text := readme(t)
	for _, span := range regexp.MustCompile("`((?:go (?:run|build) |\\./[a-z]+ |pkill )[^`]+)`").FindAllSubmatch(text, -1) {
		if command := string(span[1]); !bytes.Contains(text, []byte("\n$ "+command)) {
			commands = append(commands, command)
		}
	}
	if len(commands) == 0 {
		t.Error("README.md suggests nothing to try")
	}
	return commands
}

type block struct {
	line     int
	terminal string
	lines    []string
	mark     string // docker: see TestDockerCommands; staff: .ci/real types them; sh: commands alone
}

var fence = regexp.MustCompile("^```console(?: terminal=(\\w+)| (docker|staff))?$")

func readme(t *testing.T) []byte {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func transcripts(t *testing.T) (blocks []block) {
	text := readme(t)
	var open *block
	number := 0
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		number++
		switch line := lines.Text(); {
		case open == nil && fence.MatchString(line):
			marks := fence.FindStringSubmatch(line)
			open = &block{line: number, terminal: marks[1], mark: marks[2]}
		case open == nil && line == "```sh":
			open = &block{line: number, mark: "sh"}
		case open == nil && strings.HasPrefix(line, "```console"):
			t.Fatalf("README.md:%d: cannot read %s", number, line)
		case open != nil && line == "```":
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		}
	}
	if len(blocks) == 0 {
		t.Fatal("README.md has no transcripts")
	}
	return blocks
}

// copyOfRepository is a clone as a student has it: with an auth/ that nobody has put anything into.
func copyOfRepository(t *testing.T) string {
	root := t.TempDir()
	for _, name := range repositoryFiles(t) {
		text, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // deleted, and not committed yet
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(root, name), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// repositoryFiles are the files that git knows or would add. Where the source came without git, they
// are all but those of the folders for credentials.
func repositoryFiles(t *testing.T) (names []string) {
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	if files, err := list.Output(); err == nil {
		return strings.Split(strings.TrimRight(string(files), "\x00"), "\x00")
	}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "auth" || name == "creds" || name == ".git"):
			return filepath.SkipDir
		case entry.Type().IsRegular():
			names = append(names, strings.TrimPrefix(filepath.ToSlash(path), "../"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// terminal is a shell with a screen and a keyboard.
type terminal struct {
	t        *testing.T
	name     string
	keyboard *os.File
	ready    bool // the shell's prompt was the last thing we saw

	mu      sync.Mutex
	screen  []byte // what has been printed and not been looked at yet
	changed chan struct{}
}

// The shell's prompt is one that no program prints.
const shellPrompt = "READY-FOR-THE-NEXT-COMMAND "

func openTerminal(t *testing.T, dir, name string) *terminal {
	shell := exec.Command("bash", "--norc", "--noprofile")
	shell.Dir = dir
	shell.Env = append(os.Environ(), "PS1="+shellPrompt, "TERM=dumb", "KAFKA_AUTH=", "KAFKA_BROKERS=",
		"KAFKA_KEYSTORE_PASSWORD="+settings.DefaultPassword)
	keyboard, err := pty.StartWithSize(shell, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, name: name, keyboard: keyboard, changed: make(chan struct{})}
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := keyboard.Read(buffer)
			term.mu.Lock()
			term.screen = append(term.screen, buffer[:n]...)
			close(term.changed)
			term.changed = make(chan struct{})
			term.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		term.press("\x03")
		if !term.ready {
			term.sees(regexp.MustCompile(shellPrompt), 10*time.Second)
		}
		term.press("exit\n")
		kill := time.AfterFunc(10*time.Second, func() { shell.Process.Kill() })
		shell.Wait()
		kill.Stop()
		keyboard.Close()
	})
	term.expect(shellPrompt)
	term.ready = true
	return term
}

func (term *terminal) press(keys string) {
	if _, err := term.keyboard.WriteString(keys); err != nil {
		term.t.Errorf("terminal %s: %v", term.name, err)
	}
}

// expect waits for a match on the screen and forgets what is before it.
func (term *terminal) expect(pattern string) {
	term.t.Helper()
	if !term.sees(regexp.MustCompile("(?m)"+pattern), patience) {
		term.t.Fatalf("terminal %s: no %q in %s", term.name, pattern, term.screen)
	}
}

func (term *terminal) sees(expression *regexp.Regexp, patience time.Duration) bool {
	for timeout := time.After(patience); ; {
		term.mu.Lock()
		at, changed := expression.FindIndex(term.screen), term.changed
		if at != nil {
			term.screen = term.screen[at[1]:]
		}
		term.mu.Unlock()
		if at != nil {
			return true
		}
		select {
		case <-changed:
		case <-timeout:
			return false
		}
	}
}

var digits = regexp.MustCompile(`[0-9,]*[0-9]|commitoffsets-[a-z2-7]{12}`)

// wiped is the progress of a producer that takes its time on a busy machine, and the clearing of it or of a
// prompt.
const wiped = `(?:(?:[0-9,]+ messages? delivered)?\r\x1b\[K)*`

// play types and expects what a transcript shows.
func (term *terminal) play(b block) {
	interrupted := false
	for _, line := range b.lines {
		command, isCommand := strings.CutPrefix(line, "$ ")
		typed, isTyped := strings.CutPrefix(line, "> ")
		term.t.Logf("%s: %s", term.name, line)
		switch {
		case isCommand:
			if !term.ready {
				term.expect(shellPrompt)
			}
			term.ready, interrupted = false, false
			if strings.Contains(command, "./classroom/cluster") {
				command += " --ports 0,0,0" // a reader's own cluster may have the usual ones
			}
			term.press(command + "\n")
			term.expect(`\n`) // its echo
		case isTyped:
			term.expect(`> `)
			term.press(typed + "\n")
			term.expect(`\n`)
		case line == "^C":
			term.press("\x03")
			interrupted = true
		case line == "^D":
			term.expect(`> `)
			term.press("\x04")
		case line == "...":
		default:
			term.expect(`^(?:\^C|> )?` + wiped + like(line) + `\r?$`)
		}
	}
	if interrupted { // what happens in other terminals next happens after the program has ended
		term.expect(shellPrompt)
		term.ready = true
	}
}

// like is the expression for a line with any digits for digits, unless they are a whole message.
func like(line string) string {
	if digits.FindString(line) == line {
		return regexp.QuoteMeta(line)
	}
	var expression strings.Builder
	for _, part := range splitKeeping(line, digits) {
		switch {
		case strings.HasPrefix(part, "commitoffsets-"):
			expression.WriteString(`commitoffsets-[a-z2-7]{12}`)
		case digits.MatchString(part):
			expression.WriteString(`[0-9,]+`)
		default:
			expression.WriteString(regexp.QuoteMeta(part))
		}
	}
	return expression.String()
}

func splitKeeping(text string, at *regexp.Regexp) (parts []string) {
	for text != "" {
		found := at.FindStringIndex(text)
		if found == nil {
			return append(parts, text)
		}
		if found[0] > 0 {
			parts = append(parts, text[:found[0]])
		}
		parts = append(parts, text[found[0]:found[1]])
		text = text[found[1]:]
	}
	return parts
}
