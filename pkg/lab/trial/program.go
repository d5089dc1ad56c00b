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
	// Folder is where the user typed the command. The program runs in a folder with links to all that is
	// in it, and with an auth/ of its own.
	Folder string
}

// Build replaces "go run PACKAGE" by an executable, which it builds into dir. So a signal reaches the
// program itself, and it starts without a compiler. It returns the package, or "" for another command.
func (c *Command) Build(ctx context.Context, dir string) (pkg string, err error) {
	if len(c.Args) < 3 || filepath.Base(c.Args[0]) != "go" || c.Args[1] != "run" {
		return "", nil
	}
	at := 2
	for at < len(c.Args) && strings.HasPrefix(c.Args[at], "-") && c.Args[at] != "--" {
		at++ // flags such as -race; one with a value of its own needs "=": -tags=x
	}
	if at == len(c.Args) {
		return "", errors.New("go run needs a package")
	}
	end := at + 1
	for end < len(c.Args) && strings.HasSuffix(c.Args[at], ".go") && strings.HasSuffix(c.Args[end], ".go") {
		end++
	}
	executable := filepath.Join(dir, "program")
	build := exec.CommandContext(ctx, c.Args[0], slices.Concat([]string{"build", "-o", executable}, c.Args[2:end])...)
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
	brokers := strings.Join(k.Brokers(), ",")
	values := strings.NewReplacer("{topic}", Topic, "{group}", defaultGroup, "{brokers}", brokers, "{auth}", k.auth)
	var args []string
	for _, arg := range c.Args {
		args = append(args, values.Replace(arg))
	}
	command := exec.Command(args[0], args[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "PWD="+folder,
		"KAFKA_BROKERS="+brokers, "KAFKA_AUTH="+k.auth, "KAFKA_KEYSTORE_PASSWORD="+settings.DefaultPassword,
		"PYTHONUNBUFFERED=1",       // as python3 -u: each line comes at once
		"GORACE=atexit_sleep_ms=0") // with the race detector, a program would sleep for a second at its end
	running := process.New(command)
	running.InSession()
	const keep = 64 << 10 // messages are counted as they come
	running.Stdout.Keep, running.Stderr.Keep = keep, keep
	return running
}

// workFolder makes the folder that a program runs in: links to all that is in the user's folder, except
// auth, which the caller makes. It returns the path of auth.
func workFolder(dir, users string) (auth string, err error) {
	entries, err := os.ReadDir(users)
	if err != nil {
		return "", err
	}
	if users, err = filepath.Abs(users); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	for _, entry := range entries {
		if name := entry.Name(); name != "auth" {
			if err := os.Symlink(filepath.Join(users, name), filepath.Join(dir, name)); err != nil {
				return "", err
			}
		}
	}
	return filepath.Join(dir, "auth"), nil
}
