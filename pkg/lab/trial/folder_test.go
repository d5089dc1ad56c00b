package trial

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A program writes into its copy of the user's files, whatever they are, and finds what it only reads.
func TestFolder(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	write := func(path string, mode os.FileMode) {
		path = filepath.Join(home, path)
		os.MkdirAll(filepath.Dir(path), 0o700)
		if err := os.WriteFile(path, []byte("mine\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{"my/state/deep/LOCK", "my/results.txt", "my/auth/ca.crt", "data/rows", "assignment/reader.sh", "assignment/client.sh", "my/venv/pyvenv.cfg"} {
		write(path, 0o700)
	}
	write("my/model", 0o400)
	write("my/dump", 0o600)
	os.Truncate(filepath.Join(home, "my/dump"), largest+1)
	for link, to := range map[string]string{"my/linked": "../data", "my/around": ".", "my/rows": "../data/rows"} {
		os.Symlink(to, filepath.Join(home, link))
	}
	command, root := Command{Args: []string{"sh", "../assignment/reader.sh"}, Folder: filepath.Join(home, "my")}, t.TempDir()
	var left []string
	folder, err := command.workFolder(root, func(path string) { left = append(left, path) })
	if err != nil || !slices.Equal(left, []string{"around", "dump"}) {
		t.Fatal(err, left)
	}
	writes := exec.Command("sh", "-e", "-c", `for file in state/deep/LOCK results.txt auth/ca.crt rows linked/rows ../assignment/client.sh; do echo theirs >>$file; done
		echo new >state/new; rm ../assignment/reader.sh; cat model venv/pyvenv.cfg ../assignment/auth/ca.crt`)
	writes.Dir = folder
	if text, err := writes.CombinedOutput(); err != nil || string(text) != "mine\nmine\ntheirs\n" {
		t.Error(err, string(text))
	}
	if text, err := exec.Command("sh", "-c", "cd "+home+"; grep -rl theirs .; find . -name new; cat assignment/reader.sh").Output(); err != nil || string(text) != "mine\n" {
		t.Error(err, string(text))
	}
}

// Build knows where go run would run the program, and which words are its arguments.
func TestBuild(t *testing.T) {
	t.Parallel()
	module := t.TempDir()
	os.WriteFile(filepath.Join(module, "go.mod"), []byte("module own\ngo 1.26\n"), 0o600)
	os.Mkdir(filepath.Join(module, "reader"), 0o700)
	os.WriteFile(filepath.Join(module, "reader", "main.go"), []byte("package main\nfunc main() {}\n"), 0o600)
	for words, folder := range map[string]string{
		"-C ../" + filepath.Base(module) + " ./reader {topic}": module, "-C=reader . {topic}": module + "/reader",
		"-tags x -trimpath ./reader {topic}": module, "reader/main.go {topic}": module,
	} {
		command := Command{Args: append([]string{"go", "run"}, strings.Fields(words)...), Folder: module}
		if _, err := command.Build(t.Context(), t.TempDir()); err != nil || command.Folder != folder || !slices.Equal(command.Args[1:], []string{"{topic}"}) {
			t.Errorf("%q: %v %+v", words, err, command)
		}
	}
}

// A program outside of the folder is found, and what it writes beside itself is not in the user's folder.
func TestOutside(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("judged")
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	os.MkdirAll(filepath.Join(home, "own", "state"), 0o700)
	os.Mkdir(filepath.Join(home, "my"), 0o700)
	script := `#!/bin/sh
exec 9>>"$(dirname "$0")/state/LOCK"
flock -n 9 || { echo another process has the lock >&2; exit 1; }
echo started >>"$(dirname "$0")/state/starts"
exec "$@"
`
	os.WriteFile(filepath.Join(home, "own", "reader"), []byte(script), 0o700)
	command := Command{Args: []string{"../own/reader", program, "consumer", "{topic}", "{group}", "none"}, Folder: filepath.Join(home, "my")}
	limits := quick
	limits.patience = 10 * time.Second
	for _, r := range perform(t, command, false, limits, "start", "stop", "kill") {
		if r.Status != OK {
			t.Errorf("%s: %s %s", r.Trial, r.Status, r.Why)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(home, "own", "state")); err != nil || len(entries) > 0 {
		t.Error(err, entries)
	}
}
