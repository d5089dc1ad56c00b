package testbed

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

const folderVariable = "TKAFKA_TEST_AUTH"

// Folder returns the credentials folder that the environment variable TKAFKA_TEST_AUTH names, or "" if
// it is not set. A test runs in the folder of its package and does not know where "go test" was typed,
// so Folder looks for a relative path from there upward.
func Folder() (string, error) {
	named := os.Getenv(folderVariable)
	if named == "" {
		return "", nil
	}
	if filepath.IsAbs(named) {
		_, err := os.Stat(named)
		return named, err
	}
	above, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		folder := filepath.Join(above, named)
		if _, err := os.Stat(folder); err == nil {
			return folder, nil
		}
		if above == filepath.Dir(above) {
			return "", fmt.Errorf("%s=%s: no such folder here or above", folderVariable, named)
		}
		above = filepath.Dir(above)
	}
}

// TakeTurns waits until no other test of any process uses something that a real cluster has only
// once. The caller calls release at the end. The end of the process releases it, too.
func TakeTurns(thing string) (release func(), err error) {
	lock := flock.New(filepath.Join(os.TempDir(), fmt.Sprintf("tkafka-test-%s-%d.lock", thing, os.Getuid())))
	if err := lock.Lock(); err != nil {
		return nil, fmt.Errorf("waiting for %s: %w", thing, err)
	}
	return func() { lock.Unlock() }, nil
}
