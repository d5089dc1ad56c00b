package tlsconf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// maxSize is a hundred times what credentials need. It keeps a file that merely has the right name
// from filling the memory.
const maxSize = 1 << 20

// readFile returns the content of a file that is neither empty nor larger than maxSize.
func readFile(path string) ([]byte, error) {
	// Looked at before it is opened, because opening a named pipe waits for someone to write.
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s: a directory, not a file "+
			"(docker run -v makes one where there is nothing to mount): replace it by the file", path)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file: copy the original here", path)
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
		return nil, fmt.Errorf("%s: empty: copy it again", path)
	case len(data) > maxSize:
		return nil, fmt.Errorf("%s: larger than 1 MiB, so something else: copy the original here", path)
	}
	return data, nil
}

// unreadable says what mends an error of the file system.
func unreadable(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w: copy the whole credentials folder", path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: %w: only its owner may read it, and needs chmod u+r; "+
			"in a container become the owner: docker run --user \"$(id -u):$(id -g)\"", path, fs.ErrPermission)
	default:
		return fmt.Errorf("cannot read the credentials: %w", err) // err names the file
	}
}
