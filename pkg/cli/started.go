package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// started returns the words that started this process: "go run ./producer", "./producer", or
// "producer" in an image. The caller's caller is in the folder of the program.
func started() string {
	here, err := os.Getwd()
	_, source, _, ok := runtime.Caller(2)
	if err != nil || !ok {
		return os.Args[0]
	}
	return startedAs(os.Args[0], here, filepath.Dir(source))
}

// startedAs returns the executable or, if "go run" has made it, the go command for the program in this
// folder. Go run makes executables in its cache and in temporary folders, which are all named go-build.
func startedAs(executable, here, folder string) string {
	path, err := filepath.Rel(here, folder)
	switch {
	case err != nil, !strings.Contains(executable, "go-build"):
		return executable
	case strings.HasPrefix(path, "."):
		return "go run " + path
	}
	return "go run ./" + path
}
