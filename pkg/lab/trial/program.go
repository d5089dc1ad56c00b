package trial

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"tkafka/pkg/lab/process"
	"tkafka/pkg/settings"
)

// Command is the program to judge.
type Command struct {
	// Args are the program and its arguments, with {topic}, {group}, {brokers} and {auth} in them.
	Args []string
	// Folder is where the user typed the command. The program runs in a copy of it (folder.go).
	Folder string
}

// switches are the flags of go run without a value.
var switches = strings.Fields("a asan cover json linkshared modcacherw msan n race trimpath v work x")

// Build replaces "go run PACKAGE" by an executable, which it builds into dir. So a signal reaches the
// program itself, and it starts without a compiler. It returns the package, or "" for another command.
func (c *Command) Build(ctx context.Context, dir string) (pkg string, err error) {
	if len(c.Args) < 3 || filepath.Base(c.Args[0]) != "go" || c.Args[1] != "run" {
		return "", nil
	}
	at := 2
	for ; at < len(c.Args) && strings.HasPrefix(c.Args[at], "-") && c.Args[at] != "--"; at++ {
		name, value, given := strings.Cut(strings.TrimLeft(c.Args[at], "-"), "=")
		if !given && !slices.Contains(switches, name) { // it has a value of its own
			if at++; at == len(c.Args) {
				break
			}
			value = c.Args[at]
		}
		if name == "C" { // go changes to this folder, also for the program
			c.Folder = filepath.Join(c.Folder, value)
			c.Args, at = slices.Delete(c.Args, 2, at+1), 1
		}
	}
	if at == len(c.Args) {
		return "", errors.New("go run needs a package")
	}
	end := at + 1
	for end < len(c.Args) && strings.HasSuffix(c.Args[at], ".go") && strings.HasSuffix(c.Args[end], ".go") {
		end++
	}
	executable := filepath.Join(dir, "program")
	// Unlike go build, go run keeps what it links.
	args := slices.Concat(c.Args[1:at], []string{"-exec", "cp"}, c.Args[at:end], []string{executable})
	build := exec.CommandContext(ctx, c.Args[0], args...)
	build.Dir = c.Folder
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(build.Args[:2], " "), err, strings.TrimSpace(string(text)))
	}
	pkg = strings.Join(c.Args[at:end], " ")
	c.Args = append([]string{executable}, c.Args[end:]...)
	return pkg, nil
}

// process returns a process of the program in the folder, which has not started.
func (c *Command) process(k *kafka, folder string) *process.Process {
	command := c.in(folder, k, c.Args)
	running := process.New(command)
	running.InSession()
	const keep = 64 << 10 // messages are counted as they come
	running.Stdout.Keep, running.Stderr.Keep = keep, keep
	return running
}

// in returns a command that runs in the folder, and knows the cluster.
func (c *Command) in(folder string, k *kafka, words []string) *exec.Cmd {
	brokers := strings.Join(k.Brokers(), ",")
	values := strings.NewReplacer("{topic}", Topic, "{group}", defaultGroup, "{brokers}", brokers, "{auth}", k.auth)
	var args []string
	for _, word := range words {
		args = append(args, values.Replace(word))
	}
	if _, err := os.Stat(filepath.Join(folder, args[0])); strings.Contains(args[0], "/") && !filepath.IsAbs(args[0]) && err != nil {
		args[0] = filepath.Join(c.Folder, args[0]) // it is too large for the copy
	}
	command := exec.Command(args[0], args[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "PWD="+folder,
		"KAFKA_BROKERS="+brokers, "KAFKA_AUTH="+k.auth, "KAFKA_KEYSTORE_PASSWORD="+settings.DefaultPassword,
		"PYTHONUNBUFFERED=1",        // as python3 -u: each line comes at once
		"PYTHONDONTWRITEBYTECODE=1", // into packages that are links
		"GORACE=atexit_sleep_ms=0")  // with the race detector, a program would sleep for a second at its end
	return command
}

// readStored runs the command that prints what the program has stored, and counts the messages in it.
func (r *run) readStored() error {
	printed, err := r.Command.in(r.folder, r.kafka, []string{"sh", "-c", r.Stored}).CombinedOutput()
	if err != nil {
		return fmt.Errorf("--result: %w: %s", err, strings.TrimSpace(string(printed[:min(len(printed), 200)])))
	}
	r.stored = make(map[int]int)
	for _, number := range numbersIn(string(printed)) {
		r.stored[number]++
	}
	return nil
}
