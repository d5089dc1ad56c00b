package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/process"
)

// limit is how long anything may take that must happen. A busy machine needs time.
const limit = 60 * time.Second

// arena is what all attacks share: the executables, a folder, and an authority.
type arena struct {
	ctx     context.Context
	program *cli.Program
	short   bool
	dir     string
	ca      *issuer.CA
	disks   []*disk

	mu       sync.Mutex
	commands []*exec.Cmd  // all programs
	number   atomic.Int64 // of the last name
}

// open builds all programs.
func open(ctx context.Context, program *cli.Program, short bool) (*arena, error) {
	dir, err := os.MkdirTemp("", "attack-")
	if err != nil {
		return nil, err
	}
	a := &arena{ctx: ctx, program: program, short: short, dir: dir}
	for _, folder := range append(append(consumers(), producers...), "classroom/cluster", "classroom/enroll") {
		build := exec.CommandContext(ctx, "go", "build", "-o", a.executable(folder), "./"+folder)
		if text, err := build.CombinedOutput(); err != nil {
			a.close()
			return nil, fmt.Errorf("go build ./%s: %w: %s", folder, err, text)
		}
	}
	if a.ca, err = issuer.New("attack", 24*time.Hour); err != nil {
		a.close()
	}
	return a, err
}

// close ends what still runs: after an attack that could not be completed, some programs do.
func (a *arena) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, command := range a.commands {
		if command.Process != nil {
			command.Process.Kill()
		}
	}
	for _, disk := range a.disks {
		syscall.Unmount(disk.dir, syscall.MNT_DETACH)
	}
	os.RemoveAll(a.dir)
}

var producers = []string{"producer", "consumergroup/producer"}

// reader is a consumer with the arguments behind its topic. GROUP and FORMAT stand for those of an attack.
type reader struct {
	folder string
	args   string
}

var readers = []reader{
	{"consumer", "--group GROUP"},
	{"commitoffsets/consumer", "earliest"}, // it makes its group itself
	{"commitoffsets/consumercommit", "GROUP --store-time 1ms"},
	{"consumergroup/consumer", "GROUP"},
	{"consumergroup/share", "GROUP --store-time 1ms"},
}

func consumers() (folders []string) {
	for _, r := range readers {
		folders = append(folders, r.folder)
	}
	return folders
}

func (a *arena) executable(folder string) string {
	return filepath.Join(a.dir, strings.ReplaceAll(folder, "/", "-"))
}

// name returns a name that no other attack has.
func (a *arena) name(what string) string { return fmt.Sprintf("%s-%d", what, a.number.Add(1)) }

// brokers is an embedded cluster in this process, with credentials for the programs.
type brokers struct {
	*embedded.Cluster
	arena  *arena
	auth   string
	client *kgo.Client
	admin  *kadm.Client
}

func (a *arena) brokers() (*brokers, error) {
	cluster, err := localcluster.Start(a.ca, embedded.Config{})
	if err != nil {
		return nil, err
	}
	b := &brokers{Cluster: cluster, arena: a, auth: filepath.Join(a.dir, a.name("auth"))}
	if err := a.ca.WriteFolder(b.auth, "attack", cluster.Brokers()); err != nil {
		return nil, err
	}
	if b.client, err = cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		return nil, err
	}
	b.admin = kadm.NewClient(b.client)
	return b, nil
}

func (b *brokers) close() {
	b.client.Close()
	b.Close()
}

// topic makes a topic.
func (b *brokers) topic(partitions int32) (name string, err error) {
	name = b.arena.name("topic")
	_, err = b.admin.CreateTopic(b.arena.ctx, partitions, 1, nil, name)
	return name, err
}

// send sends messages to partition 0.
func (b *brokers) send(topic string, values ...string) error {
	records := make([]*kgo.Record, len(values))
	for i, value := range values {
		records[i] = &kgo.Record{Topic: topic, Value: []byte(value)}
	}
	return b.client.ProduceSync(b.arena.ctx, records...).FirstErr()
}

// ends is the number of messages in a topic.
func (b *brokers) ends(topic string) (total int64) {
	for _, partition := range b.Kfake().PartitionInfos(topic) {
		total += partition.HighWatermark
	}
	return total
}

// committed is the committed offset of partition 0, or 0.
func (b *brokers) committed(group, topic string) int64 {
	if info := b.Kfake().GroupInfo(group); info != nil {
		return max(0, info.Commits[topic][0].Offset)
	}
	return 0
}

// members are the IDs of a group's members.
func (b *brokers) members(group string) (ids []string) {
	if info := b.Kfake().GroupInfo(group); info != nil {
		for _, member := range info.Members {
			ids = append(ids, member.MemberID)
		}
	}
	return ids
}

// evict removes members from a group, as the end of their sessions does.
func (b *brokers) evict(group string, ids ...string) error {
	request := kmsg.NewPtrLeaveGroupRequest()
	request.Group = group
	for _, id := range ids {
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = id
		request.Members = append(request.Members, member)
	}
	_, err := request.RequestWith(b.arena.ctx, b.client)
	return err
}

// command is a program with its arguments, which finds its cluster through a credentials folder.
func (a *arena) command(auth, folder string, args ...string) *exec.Cmd {
	command := exec.CommandContext(a.ctx, a.executable(folder), args...)
	command.Dir = a.dir
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + a.dir, "KAFKA_AUTH=" + auth}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.commands = append(a.commands, command)
	return command
}

// start starts a program.
func (b *brokers) start(folder string, args ...string) (*process.Process, error) {
	p := process.New(b.arena.command(b.auth, folder, args...))
	return p, p.Start()
}

// arguments are those of a consumer.
func (r reader) arguments(topic, group string) []string {
	arguments := append([]string{topic}, strings.Fields(r.args)...)
	for i, argument := range arguments {
		arguments[i] = strings.NewReplacer("GROUP", group, "FORMAT", withAll).Replace(argument)
	}
	return arguments
}

// until waits until something holds.
func (a *arena) until(what string, holds func() bool) error {
	for end := time.Now().Add(limit); !holds(); time.Sleep(10 * time.Millisecond) {
		switch {
		case a.ctx.Err() != nil:
			return a.ctx.Err()
		case time.Now().After(end):
			return fmt.Errorf("not true after %v: %s", limit, what)
		}
	}
	return nil
}
