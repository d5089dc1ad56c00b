package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/embedded"
	"tkafka/pkg/group"
	"tkafka/pkg/issuer"
	"tkafka/pkg/livepage"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/observer"
	"tkafka/pkg/settings"
)

// ownTopic is the topic of the tutorial, on a cluster of the tour's own.
const ownTopic = "client60"

// kafka is the cluster and the topic that the tour uses. The tour reads the topic and the committed
// offsets itself. So no check depends on a program that it checks.
type kafka struct {
	topic      string
	partitions int
	started    time.Time
	older      int64            // messages that were in the topic at the start of the tour
	before     map[int32]int64  // the end offset of each partition at the start of the tour
	places     map[string]place // of the messages that were sent since then
	read       int64            // how many these are

	found  *settings.Settings
	open   *cluster.Cluster
	own    *embedded.Cluster // nil on an existing cluster
	client *kgo.Client
	admin  *kadm.Client
}

// openKafka starts a cluster or, if there is a topic, connects to the cluster of the settings.
func openKafka(ctx context.Context, program *cli.Program, found *settings.Settings, topic, dir string) (_ *kafka, err error) {
	k := &kafka{topic: topic, started: time.Now(), places: make(map[string]place)}
	defer func() {
		if err != nil {
			k.close()
		}
	}()
	if topic == "" {
		k.topic = ownTopic
		folder := filepath.Join(dir, "auth")
		if k.own, err = startOwn(folder); err != nil {
			return nil, err
		}
		k.found = &settings.Settings{Folder: folder, Brokers: k.own.Brokers(), Password: settings.DefaultPassword, TLS: true}
	} else if err = found.Find(program.Report); err != nil {
		return nil, err
	} else {
		k.found = found
	}
	needs := cluster.Needs{Topic: k.topic, Read: true, Write: true, Group: k.group("tour")}
	if k.open, err = cluster.Open(ctx, program, k.found, needs); err != nil {
		return nil, err
	}
	if k.client, err = k.open.Client(); err != nil {
		return nil, err
	}
	k.admin = kadm.NewClient(k.client)
	return k, k.look(ctx)
}

func (k *kafka) close() {
	if k.client != nil {
		k.client.Close()
	}
	if k.own != nil {
		k.own.Close()
	}
}

// showPage shows the topic in the browser until stop is called.
func (k *kafka) showPage(ctx context.Context, program *cli.Program) (stop func(), err error) {
	client, err := k.open.Client()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		page := livepage.Place{Listen: livepage.DefaultAddress}
		if err := page.Watch(ctx, program, observer.New(client, k.topic)); ctx.Err() == nil {
			program.Report(err) // the tour continues without the page
		}
	}()
	return func() {
		cancel()
		<-ended
		client.Close()
	}, nil
}

// environment returns the environment variables for the programs: they use the same cluster.
func (k *kafka) environment() []string {
	variables := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		// Our own environment may have the password for another cluster.
		return k.own != nil && strings.HasPrefix(variable, "KAFKA_KEYSTORE_PASSWORD=")
	})
	return append(variables, "KAFKA_AUTH="+k.found.Folder, "KAFKA_BROKERS="+strings.Join(k.found.Brokers, ","))
}

// look reads the offsets of the topic before the tour sends anything.
func (k *kafka) look(ctx context.Context) error {
	starts, err := k.offsets(ctx, k.admin.ListStartOffsets)
	if err != nil {
		return err
	}
	if k.before, err = k.offsets(ctx, k.admin.ListEndOffsets); err != nil {
		return err
	}
	k.partitions = len(k.before)
	from := make(map[int32]kgo.Offset)
	for partition, end := range k.before {
		k.older += end - starts[partition]
		from[partition] = kgo.NewOffset().At(end)
	}
	k.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{k.topic: from})
	return nil
}

func (k *kafka) offsets(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	listed, err := list(ctx, k.topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("topic %s: cannot read its offsets: %w", k.topic, err)
	}
	offsets := make(map[int32]int64)
	for partition, offset := range listed[k.topic] {
		offsets[partition] = offset.Offset
	}
	return offsets, nil
}

func (k *kafka) describe() string {
	brokers := strings.Join(k.found.Brokers, ", ")
	if k.own != nil {
		return fmt.Sprintf("A cluster with three brokers runs inside this program, at %s. Its topic is %s, with %d partitions. "+
			"The tour passes the addresses and the credentials to the programs.", brokers, k.topic, k.partitions)
	}
	return fmt.Sprintf("The tour uses the cluster at %s, with the credentials in %s. It starts no cluster and creates no topic. "+
		"Topic %s has %d partitions and %s messages. The groups are new. They stay on the cluster, because a student may not delete a group.",
		brokers, k.found.Folder, k.topic, k.partitions, cli.Count(k.older))
}

// group returns a name for a group that has never read the topic. A new cluster has no groups.
func (k *kafka) group(name string) string {
	if k.own != nil {
		return name
	}
	return group.NewName(name)
}

// unique adds the time to the lines on an existing cluster, where an earlier tour may have sent the
// same lines.
func (k *kafka) unique(lines ...string) []string {
	if k.own == nil {
		for i := range lines {
			lines[i] += k.started.Format(" (15:04:05)")
		}
	}
	return lines
}

// place is the place of a message in the topic.
type place struct {
	partition int32
	offset    int64
}

// sent returns the place of each message that was sent since the start of the tour.
func (k *kafka) sent(ctx context.Context) (map[string]place, error) {
	ends, err := k.offsets(ctx, k.admin.ListEndOffsets)
	if err != nil {
		return nil, err
	}
	want := int64(0)
	for partition, end := range ends {
		want += end - k.before[partition]
	}
	for k.read < want {
		fetches := k.client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("cannot read topic %s: %w", k.topic, err)
		}
		for _, message := range fetches.Records() {
			k.places[string(message.Value)] = place{message.Partition, message.Offset}
			k.read++
		}
	}
	return maps.Clone(k.places), nil
}

// committed returns the committed offsets of a group, by partition.
func (k *kafka) committed(ctx context.Context, group string) (map[int32]int64, error) {
	fetched, err := k.admin.FetchOffsets(ctx, group)
	if err == nil {
		err = fetched.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("group %s: cannot read its committed offsets: %w", group, err)
	}
	offsets := make(map[int32]int64)
	for partition, offset := range fetched[k.topic] {
		if offset.At >= 0 {
			offsets[partition] = offset.At
		}
	}
	return offsets, nil
}

// commitOlder commits for a group all messages that are in the topic now.
func (k *kafka) commitOlder(ctx context.Context, group string) error {
	ends, err := k.offsets(ctx, k.admin.ListEndOffsets)
	if err != nil {
		return err
	}
	var offsets kadm.Offsets
	for partition, end := range ends {
		offsets.AddOffset(k.topic, partition, end, -1)
	}
	done, err := k.admin.CommitOffsets(ctx, group, offsets)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		return fmt.Errorf("group %s: cannot commit: %w", group, err)
	}
	return nil
}

// startOwn starts a cluster with one topic and writes the credentials of its student.
func startOwn(folder string) (*embedded.Cluster, error) {
	ca, err := issuer.New("tkafka tour", 24*time.Hour)
	if err != nil {
		return nil, err
	}
	own, err := localcluster.Start(ca, embedded.Config{Topics: []string{ownTopic}})
	if err != nil {
		return nil, err
	}
	return own, ca.WriteFolder(folder, ownTopic, own.Brokers())
}
