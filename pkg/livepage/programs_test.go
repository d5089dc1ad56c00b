package livepage

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/observer"
	"tkafka/pkg/process"
	"tkafka/pkg/testbed"
)

// build builds programs of the tutorial: name -> folder. It returns the folder that has them.
func build(t *testing.T, programs map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, program := range programs {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(folder, name), "../../"+program).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return folder
}

// start starts a program with its credentials in dir/auth. It is killed when the test ends.
func start(t *testing.T, dir string, environment []string, path string, args ...string) *process.Process {
	t.Helper()
	command := exec.Command(path, args...)
	command.Dir, command.Env = dir, environment
	p := process.New(command)
	p.InSession() // Pause needs it
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.KillAll()
		if t.Failed() {
			t.Logf("%s\n[stdout]\n%s[stderr]\n%s", filepath.Base(path), &p.Stdout, &p.Stderr)
		}
	})
	return p
}

// expect waits for a line.
func expect(t *testing.T, p *process.Process, from *process.Output, pattern string) {
	t.Helper()
	if _, err := p.Await(from, regexp.MustCompile("(?m)"+pattern), testbed.Timeout); err != nil {
		t.Fatal(err)
	}
}

// feed gives the program these lines and the end of its input, and waits until it has ended.
func feed(t *testing.T, p *process.Process, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if err := p.Type(line + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.CloseInput(); err != nil {
		t.Fatal(err)
	}
	ended(t, p)
}

// stop does what Ctrl-C does.
func stop(t *testing.T, p *process.Process) {
	t.Helper()
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	ended(t, p)
}

func ended(t *testing.T, p *process.Process) {
	t.Helper()
	if status, err := p.Wait(testbed.Timeout); err != nil || status != 0 {
		t.Fatalf("status %d, %v", status, err)
	}
}

// watch returns an observer that watches the topic until the test ends.
func watch(t *testing.T, client *kgo.Client, topic string) *observer.Observer {
	t.Helper()
	watched := observer.New(client, topic)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watched.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return watched
}
