package cli

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
)

// started returns the words that started this process: "go run ./producer", "./producer", or
// "producer" in an image.
func started() string {
	here, err := os.Getwd()
	build, ok := debug.ReadBuildInfo()
	if err != nil || !ok {
		return os.Args[0]
	}
	return startedAs(os.Args[0], here, strings.TrimPrefix(build.Path, build.Main.Path+"/"))
}

// startedAs returns the executable or, if "go run" has made it, the go command for the program in this
// folder of the module. Go run makes executables in its cache and in temporary folders, which are
// all named go-build.
func startedAs(executable, here, folder string) string {
	if !strings.Contains(executable, "go-build") {
		return executable
	}
	for root := here; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			path, _ := filepath.Rel(here, filepath.Join(root, folder)) // both are absolute
			if !strings.HasPrefix(path, ".") {
				path = "./" + path
			}
			return "go run " + path
		}
		if root == filepath.Dir(root) {
			return executable
		}
	}
}
