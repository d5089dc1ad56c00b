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
	"time"

	"github.com/gofrs/flock"

	"tkafka/pkg/cli"
)

// class is the folder with the credentials of a class:
//
//	ca/                the authority: ca.crt, and ca.key, which can sign a certificate for any user
//	brokers/kafka-1/   the stores of a broker
//	admin/             the credentials of the admin
//	clients/client1/   the credentials of a student, to hand out; clients/client1.zip holds the same
type class string

func (c class) authority() string          { return filepath.Join(string(c), "ca") }
func (c class) broker(name string) string  { return filepath.Join(string(c), "brokers", name) }
func (c class) admin() string              { return filepath.Join(string(c), adminName) }
func (c class) student(name string) string { return filepath.Join(string(c), "clients", name) }

// lock waits until no other enroll issue makes files in the class. The operating system removes the
// lock of a killed program.
func (c class) lock(ctx context.Context) (unlock func() error, err error) {
	lock := flock.New(filepath.Join(string(c), ".lock"), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		cli.Say("%s: waiting for another enroll issue", c)
		_, err = lock.TryLockContext(ctx, 100*time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", c, err)
	}
	return lock.Unlock, nil
}

// classOf returns the class whose admin has this credentials folder.
func classOf(admin string) class { return class(filepath.Dir(filepath.Clean(admin))) }

// enrolled returns the students of a class: those of the roster if there is one, otherwise those who
// have a credentials folder.
func (c class) enrolled(rosterFile string) ([]string, error) {
	if rosterFile != "" {
		list, err := readRoster(rosterFile)
		if err != nil {
			return nil, err
		}
		return c.accept(list)
	}
	names, err := folders(c.student(""))
	if err == nil && len(names) == 0 {
		err = cli.WithHint(fmt.Errorf("%s: there is no student's folder", c.student("")), "enroll issue makes the folders")
	}
	if err != nil {
		return nil, err
	}
	return c.accept(rosterOf(names...))
}

// accept returns the students of a roster. If a name cannot be used, it reports all such names and
// fails. Students may not have the name of a broker: of those that have a folder, and of these nodes.
func (c class) accept(list roster, nodes ...string) ([]string, error) {
	existing, err := folders(c.broker(""))
	if err != nil {
		return nil, err
	}
	names, refusals := list.students(append(existing, nodes...))
	if len(refusals) == 0 {
		return names, nil
	}
	for _, refusal := range refusals {
		cli.Say("%s", refusal)
	}
	return nil, fmt.Errorf("%d of %d names refused, nothing was done", len(refusals), len(list.lines))
}

// folders returns the names of the folders in dir, ordered by number. If dir does not exist, there are
// none.
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

// each does the work for the numbers below count, several at once. It starts no more work after an error
// or the end of the context, and returns the first error.
func each(ctx context.Context, atOnce, count int, work func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i := range count {
		slots <- struct{}{}
		if ctx.Err() != nil {
			break
		}
		running.Go(func() {
			defer func() { <-slots }()
			if err := work(ctx, i); err != nil {
				cancel(err)
			}
		})
	}
	running.Wait()
	return context.Cause(ctx)
}
