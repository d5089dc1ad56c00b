package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/issuer"
)

const (
	lifetime  = 10 * 365 * 24 * time.Hour // of the authority: longer than anybody keeps the folder
	retention = time.Hour                 // of a message, as on the cluster of the course

	beside = "to start one beside it: --ports 0,0,0 --auth OTHER"
)

// store is the folder that keeps what a cluster needs to continue after a restart: the authority, because
// running programs have its certificates, and kfake's files.
type store struct {
	folder string // empty: nothing is kept
	lock   *flock.Flock
	ca     *issuer.CA

	loaded  atomic.Bool // kfake has read its files
	damaged atomic.Bool // it could not read, or later not write a file
}

// open opens the folder for these ports, and locks it: kfake has no lock, and two clusters would destroy each
// other's files. The system removes the lock when the process ends, also after a crash.
func open(ports []int, fresh bool) (*store, error) {
	s := &store{}
	if slices.Contains(ports, 0) {
		var err error
		s.ca, err = issuer.New(issuerName, lifetime)
		return s, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	name := "cluster-" + strings.Trim(strings.ReplaceAll(fmt.Sprint(ports), " ", "-"), "[]")
	s.folder = filepath.Join(cache, "tkafka", name)
	if err := os.MkdirAll(s.folder, 0o700); err != nil {
		return nil, err
	}
	if s.lock, err = lock(filepath.Join(s.folder, "lock"), errors.New("a cluster with these ports runs already")); err != nil {
		return nil, cli.WithHint(err, beside)
	}
	if fresh {
		if err := os.RemoveAll(s.data()); err != nil {
			return nil, err
		}
	}
	if s.ca, err = issuer.Open(filepath.Join(s.folder, "ca"), issuerName, lifetime); err != nil {
		return nil, cli.WithHint(err, "to start with a new authority and without messages: rm -r %q", s.folder)
	}
	return s, nil
}

// lock locks a file. If another process has locked it, the error is taken.
func lock(path string, taken error) (*flock.Flock, error) {
	lock := flock.New(path, flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		err = taken
	}
	return lock, err
}

func (s *store) close() {
	if s.lock != nil {
		s.lock.Unlock()
	}
}

// data is the folder of kfake's files.
func (s *store) data() string { return filepath.Join(s.folder, "data") }

// start starts a cluster that continues with what is kept.
func (s *store) start(config broker.Config) (*broker.Cluster, error) {
	config.CA = s.ca
	if s.folder != "" {
		config.Options = []kfake.Opt{
			kfake.DataDir(s.data()), kfake.WithLogger(s),
			// kfake frees the disk by whole segments. A partition can have one that is not full.
			kfake.BrokerConfigs(map[string]string{"log.segment.bytes": fmt.Sprint(8 << 20)}),
		}
	}
	cluster, err := broker.Start(config)
	switch {
	case errors.Is(err, broker.ErrInUse):
		return nil, cli.WithHint(err, "is another cluster running? "+beside)
	case err != nil && strings.Contains(err.Error(), "persisted state"): // kfake has no type for this error
		return nil, cli.WithHint(fmt.Errorf("%s: damaged: %w", s.data(), err), "delete what is kept, and start empty: --fresh")
	case err != nil:
		return nil, err
	}
	s.loaded.Store(true)
	if s.damaged.Swap(false) {
		cli.Say("hint: the cluster continues with the rest; to start empty instead: --fresh")
	}
	return cluster, nil
}

// Logf gets kfake's log. kfake cuts a file off where it cannot read on, and continues when it cannot write a
// file. Both are only in its log, as warnings. Its other warnings are about groups.
func (s *store) Logf(level kfake.LogLevel, format string, args ...any) {
	if level > kfake.LogLevelWarn {
		return
	}
	problem := fmt.Sprintf(format, args...)
	if !s.loaded.Load() {
		s.damaged.Store(true)
		cli.Say("%s: damaged: %s", s.data(), problem)
		return
	}
	for _, arg := range args {
		err, isError := arg.(error)
		if !isError || s.damaged.Swap(true) { // a full disk fails for each message
			continue
		}
		hint := "what is sent from now on can be missing after a restart"
		if errors.Is(err, syscall.ENOSPC) {
			hint = "free space on this disk; " + hint
		}
		cli.Warn(cli.WithHint(fmt.Errorf("%s: cannot write: %s", s.data(), problem), "%s", hint))
	}
}

// expire deletes the messages that are older than an hour, until ctx ends.
func expire(ctx context.Context, cluster *broker.Cluster) error {
	client, err := cluster.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		deleteOld(ctx, cluster, kadm.NewClient(client)) // after an error, in a minute again
		if err := cli.Pause(ctx, time.Minute); err != nil {
			return err
		}
	}
}

// deleteOld keeps the last message of each partition, because kfake forgets the end of a partition without
// messages when it stops: the next message would have offset 0 again, and the groups would be beyond the end.
// (So kfake's own ApplyRetention is of no use.)
func deleteOld(ctx context.Context, cluster *broker.Cluster, admin *kadm.Client) error {
	young, err := admin.ListOffsetsAfterMilli(ctx, time.Now().Add(-retention).UnixMilli())
	if err != nil {
		return err
	}
	ends, err := admin.ListEndOffsets(ctx)
	young.Each(func(o kadm.ListedOffset) {
		if end, ok := ends.Lookup(o.Topic, o.Partition); ok && end.Err == nil && o.Err == nil {
			cluster.Kfake().DeleteRecords(o.Topic, o.Partition, max(0, min(o.Offset, end.Offset-1)))
		}
	})
	return err
}
