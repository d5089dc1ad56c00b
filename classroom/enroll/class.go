package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"tkafka/pkg/cli"
)

// class is the folder that holds a class's credentials:
//
//	ca/                the authority: ca.crt, and ca.key, with which anybody could let himself in
//	brokers/kafka-1/   a broker's stores
//	admin/             credentials of the user who may do everything
//	clients/client1/   credentials of a student, to be handed out; clients/client1.zip holds the same
type class string

func (c class) authority() string           { return filepath.Join(string(c), "ca") }
func (c class) broker(name string) string   { return filepath.Join(string(c), "brokers", name) }
func (c class) admin() string               { return filepath.Join(string(c), adminName) }
func (c class) student(name string) string  { return filepath.Join(string(c), "clients", name) }
func (c class) archive(name string) string  { return c.student(name) + ".zip" }
func (c class) nodes() ([]string, error)    { return folders(c.broker("")) }
func (c class) students() ([]string, error) { return folders(c.student("")) }

// classOf is the class whose admin has these credentials.
func classOf(admin string) class { return class(filepath.Dir(filepath.Clean(admin))) }

// enrolled are the students of a class: those of the roster if one is given, otherwise those to whom
// credentials were issued.
func (c class) enrolled(program *cli.Program, rosterFile string) ([]string, error) {
	nodes, err := c.nodes()
	if err != nil {
		return nil, err
	}
	list := roster{}
	if rosterFile != "" {
		list, err = readRoster(rosterFile)
	} else {
		list, err = c.issued()
	}
	if err != nil {
		return nil, err
	}
	return accept(program, list, nodes)
}

func (c class) issued() (roster, error) {
	names, err := c.students()
	if err != nil {
		return roster{}, err
	}
	if len(names) == 0 {
		return roster{}, fmt.Errorf("no student's folder in %s: enroll issue makes them (or name the students with --roster)", c.student(""))
	}
	list := roster{}
	for _, name := range names {
		list.lines = append(list.lines, line{name: name})
	}
	return list, nil
}

// accept returns the students of a roster, or tells which of its names are refused.
func accept(program *cli.Program, list roster, nodes []string) ([]string, error) {
	names, refusals := list.students(nodes)
	const most = 20
	for i, refusal := range refusals {
		if i == most {
			program.Say("and %d more", len(refusals)-most)
			break
		}
		program.Say("%s", refusal)
	}
	if len(refusals) > 0 {
		return nil, fmt.Errorf("%d of %d names refused, nothing was done", len(refusals), len(list.lines))
	}
	return names, nil
}

// folders are the names of the folders in dir, as people count. No dir has none.
func folders(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	slices.SortFunc(names, byNumber)
	return names, nil
}

// each does the work for every item, for several at once, until all is done, work fails or the
// context ends. It returns the first error.
func each[T any](ctx context.Context, atOnce int, items []T, work func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan T)
	var workers sync.WaitGroup
	for range min(atOnce, len(items)) {
		workers.Go(func() {
			for item := range queue {
				if err := work(ctx, item); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, item := range items {
		// Looked at by itself: where both are ready, select takes either.
		if ctx.Err() != nil {
			break
		}
		select {
		case queue <- item:
		case <-ctx.Done():
		}
	}
	close(queue)
	workers.Wait()
	return context.Cause(ctx)
}
