// Package classroom has only tests: of the READMEs and of the layout of the module. The tools for the
// classroom are in the folders below.
package classroom

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tkafka/pkg/group"
	"tkafka/pkg/process"
	"tkafka/pkg/settings"
)

// elsewhere are commands that this test must not run, with what runs them instead.
var elsewhere = map[string]string{
	"go run ./classroom/tour":                                                                 "the test of classroom/tour",
	"go run ./classroom/tour --auth auth --topic client7":                                     "the test of classroom/tour, and .ci/real",
	"go run ./classroom/watch client60":                                                       "the tests of classroom/watch",
	"go run ./classroom/judge consumer --only kill -- python3 my_consumer.py {topic} {group}": ".ci/judge",
	"go run ./classroom/judge consumer --only kill -- go run ./commitoffsets/consumercommit judge my_group --store-time 10ms": ".ci/judge",
	"go test ./...":                   "this is a part of it",
	".ci/real 4.3.1 300":              ".ci/run",
	"pkill -9 consumercommit":         "nothing: it would end the programs of other tests",
	"cp ~/Downloads/client60/* auth/": "nothing: there is no such folder",
	"scp -i key.pem ~/Downloads/client60/* ubuntu@your-vm:tkafka/auth/":         "nothing: there is no such machine",
	"ssh -i key.pem ubuntu@your-vm chmod 600 tkafka/auth/kafka.keystore.pkcs12": "nothing: there is no such machine",
}

// lineTimeout is how long an expected line may take. It includes the time to compile a program.
const lineTimeout = 90 * time.Second

// TestTranscripts performs the READMEs in a copy of the repository. It types what a transcript shows,
// in one terminal for each terminal=NAME, and waits for the lines that the transcript shows:
//
//	$ command       typed at the shell's prompt
//	> text          typed at a program's prompt
//	^C, ^D          the key
//	...             any lines
//	anything else   a line that is printed; other digits may stand for the digits
//
// Between the transcripts it changes programs as the READMEs suggest, see edits. At the end it types
// the commands within the text.
func TestTranscripts(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs every program")
	}
	root := copyOfRepository(t)
	changes := newEdits(root)
	terminals := make(map[string]*terminal)
	for _, b := range readmeBlocks(t) {
		var err error
		switch b.kind {
		case commands:
			for i, line := range b.lines {
				command, isCommand := strings.CutPrefix(line, "$ ")
				if isOutput := !isCommand && strings.HasPrefix(b.lines[0], "$ "); isOutput {
					continue
				}
				if elsewhere[command] == "" {
					t.Errorf("%s: nothing runs %q", b.place(i), command)
				}
			}
		case diff:
			err = changes.apply(b)
		case changeBack:
			err = changes.undo(b)
		case transcript:
			if terminals[b.terminal] == nil {
				terminals[b.terminal] = openTerminal(t, root, b.terminal)
			}
			terminals[b.terminal].play(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := changes.done(); err != nil {
		t.Fatal(err)
	}
	term := openTerminal(t, root, "commands within the text")
	for _, command := range commandsInText(t) {
		if elsewhere[command] != "" {
			continue
		}
		t.Log(command)
		term.press(strings.ReplaceAll(command, "client7", "client60") + "\n")
		if !strings.HasPrefix(command, "go build") { // a consumer: it runs until it is stopped
			term.expect(group.Assigned.String())
			term.press("\x03")
		}
		term.expect(shellPrompt)
	}
}

var commandInText = regexp.MustCompile("`((?:go (?:run|build) |\\./[a-z]+ |pkill )[^`]+)`")

// commandsInText returns the commands within the text that no block shows.
func commandsInText(t *testing.T) (found []string) {
	for _, name := range readmes {
		text := readmeText(t, name)
		for _, span := range commandInText.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(text, "\n$ "+span[1]) {
				found = append(found, span[1])
			}
		}
	}
	if len(found) == 0 {
		t.Error("no commands within the text")
	}
	return found
}

// copyOfRepository returns a copy as a student has it, without credentials in auth/.
func copyOfRepository(t *testing.T) string {
	root := t.TempDir()
	for _, name := range repositoryFiles(t) {
		text, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // deleted, but not in a commit yet
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

// repositoryFiles returns the files that git has or would add. Without git it returns all files outside
// of the folders for credentials.
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

// terminal is a shell on a terminal of its own.
type terminal struct {
	*process.Process
	t     *testing.T
	name  string
	adapt func(command string) string // changes a command as the test needs it
	ready bool                        // the shell's prompt was the last match
}

// No program prints the prompt of the shell.
const shellPrompt = "READY-FOR-THE-NEXT-COMMAND "

func openTerminal(t *testing.T, dir, name string) *terminal {
	t.Helper()
	shell := exec.Command("bash", "--norc", "--noprofile")
	shell.Dir = dir
	shell.Env = append(os.Environ(), "PS1="+shellPrompt, "TERM=dumb", "KAFKA_AUTH=", "KAFKA_BROKERS=",
		"KAFKA_KEYSTORE_PASSWORD="+settings.DefaultPassword,
		"XDG_CONFIG_HOME="+t.TempDir()) // here the cluster keeps its authority
	term := &terminal{Process: process.New(shell), t: t, name: name, adapt: onFreePorts}
	if err := term.StartOnTerminal(50, 200); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer term.Kill()
		const enough = 10 * time.Second
		term.press("\x03")
		if !term.ready {
			term.Await(&term.Stdout, regexp.MustCompile(shellPrompt), enough)
		}
		term.press("exit\n")
		term.Wait(enough)
	})
	term.expect(shellPrompt)
	term.ready = true
	return term
}

// onFreePorts starts the cluster on free ports: a cluster of the reader may use the usual ones.
func onFreePorts(command string) string {
	if strings.Contains(command, "./classroom/cluster") {
		return command + " --ports 0,0,0"
	}
	return command
}

func (term *terminal) press(keys string) {
	if err := term.Type(keys); err != nil {
		term.t.Errorf("terminal %s: %v", term.name, err)
	}
}

// expect waits for a match behind the last match.
func (term *terminal) expect(pattern string) {
	term.t.Helper()
	if _, err := term.Await(&term.Stdout, regexp.MustCompile("(?m)"+pattern), lineTimeout); err != nil {
		term.t.Fatalf("terminal %s: %v; it printed %s", term.name, err, term.Stdout.Unmatched())
	}
}

var digits = regexp.MustCompile(`[0-9.]+ m?s\b|[0-9,]*[0-9]|commitoffsets-[a-z2-7]{12}`)

// cleared is a prompt or the progress of a producer that was shown before the line, and cleared. A
// producer shows its progress on a busy machine.
const cleared = `(?:(?:[0-9,]+ messages? delivered)?\r\x1b\[K)*`

// play types what a transcript shows, and waits for the lines that it shows.
func (term *terminal) play(b block) {
	interrupted := false
	for i, line := range b.lines {
		command, isCommand := strings.CutPrefix(line, "$ ")
		typed, isTyped := strings.CutPrefix(line, "> ")
		term.t.Logf("%s: %s: %s", b.place(i), term.name, line)
		switch {
		case isCommand:
			if !term.ready {
				term.expect(shellPrompt)
			}
			term.ready, interrupted = false, false
			term.press(term.adapt(command) + "\n")
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
			term.expect(`^(?:\^C|> )?` + cleared + like(line) + `\r?$`)
		}
	}
	if interrupted { // the program must end before other terminals continue
		term.expect(shellPrompt)
		term.ready = true
	}
}

// like returns a pattern for a line that allows other digits, unless the line is digits only.
func like(line string) string {
	if digits.FindString(line) == line {
		return regexp.QuoteMeta(line)
	}
	var expression strings.Builder
	for _, part := range splitKeeping(line, digits) {
		switch {
		case strings.HasPrefix(part, "commitoffsets-"):
			expression.WriteString(`commitoffsets-[a-z2-7]{12}`)
		case digits.MatchString(part) && strings.HasSuffix(part, "s"): // a time: 65 ms, or 9.1 s on a slow machine
			expression.WriteString(`[0-9.]+ m?s`)
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
