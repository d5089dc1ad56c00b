package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/embedded"
	"tkafka/pkg/group"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/settings"
)

// ownTopic is the topic of the tutorial, on a cluster of the tour's own.
const ownTopic = "client60"

// site is the cluster that the tour runs on. The tour looks at the topic and at committed offsets
// itself, so that no check has to believe the program that it checks.
type site struct {
	topic      string
	partitions int
	began      time.Time
	before     map[int32]int64 // where each partition ended then
	older      int64           // messages that were in the topic then

	found   *settings.Settings
	own     *embedded.Cluster // nil on an existing cluster
	options []kgo.Opt
	client  *kgo.Client
}

// findSite starts a cluster of our own or, where a topic is named, connects to the one that the
// settings lead to. Our environment leads the programs to it.
func findSite(ctx context.Context, program *cli.Program, flags *settings.Flags, topic, dir string) (_ *site, err error) {
	s := &site{topic: topic, began: time.Now()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if topic == "" {
		s.topic = ownTopic
		folder := filepath.Join(dir, "auth")
		if s.own, err = startOwn(folder); err != nil {
			return nil, err
		}
		os.Unsetenv("KAFKA_BROKERS") // is about another cluster
		os.Unsetenv("KAFKA_KEYSTORE_PASSWORD")
		os.Setenv("KAFKA_AUTH", folder)
	}
	if s.found, err = flags.Find(); err != nil {
		return nil, err
	}
	os.Setenv("KAFKA_AUTH", s.found.Folder)
	os.Setenv("KAFKA_BROKERS", strings.Join(s.found.Brokers, ","))

	needs := cluster.Needs{Topic: s.topic, Read: true, Write: true, Group: s.group("tour")}
	here, err := cluster.Open(ctx, program, s.found, needs)
	if err != nil {
		return nil, err
	}
	s.options = append(here.Options(), kgo.SeedBrokers(here.Brokers...), kgo.DialTLSConfig(here.TLS))
	if s.client, err = kgo.NewClient(s.options...); err != nil {
		return nil, err
	}
	return s, s.look(ctx)
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

func (s *site) close() {
	if s.client != nil {
		s.client.Close()
	}
	if s.own != nil {
		s.own.Close()
	}
}

// look finds out how the topic is before we touch it.
func (s *site) look(ctx context.Context) error {
	starts, err := s.list(ctx, kadm.NewClient(s.client).ListStartOffsets)
	if err != nil {
		return err
	}
	s.before, err = s.ends(ctx)
	s.partitions = len(s.before)
	for partition, end := range s.before {
		s.older += end - starts[partition]
	}
	return err
}

func (s *site) ends(ctx context.Context) (map[int32]int64, error) {
	return s.list(ctx, kadm.NewClient(s.client).ListEndOffsets)
}

func (s *site) list(ctx context.Context, ask func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	listed, err := ask(ctx, s.topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the offsets of topic %s: %w", s.topic, err)
	}
	offsets := make(map[int32]int64)
	for partition, offset := range listed[s.topic] {
		offsets[partition] = offset.Offset
	}
	return offsets, nil
}

// describe says where we are, and on an existing cluster what is different there.
func (s *site) describe() string {
	brokers := strings.Join(s.found.Brokers, ", ")
	if s.own != nil {
		return fmt.Sprintf("A cluster of three brokers runs for it inside this process, at %s. Topic %s has %d partitions. "+
			"The programs find credentials for it in the folder that KAFKA_AUTH names.", brokers, s.topic, s.partitions)
	}
	return fmt.Sprintf("On the cluster at %s, with the credentials in %s. Skipped: no cluster is started and no topic made. "+
		"Topic %s is used as it is, with %d partitions and %s messages. The groups are new ones, and stay until the brokers forget them: "+
		"students have no right to delete a group.", brokers, s.found.Folder, s.topic, s.partitions, cli.Count(s.older))
}

// group returns the name for a group that has never read the topic. On a cluster of our own that
// is any.
func (s *site) group(name string) string {
	if s.own != nil {
		return name
	}
	return group.NewName(name)
}

// unique returns the lines as they are to be sent. On an existing cluster a topic may still hold
// those of an earlier tour, so there they bear the time.
func (s *site) unique(lines ...string) []string {
	if s.own == nil {
		for i := range lines {
			lines[i] += s.began.Format(" (15:04:05)")
		}
	}
	return lines
}

// place is where a message is in the topic.
type place struct {
	partition int32
	offset    int64
}

// sent reads all messages that were sent since the tour began and returns where each of them is.
func (s *site) sent(ctx context.Context) (map[string]place, error) {
	ends, err := s.ends(ctx)
	if err != nil {
		return nil, err
	}
	from, missing := make(map[int32]kgo.Offset), int64(0)
	for partition, end := range ends {
		from[partition] = kgo.NewOffset().At(s.before[partition])
		missing += end - s.before[partition]
	}
	client, err := kgo.NewClient(append(s.options, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: from}))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	places := make(map[string]place)
	for missing > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("cannot read topic %s: %w", s.topic, err)
		}
		for _, message := range fetches.Records() {
			places[string(message.Value)] = place{message.Partition, message.Offset}
			missing--
		}
	}
	return places, nil
}

// committed returns what a group has committed: for each partition the offset to go on at.
func (s *site) committed(ctx context.Context, group string) (map[int32]int64, error) {
	fetched, err := kadm.NewClient(s.client).FetchOffsets(ctx, group)
	if err == nil {
		err = fetched.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the committed offsets of group %s: %w", group, err)
	}
	offsets := make(map[int32]int64)
	for partition, offset := range fetched[s.topic] {
		if offset.At >= 0 {
			offsets[partition] = offset.At
		}
	}
	return offsets, nil
}

// passOlder commits for the group that it has read what was in the topic before the tour.
func (s *site) passOlder(ctx context.Context, group string) error {
	var passed kadm.Offsets
	for partition, end := range s.before {
		passed.AddOffset(s.topic, partition, end, -1)
	}
	done, err := kadm.NewClient(s.client).CommitOffsets(ctx, group, passed)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		return fmt.Errorf("cannot commit for group %s: %w", group, err)
	}
	return nil
}
