package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"

	"tkafka/pkg/cli"
)

// module is what the import paths of all programs begin with.
const module = "tkafka/"

const hint = "start the tour in the folder of the tutorial"

// executables has the executable of each program, by its folder: commitoffsets/consumer.
type executables map[string]string

// build builds the programs of the tutorial into dir: all commands of this module outside of
// classroom/. All files that it makes are in dir, even if it is interrupted.
func build(ctx context.Context, screen *screen, dir string) (executables, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	listed, err := goCommand(ctx, dir, "list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`, module+"...")
	if err != nil {
		return nil, cli.WithHint(fmt.Errorf("cannot find the programs: %w", err), hint)
	}
	built := make(executables)
	var folders []string
	for importPath := range strings.FieldsSeq(listed) {
		folder := strings.TrimPrefix(importPath, module)
		if !strings.HasPrefix(folder, "classroom/") {
			folders = append(folders, folder)
			built[folder] = filepath.Join(dir, folder, path.Base(folder))
		}
	}
	if len(folders) == 0 {
		return nil, cli.WithHint(errors.New("cannot find the programs"), hint)
	}
	one := func(folder string) error {
		// Without debug information (-s -w) linking, which is most of it, takes half the time.
		_, err := goCommand(ctx, dir, "build", "-ldflags=-s -w", "-o", built[folder], module+folder)
		return err
	}
	// Build the first one alone: it compiles the packages that all programs share.
	screen.say("  ", "go build ./"+folders[0])
	if err := one(folders[0]); err != nil {
		return nil, err
	}
	results := make(chan error)
	for _, folder := range folders[1:] {
		screen.say("  ", "go build ./"+folder)
		go func() { results <- one(folder) }()
	}
	for range folders[1:] {
		err = errors.Join(err, <-results)
	}
	return built, err
}

// goCommand runs the go command and returns what it prints. Its temporary files are in the folder,
// because it does not remove them when it is interrupted.
func goCommand(ctx context.Context, temporary string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), "GOTMPDIR="+temporary)
	var printed, problems bytes.Buffer
	command.Stdout, command.Stderr = &printed, &problems
	switch err := command.Run(); {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", cli.WithHint(errors.New("no go command: the tour builds the programs with it"), "install Go: https://go.dev/doc/install")
	case err != nil:
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return printed.String(), nil
}
