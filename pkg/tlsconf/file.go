package tlsconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxSize is a hundred times the size of real credentials. A larger file must not fill the memory.
const maxSize = 1 << 20

// readFile returns the content of a file that is neither empty nor larger than maxSize.
func readFile(path string) ([]byte, error) {
	// First Stat, then Open: to open a named pipe is to wait until somebody writes to it.
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if info.IsDir() {
		return nil, hint(fmt.Errorf("%s: a directory, not a file", path),
			"remove it and copy the file there (docker run -v makes a directory if the file to mount does not exist)")
	}
	if !info.Mode().IsRegular() {
		return nil, hint(fmt.Errorf("%s: not a regular file", path), "copy the original file there")
	}

	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	switch {
	case err != nil:
		return nil, unreadable(path, err)
	case len(data) == 0:
		return nil, hint(fmt.Errorf("%s: empty file", path), "copy it again")
	case len(data) > maxSize:
		return nil, hint(fmt.Errorf("%s: larger than 1 MiB, so it is another kind of file", path), "copy the original file there")
	}
	return data, nil
}

// unreadable adds a hint to an error of the file system.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return hint(fmt.Errorf("%s: %w", path, fs.ErrNotExist), "copy the whole credentials folder")
	case errors.Is(err, fs.ErrPermission):
		return hint(fmt.Errorf("%s: %w", path, fs.ErrPermission), "only its owner may read it: chmod u+r "+path+
			"; in a container, run as the owner: docker run --user \"$(id -u):$(id -g)\"")
	default:
		return fmt.Errorf("cannot read the credentials: %w", err) // err names the file
	}
}

// quote quotes a path for a shell, if it needs that.
func quote(path string) string {
	if strings.ContainsAny(path, " ()[]{}&;'$*?") {
		return `"` + path + `"`
	}
	return path
}

// hinted is an error with a hint: what the user can do about it.
type hinted struct {
	error
	hint string
}

func hint(err error, hint string) error { return &hinted{err, hint} }

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }
