package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/gofrs/flock"
)

// lockFile stands in a DataDir beside what kfake writes there.
const lockFile = "cluster.lock"

// InUseError says that another cluster, perhaps of another process, works in a DataDir.
type InUseError struct{ Dir string }

func (e *InUseError) Error() string { return "another cluster is using " + e.Dir }

// lockDir takes dir for this cluster alone. kfake does not: two of them would spoil each other's
// data. The operating system ends the lock with the process, however that ends.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	if !locked {
		return nil, &InUseError{Dir: dir}
	}
	return lock, nil
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// CheckTopic tells whether Kafka takes a name for a topic.
func CheckTopic(name string) error {
	const longest = 249
	switch {
	case name == "":
		return errors.New("a topic needs a name")
	case name == "." || name == "..":
		return fmt.Errorf("no topic can be named %q", name)
	case len(name) > longest:
		return fmt.Errorf("topic %.20s...: a name of %d characters, %d are allowed", name, len(name), longest)
	case !topicName.MatchString(name):
		return fmt.Errorf("topic %q: only letters, digits, dots, underscores and hyphens make a name", name)
	}
	return nil
}
