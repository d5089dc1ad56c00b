package trial

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A program runs in a copy of the folder in which the user stands. So a trial never writes into the user's
// files, and does not meet the files of another trial. The copy has the same path below a root of its own, so
// a relative path such as ../assignment leads to a copy, too. What nobody writes is a link: files that are
// read-only, and folders with packages. An entry that is larger than the limit is not there.

const largest = 64 << 20

var (
	packages    = []string{".git", "node_modules", "site-packages", ".venv", "venv"}
	errTooLarge = errors.New("too large")
)

// workFolder copies what the program needs to root, and returns the folder in which it runs. It calls left
// with each path that is not there. Auth is empty.
func (c *Command) workFolder(root string, left func(path string)) (folder string, err error) {
	users, err := filepath.Abs(c.Folder)
	if err != nil {
		return "", err
	}
	if users, err = filepath.EvalSymlinks(users); err != nil { // what ".." means
		return "", err
	}
	folder = filepath.Join(root, users)
	if err = os.MkdirAll(filepath.Join(folder, "auth"), 0o700); err != nil {
		return "", err
	}
	needed := []string{"."}
	for _, arg := range c.Args { // such as ../assignment/reader.py, which needs what is beside it
		path := filepath.Clean(arg)
		if info, err := os.Stat(filepath.Join(users, path)); err == nil && strings.HasPrefix(path, "..") {
			if !info.IsDir() {
				path = filepath.Dir(path)
			}
			needed = append(needed, path)
		}
	}
	for _, path := range needed {
		from, to := filepath.Join(users, path), filepath.Join(folder, path)
		entries, err := os.ReadDir(from)
		if err = errors.Join(err, os.MkdirAll(to, 0o700)); err != nil {
			return "", err
		}
		os.Symlink(filepath.Join(folder, "auth"), filepath.Join(to, "auth")) // if the program looks beside itself
		for _, entry := range entries {
			budget, copied := int64(largest), filepath.Join(to, entry.Name())
			if err := copyTree(filepath.Join(from, entry.Name()), copied, &budget); errors.Is(err, errTooLarge) {
				left(filepath.Join(path, entry.Name()))
				os.RemoveAll(copied)
			} else if err != nil {
				return "", err
			}
		}
	}
	return folder, nil
}

// copyTree copies a file, or a folder with all that is in it. It skips what is neither, such as a socket, and what
// exists already. The budget is how much it may copy; it ends a link to a folder around it, too.
func copyTree(from, to string, budget *int64) error {
	info, err := os.Stat(from)
	if _, exists := os.Lstat(to); err != nil || exists == nil {
		return nil
	}
	const perFile = 4096
	if *budget -= perFile; *budget < 0 {
		return errTooLarge
	}
	switch readOnly := info.Mode()&0o222 == 0; {
	case slices.Contains(packages, info.Name()), info.Mode().IsRegular() && readOnly:
		return os.Symlink(from, to)
	case info.IsDir():
		entries, _ := os.ReadDir(from) // nor could the program read it
		err := os.Mkdir(to, 0o700)
		for _, entry := range entries {
			err = errors.Join(err, copyTree(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name()), budget))
		}
		return err
	case info.Mode().IsRegular():
		if *budget -= info.Size(); *budget < 0 {
			return errTooLarge
		}
		return copyFile(from, to, info)
	}
	return nil
}

// copyFile keeps the rights and the time of a file, because a build looks at them.
func copyFile(from, to string, info fs.FileInfo) error {
	read, err := os.Open(from)
	if err != nil {
		return nil // nor could the program read it
	}
	defer read.Close()
	write, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(write, read)
	return errors.Join(err, write.Close(), os.Chtimes(to, info.ModTime(), info.ModTime()))
}
