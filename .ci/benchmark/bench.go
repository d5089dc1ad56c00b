package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/group"
	"tkafka/pkg/process"
	"tkafka/pkg/settings"
	"tkafka/pkg/testbed"
)

const (
	partitions = 16
	replicas   = 3
	// timeLimit ends a program that does not end: it counts as incomplete.
	timeLimit = 10 * time.Minute
)

type options struct {
	auth, python string
	short        bool
	runs         int
}

// bench is the cluster, the programs and the files of one run.
type bench struct {
	options
	program *cli.Program
	repo    string              // the folder of the module
	work    string              // a temporary folder
	known   map[string][]string // the first words of a program's command line, by its name in a command
	peers   map[string]string   // the versions of kcat and python; empty: not installed
	found   *settings.Settings
	client  *kgo.Client
	admin   *kadm.Client
	own     *process.Process // the cluster that we have started; nil with --auth
	groups  []string         // to delete
}

// open connects to the cluster. Without --auth it starts one.
func open(ctx context.Context, program *cli.Program, o options) (b *bench, err error) {
	b = &bench{options: o, program: program}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	repo, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return b, cli.WithHint(fmt.Errorf("cannot find the programs: %w", err), "start it in the folder of the tutorial")
	}
	b.repo = strings.TrimSpace(string(repo))
	if b.work, err = os.MkdirTemp("", "tkafka-bench-"); err != nil {
		return b, err
	}
	self, err := os.Executable()
	if err != nil {
		return b, err
	}
	librdkafka := filepath.Join(b.work, "librdkafka.properties")
	b.known = map[string][]string{
		"bare":   {self, "bare"},
		"kcat":   {"kcat", "-q", "-F", librdkafka},
		"python": {b.python, filepath.Join(b.repo, ".ci/benchmark/peers.py"), librdkafka},
	}
	if b.auth == "" {
		err = b.startCluster(ctx)
	} else {
		b.auth, err = filepath.Abs(b.auth) // the programs start in another folder
	}
	if err != nil {
		return b, err
	}
	if b.found, err = settings.InFolder(b.auth); err != nil {
		return b, err
	}
	if err := os.WriteFile(librdkafka, []byte(librdkafkaSettings(b.found)), 0o600); err != nil {
		return b, err
	}
	b.peers = map[string]string{
		"kcat":   b.ask(ctx, `Version (\S+).*(librdkafka \S+)`, "kcat", "-V"),
		"python": b.ask(ctx, `(.+)`, "python", "version"),
	}
	connect, err := connection(b.found)
	if err != nil {
		return b, err
	}
	if b.client, err = kgo.NewClient(append(connect, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		return b, err
	}
	b.admin = kadm.NewClient(b.client)
	if err := b.client.Ping(ctx); err != nil {
		return b, fmt.Errorf("cannot reach the cluster of %s: %w", b.auth, err)
	}
	if b.own == nil && !b.short {
		err = b.warmUp(ctx)
	}
	return b, err
}

func (b *bench) startCluster(ctx context.Context) error {
	os.Unsetenv("KAFKA_KEYSTORE_PASSWORD") // of another cluster
	b.auth = filepath.Join(b.work, "auth")
	b.own = process.New(exec.CommandContext(ctx, b.known["bare"][0], "cluster", b.auth))
	if err := b.own.Start(); err != nil {
		return err
	}
	if _, err := b.own.Await(&b.own.Stdout, regexp.MustCompile("ready"), time.Minute); err != nil {
		return fmt.Errorf("cannot start a cluster: %w: %s", err, &b.own.Stderr)
	}
	return nil
}

// librdkafkaSettings are the settings of the folder for kcat and Python.
func librdkafkaSettings(found *settings.Settings) string {
	list := "bootstrap.servers=" + strings.Join(found.Brokers, ",") + "\n"
	if !found.TLS {
		return list
	}
	return list + "security.protocol=ssl\nssl.endpoint.identification.algorithm=none\n" +
		"ssl.ca.location=" + filepath.Join(found.Folder, "ca.crt") + "\n" +
		"ssl.keystore.location=" + filepath.Join(found.Folder, "kafka.keystore.pkcs12") + "\n" +
		"ssl.keystore.password=" + found.Password + "\n"
}

// warmUp produces and reads messages before anything is measured: fresh brokers are two to four times
// slower until they have handled a few million.
func (b *bench) warmUp(ctx context.Context) error {
	const times, count = 3, 1_000_000
	b.program.Say("warming the brokers up with %s messages, which are not measured", cli.Count(times*count))
	for range times {
		topic, err := b.makeTopic(ctx)
		if err != nil {
			return err
		}
		t := &trial{bench: b, topic: topic, count: count}
		_, err = t.fill(ctx, "bare produce TOPIC <LINES")
		b.deleteTopic(ctx, topic)
		if err != nil {
			return fmt.Errorf("warming up: %w", err)
		}
	}
	return nil
}

func (b *bench) makeTopic(ctx context.Context) (string, error) {
	name := group.NewName("bench")
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := b.admin.CreateTopic(ctx, partitions, replicas, nil, name); err != nil {
		return "", cli.WithHint(fmt.Errorf("cannot create topic %s: %w", name, err), "--auth needs the folder of an admin")
	}
	if err := testbed.MakeTopic(ctx, b.client, name, partitions); err != nil { // waits until all brokers know it
		return "", err
	}
	return name, b.warmTopic(ctx, name)
}

// warmTopic writes a message to each partition and deletes it. The first write waits until the replicas
// of the partition have found each other, which takes longer than the shortest measurement. A student's
// topic has that behind it.
func (b *bench) warmTopic(ctx context.Context, topic string) error {
	var first []*kgo.Record
	empty := make(kadm.Offsets)
	for partition := range int32(partitions) {
		first = append(first, &kgo.Record{Topic: topic, Partition: partition})
		empty.AddOffset(topic, partition, 1, -1)
	}
	if err := b.client.ProduceSync(ctx, first...).FirstErr(); err != nil {
		return err
	}
	deleted, err := b.admin.DeleteRecords(ctx, empty)
	if err != nil {
		return err
	}
	return deleted.Error()
}

// newGroup returns a name for a group, which is deleted with the next topic.
func (b *bench) newGroup() string {
	b.groups = append(b.groups, group.NewName("bench"))
	return b.groups[len(b.groups)-1]
}

// deleteTopic deletes a topic, and the groups that have read it.
func (b *bench) deleteTopic(ctx context.Context, topic string) {
	limit := time.Minute
	if ctx.Err() != nil { // a signal: see cli.LeaveTime
		if b.own != nil {
			return // our cluster ends with us
		}
		limit = 1500 * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	// commitoffsets/consumer makes a name itself. Nobody else has read this topic.
	listed, _ := b.admin.ListGroups(ctx)
	theirs := slices.DeleteFunc(listed.Groups(), func(name string) bool { return !strings.HasPrefix(name, "commitoffsets-") })
	for name, offsets := range b.admin.FetchManyOffsets(ctx, theirs...) {
		if _, ok := offsets.Fetched[topic]; ok {
			b.groups = append(b.groups, name)
		}
	}
	known := slices.DeleteFunc(b.groups, func(name string) bool { _, ok := listed[name]; return !ok })
	b.groups = nil
	b.admin.DeleteGroups(ctx, known...)
	deleted, err := b.admin.DeleteTopic(ctx, topic)
	if err == nil {
		err = deleted.Err
	}
	if err != nil {
		b.program.Say("topic %s stays on the cluster: %v", topic, err)
	}
}

func (b *bench) close() {
	if b.client != nil {
		b.client.Close()
	}
	if b.own != nil {
		b.own.Kill()
	}
	if b.work != "" {
		os.RemoveAll(b.work)
	}
}

// lookUp returns the first words of a program's command line. It builds a program of ours.
func (b *bench) lookUp(ctx context.Context, name string) ([]string, error) {
	if words, ok := b.known[name]; ok {
		return slices.Clone(words), nil // the caller appends
	}
	if _, err := os.Stat(filepath.Join(b.repo, name, "main.go")); err != nil {
		return []string{name}, nil
	}
	path := filepath.Join(b.work, "bin", name, filepath.Base(name))
	build := exec.CommandContext(ctx, "go", "build", "-o", path, "./"+name)
	build.Dir = b.repo
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build ./%s: %w: %s", name, err, out)
	}
	b.known[name] = []string{path}
	return []string{path}, nil
}

// environment is that of all programs: they use our cluster.
func (b *bench) environment() []string {
	return append(os.Environ(), "KAFKA_AUTH="+b.found.Folder, "KAFKA_BROKERS="+strings.Join(b.found.Brokers, ","))
}

// missing returns a program of the candidate that is not installed, or "".
func (b *bench) missing(c candidate) string {
	for name, version := range b.peers {
		if version == "" && slices.Contains(strings.Fields(c.command), name) {
			return name
		}
	}
	return ""
}
