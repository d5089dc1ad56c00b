package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
)

// LockFile is in a DataDir, beside the files of kfake. A folder with this file is the DataDir of a cluster.
const LockFile = "cluster.lock"

// InUseError reports that another cluster uses a DataDir, in this process or another one.
type InUseError struct{ Dir string }

func (e *InUseError) Error() string { return e.Dir + ": another cluster uses this folder" }

// lockDir locks dir for this cluster. kfake has no lock, and two clusters would destroy each other's
// data. The operating system removes the lock when the process ends, also after a crash.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, LockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	if !locked {
		return nil, &InUseError{Dir: dir}
	}
	return lock, nil
}

// storage is kfake's logger. It reports the first file that kfake could not write. kfake itself continues,
// so without a report the disk could be full for hours.
type storage struct {
	dir string
	say func(format string, args ...any)

	mu    sync.Mutex
	first error
}

// Logf reads kfake's warnings and errors. Those about files have an error among their arguments.
func (s *storage) Logf(level kfake.LogLevel, _ string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	for _, arg := range args {
		if err, ok := arg.(error); ok {
			s.report(err)
		}
	}
}

func (s *storage) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first != nil {
		return
	}
	var file *os.PathError // the first one, if several files could not be written
	if errors.As(err, &file) {
		err = file
	}
	s.first = err
	s.say("%s: cannot write: %v", s.dir, err)
	s.say("acknowledged messages are kept; committed offsets can be lost")
	if errors.Is(err, syscall.ENOSPC) {
		s.say("hint: free space on the disk of %s, or stop the cluster", s.dir)
	}
}

func (s *storage) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		return nil
	}
	return fmt.Errorf("%s: not everything could be written: %w", s.dir, s.first)
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// CheckTopic returns an error if Kafka does not allow this name for a topic.
func CheckTopic(name string) error {
	const longest = 249
	switch {
	case name == "":
		return errors.New("the name of a topic is empty")
	case name == "." || name == "..":
		return fmt.Errorf("topic %q: Kafka does not allow this name", name)
	case len(name) > longest:
		return fmt.Errorf("topic %.20s...: the name has %d characters, but the limit is %d", name, len(name), longest)
	case !topicName.MatchString(name):
		return fmt.Errorf("topic %q: a name consists of letters, digits, dots, underscores and hyphens", name)
	}
	return nil
}
