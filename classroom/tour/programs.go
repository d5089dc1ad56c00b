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
)

// module is what the import paths of all programs begin with.
const module = "tkafka/"

// programs maps the folder of each program, as in "commitoffsets/consumer", to its executable.
type programs map[string]string

// build builds every program of the tutorial into dir: all the commands of this module that are
// not, as this one is, for the classroom. All files it makes are in dir, even if it is cut short.
func build(ctx context.Context, dir string) (programs, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	listed, err := goCommand(ctx, dir, "list", "-f", `{{if eq .Name "main"}}{{.ImportPath}}{{end}}`, module+"...")
	if err != nil {
		return nil, fmt.Errorf("cannot find the programs (the tour runs inside the folder of the tutorial): %w", err)
	}
	built := make(programs)
	var folders []string
	for importPath := range strings.FieldsSeq(listed) {
		folder := strings.TrimPrefix(importPath, module)
		if !strings.HasPrefix(folder, "classroom/") {
			folders = append(folders, folder)
			built[folder] = filepath.Join(dir, folder, path.Base(folder))
		}
	}
	if len(folders) == 0 {
		return nil, errors.New("no programs here: run the tour inside the folder of the tutorial")
	}
	one := func(folder string) error {
		// Without debug information (-s -w) linking, which is most of it, takes half the time.
		_, err := goCommand(ctx, dir, "build", "-ldflags=-s -w", "-o", built[folder], module+folder)
		return err
	}
	// The first alone: on a fresh machine it compiles what all of them share.
	if err := one(folders[0]); err != nil {
		return nil, err
	}
	results := make(chan error)
	for _, folder := range folders[1:] {
		go func() { results <- one(folder) }()
	}
	for range folders[1:] {
		err = errors.Join(err, <-results)
	}
	return built, err
}

// goCommand runs the go command, with a folder for its temporary files, and returns what it prints.
func goCommand(ctx context.Context, temporary string, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), "GOTMPDIR="+temporary) // it removes nothing when it is interrupted
	var printed, complaint bytes.Buffer
	command.Stdout, command.Stderr = &printed, &complaint
	switch err := command.Run(); {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("no go command found: the tour builds the programs with it (https://go.dev/doc/install)")
	case err != nil:
		return "", fmt.Errorf("go %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return printed.String(), nil
}
