package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/gofrs/flock"
)

// lockFile is in a DataDir, beside the files of kfake.
const lockFile = "cluster.lock"

// InUseError reports that another cluster uses a DataDir, in this process or another one.
type InUseError struct{ Dir string }

func (e *InUseError) Error() string { return e.Dir + ": another cluster uses this folder" }

// lockDir locks dir for this cluster. kfake has no lock, and two clusters would destroy each other's
// data. The operating system removes the lock when the process ends, also after a crash.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	if !locked {
		return nil, &InUseError{Dir: dir}
	}
	return lock, nil
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
