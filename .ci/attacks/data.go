package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/process"
	"tkafka/pkg/tlsconf"
)

// kept is classroom/cluster with --data, and what it has acknowledged. A message is a number, and the
// committed offset grows with the messages.
type kept struct {
	*arena
	dir, auth string

	address   string
	process   *process.Process
	running   context.Context // ends with the process
	client    *kgo.Client
	admin     *kadm.Client
	sent      int             // the number of the last message
	acked     map[int]bool    // messages
	committed map[int32]int64 // by group
	found     map[int]bool    // messages in the topic before the offset next
	next      int64
}

const (
	keptTopic  = "client60"
	keptGroups = 3
)

var keptReady = regexp.MustCompile(`(?m)^(\S+:\d+)$`)

func (a *arena) kept(dir string) *kept {
	return &kept{arena: a, dir: dir, auth: filepath.Join(a.dir, a.name("auth")), acked: make(map[int]bool), committed: make(map[int32]int64), found: make(map[int]bool)}
}

// errRefused is that the cluster has not started, with its reason.
type errRefused string

func (e errRefused) Error() string { return string(e) }

// start starts the cluster, and connects to it.
func (k *kept) start() error {
	started := process.New(k.command("", "classroom/cluster", "--data", k.dir, "--auth", k.auth, "--ports", "0",
		"--topics", keptTopic, "--partitions", "1"))
	k.process = started
	if err := k.process.Start(); err != nil {
		return err
	}
	match, err := k.process.Await(&k.process.Stdout, keptReady, limit)
	if err != nil {
		k.process.Kill()
		return errRefused(strings.TrimSpace(k.process.Stderr.String()))
	}
	k.address = match[1]
	security, err := tlsconf.Load(k.auth, "cc2023", nil)
	if err != nil {
		return err
	}
	if k.client, err = kgo.NewClient(kgo.SeedBrokers(k.address), kgo.DialTLSConfig(security), kgo.ProducerLinger(0),
		kgo.DisableIdempotentWrite(), // otherwise nothing ends the wait for an acknowledgement
		kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		return err
	}
	k.admin = kadm.NewClient(k.client)
	running, end := context.WithCancel(k.ctx)
	k.running = running
	go func(client *kgo.Client) {
		<-started.Ended()
		end()
		client.Close()
	}(k.client)
	return nil
}

// end ends the cluster, and returns its exit status.
func (k *kept) end(signal syscall.Signal) int {
	k.process.Signal(signal)
	if _, err := k.process.Wait(limit); err != nil {
		k.process.Kill()
	}
	return k.process.Status()
}

// work sends a message and commits an offset, and notes what was acknowledged.
func (k *kept) work(ctx context.Context, size int) error {
	k.sent++
	value := fmt.Sprintf("%d %s", k.sent, strings.Repeat("x", size))
	if err := k.client.ProduceSync(ctx, &kgo.Record{Topic: keptTopic, Value: []byte(value)}).FirstErr(); err != nil {
		return err
	}
	k.acked[k.sent] = true
	group := int32(k.sent % keptGroups)
	var offsets kadm.Offsets
	offsets.AddOffset(keptTopic, 0, int64(k.sent), -1)
	if err := k.admin.CommitAllOffsets(ctx, fmt.Sprint("group-", group), offsets); err != nil {
		return err
	}
	k.committed[group] = int64(k.sent)
	return nil
}

// missing returns what the cluster has acknowledged and lost, or "".
func (k *kept) missing() (string, error) {
	ctx, cancel := context.WithTimeout(k.ctx, limit)
	defer cancel()
	ends, err := k.admin.ListEndOffsets(ctx, keptTopic)
	if err = errors.Join(err, ends.Error()); err != nil {
		return "", err
	}
	last, _ := ends.Lookup(keptTopic, 0)
	k.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{keptTopic: {0: kgo.NewOffset().At(k.next)}})
	for k.next < last.Offset {
		fetches := k.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return "", err
		}
		for _, record := range fetches.Records() {
			word, _, _ := strings.Cut(string(record.Value), " ")
			number, _ := strconv.Atoi(word)
			k.found[number] = true
			k.next = record.Offset + 1
		}
	}
	k.client.RemoveConsumePartitions(map[string][]int32{keptTopic: {0}})
	for number := range k.acked {
		if !k.found[number] {
			return fmt.Sprintf("message %d of %d is lost", number, len(k.acked)), nil
		}
	}
	for group, want := range k.committed {
		offsets, err := k.admin.FetchOffsets(ctx, fmt.Sprint("group-", group))
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return "", err
		}
		if offset, _ := offsets.Lookup(keptTopic, 0); offset.At < want {
			return fmt.Sprintf("group-%d is at offset %d, and offset %d was committed", group, offset.At, want), nil
		}
	}
	return "", nil
}

// clusterKilled kills the cluster at random moments. What it has acknowledged must be there again.
func clusterKilled(a *arena, f *findings) (string, error) {
	k := a.kept(filepath.Join(a.dir, a.name("data")))
	random := rand.New(rand.NewPCG(60, 2))
	for range a.times(50, 10) {
		if err := k.start(); err != nil {
			return "", err
		}
		missing, err := k.missing()
		if err != nil {
			return "", err
		}
		if missing != "" {
			f.fail("%s", missing)
		}
		time.AfterFunc(time.Duration(random.Int64N(int64(300*time.Millisecond))), func() { k.process.Signal(syscall.SIGKILL) })
		for k.work(k.running, 10+random.IntN(2000)) == nil {
		}
		k.end(syscall.SIGKILL)
		f.happened(1)
	}
	if err := k.start(); err != nil {
		return "", err
	}
	clear(k.found)
	k.next = 0
	missing, err := k.missing()
	if missing != "" {
		f.fail("%s", missing)
	}
	k.end(syscall.SIGTERM)
	return fmt.Sprintf("%d kills: %s acknowledged messages and the commits of %d groups were there after each", f.times, cli.Count(len(k.acked)), keptGroups), err
}

// clusterOnFullDisk fills the disk of the cluster. With a larger disk, what it has acknowledged must be
// there again. Of committed offsets, the cluster itself prints that they can be lost.
func clusterOnFullDisk(a *arena, f *findings) (string, error) {
	acked := 0
	for _, size := range []int{60, 100, 200, 400} {
		disk, err := a.disk(size)
		if err != nil {
			return "", err
		}
		k := a.kept(filepath.Join(disk.dir, "data"))
		f.happened(1)
		if err := k.start(); err != nil {
			if !strings.Contains(err.Error(), "no space left on device") {
				f.fail("a disk of %d kB: it does not start: %v", size, err)
			}
		} else {
			ctx, cancel := context.WithTimeout(a.ctx, 20*time.Second)
			for ctx.Err() == nil && k.work(ctx, 2000) == nil {
			}
			cancel()
			if status := k.end(syscall.SIGTERM); status != 1 {
				f.fail("a disk of %d kB: status %d", size, status)
			}
		}
		if text := k.process.Stderr.String(); !strings.Contains(text, "no space left on device") {
			f.fail("a disk of %d kB: the error does not name it: %s", size, text)
		}
		if err := disk.resize(10_000); err != nil {
			return "", err
		}
		if err := k.start(); err != nil {
			f.fail("a disk of %d kB, and then a larger one: %v", size, err)
			continue
		}
		k.committed = nil
		missing, err := k.missing()
		if err != nil {
			return "", err
		}
		if missing != "" {
			f.fail("a disk of %d kB: %s", size, missing)
		}
		acked += len(k.acked)
		k.end(syscall.SIGTERM)
	}
	return fmt.Sprintf("%d disks of 60 to 400 kB: each time the error names the full disk, and status 1; 0 of %s acknowledged messages lost", f.times, cli.Count(acked)), nil
}

// truncated cuts files of a stopped cluster off, one at a time. The cluster must have everything, or refuse
// to start and name the file.
func truncated(a *arena, f *findings) (string, error) {
	random := rand.New(rand.NewPCG(60, 3))
	whole := a.kept(filepath.Join(a.dir, a.name("data")))
	for range 2 { // kfake writes some files only at an orderly end
		if err := whole.start(); err != nil {
			return "", err
		}
		for range 50 {
			if err := whole.work(a.ctx, 100); err != nil {
				return "", err
			}
		}
		whole.end(syscall.SIGTERM)
	}
	var files []string
	err := filepath.WalkDir(whole.dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, _ := entry.Info(); info.Size() > 0 {
				files = append(files, strings.TrimPrefix(path, whole.dir))
			}
		}
		return err
	})
	if err != nil {
		return "", err
	}
	refused, complete := 0, 0
	for range a.times(4, 1) {
		for _, file := range files {
			k := a.kept(filepath.Join(a.dir, a.name("data")))
			k.acked, k.committed = whole.acked, whole.committed
			if err := os.CopyFS(k.dir, os.DirFS(whole.dir)); err != nil {
				return "", err
			}
			os.Chmod(filepath.Join(k.dir, "ca.key"), 0o600)
			path := filepath.Join(k.dir, file)
			info, err := os.Stat(path)
			if err != nil {
				return "", err
			}
			to := random.Int64N(info.Size())
			if err := os.Truncate(path, to); err != nil {
				return "", err
			}
			f.happened(1)
			at := fmt.Sprintf("%s cut off at byte %d of %d", file, to, info.Size())
			err = k.start()
			var reason errRefused
			switch {
			case errors.As(err, &reason):
				refused++
				if !strings.Contains(string(reason), file) {
					f.fail("%s: the error does not name it: %s", at, reason)
				}
				continue
			case err != nil:
				return "", err
			}
			missing, err := k.missing()
			if err != nil {
				return "", err
			}
			if missing != "" {
				f.fail("%s: %s", at, missing)
			} else {
				complete++
			}
			k.end(syscall.SIGKILL)
			os.RemoveAll(k.dir)
		}
	}
	return fmt.Sprintf("%d times one of %d files was cut off: %d times an error named it, %d times nothing was missing", f.times, len(files), refused, complete), nil
}
