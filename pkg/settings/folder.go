package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tkafka/pkg/cli"
	"tkafka/pkg/tlsconf"
)

// findFolder returns the folder that was asked for. If none was, it returns the first folder named
// auth with a ca.crt, in the working directory or above it.
func findFolder(asked string) (string, error) {
	if asked != "" {
		if err := checkFolder(asked); err != nil {
			return "", err
		}
		return asked, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("no credentials: cannot find the working directory: %w", err)
	}
	var misplaced error // the first one
	for at := here; ; at = filepath.Dir(at) {
		folder := filepath.Join(at, "auth")
		if near, err := filepath.Rel(here, folder); err == nil {
			folder = near
		}
		if _, err := os.Stat(filepath.Join(folder, tlsconf.CAFile)); err == nil {
			return folder, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, syscall.ENOTDIR) {
			return "", cli.WithHint(fmt.Errorf("no credentials: %w", err), "in a container, run as the owner: docker run --user \"$(id -u):$(id -g)\"")
		}
		if misplaced == nil {
			misplaced = findMisplaced(folder)
		}
		if at == filepath.Dir(at) {
			if misplaced != nil {
				return "", misplaced
			}
			hint := "start a cluster of your own: go run ./classroom/cluster"
			if os.Getpid() == 1 { // the only process of a container
				hint = `mount your folder: docker run -v "$(pwd)/auth":/usr/src/app/auth`
			}
			return "", cli.WithHint(fmt.Errorf("no credentials: no auth/%s here or above", tlsconf.CAFile), "%s", hint)
		}
	}
}

// checkFolder checks that a folder has a ca.crt.
func checkFolder(folder string) error {
	info, err := os.Stat(folder)
	if err == nil && !info.IsDir() {
		return notFolder(folder)
	}
	switch _, err = os.Stat(filepath.Join(folder, tlsconf.CAFile)); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no credentials: %w", err)
	}
	err = fmt.Errorf("no credentials: no %s in %s", tlsconf.CAFile, folder)
	if deep := findDeep(folder); deep != "" {
		return cli.WithHint(err, "use --auth %s", quote(deep))
	}
	return cli.WithHint(err,
		"use the folder from the staff, or from go run ./classroom/cluster")
}

func notFolder(path string) error {
	err := fmt.Errorf("no credentials: %s is a file, not a folder", path)
	folder := filepath.Dir(path)
	switch {
	case strings.EqualFold(filepath.Ext(path), ".zip"):
		return cli.WithHint(err, "unpack it: unzip %s -d auth; then use --auth auth", quote(path))
	case find(folder, tlsconf.CAFile) != "": // such as auth/ca.crt itself
		return cli.WithHint(err, "use its folder: --auth %s", quote(folder))
	}
	return cli.WithHint(err, "use a folder with a %s", tlsconf.CAFile)
}

// findMisplaced returns an error if a folder auth/ without a ca.crt has one at the wrong place: a
// downloaded folder was copied into it, a zip file was not unpacked, or the browser changed the name.
func findMisplaced(folder string) error {
	if deep := findDeep(folder); deep != "" {
		return cli.WithHint(fmt.Errorf("no credentials: the files in %s must be in %s", deep, folder),
			"move them: mv %s/* %s", quote(deep), quote(folder))
	}
	if archive := find(folder, "*.[zZ][iI][pP]"); archive != "" {
		return cli.WithHint(fmt.Errorf("no credentials: %s is not unpacked", archive),
			"unpack it: unzip %s -d %s", quote(archive), quote(folder))
	}
	if renamed := find(folder, "ca?*.crt", tlsconf.CAFile+"?*", "ca*.pem"); renamed != "" {
		path := filepath.Join(folder, tlsconf.CAFile)
		return cli.WithHint(fmt.Errorf("no credentials: no %s, but %s", path, renamed),
			"rename it: mv %s %s", quote(renamed), quote(path))
	}
	return nil
}

// findDeep returns the first folder in this one that has a ca.crt. Windows unpacks client60.zip to
// client60, and a folder in it to client60/client60.
func findDeep(folder string) string {
	if path := find(folder, "*/"+tlsconf.CAFile, "*/*/"+tlsconf.CAFile); path != "" {
		return filepath.Dir(path)
	}
	return ""
}

// find returns the path of the first file in the folder that matches one of the patterns.
func find(folder string, patterns ...string) string {
	for _, pattern := range patterns {
		if names, _ := fs.Glob(os.DirFS(folder), pattern); len(names) > 0 {
			return filepath.Join(folder, names[0])
		}
	}
	return ""
}

// quote quotes a path for a shell, if it needs that.
func quote(path string) string {
	if strings.ContainsAny(path, " ()[]{}&;'$*?") {
		return `"` + path + `"`
	}
	return path
}
