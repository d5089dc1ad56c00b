// Package testbed runs the acceptance scripts of a program: testdata/*.txtar, written for testscript
// (https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript), with the program's own main as a
// process and a cluster to talk to.
//
// The cluster is an embedded one, with mutual TLS, unless TKAFKA_TEST_AUTH names a credentials
// folder: then the scripts run on the cluster that this folder leads to. With an administrator's
// folder each script makes a topic of its own, and removes it with the groups that have read it.
// Scripts that need more, a broker that dies or credentials that are refused, begin with
//
//	[!embedded] skip 'needs a cluster of its own'
//
// With a student's folder the scripts take turns with the student's topic, whatever it holds, and the
// groups stay behind, since a student may not delete them. Scripts that count offsets begin with
//
//	[student] skip 'needs a topic of its own'
//
// A script finds $TOPIC (16 partitions, empty), $GROUP (unused), $BROKERS and, in its working
// directory, the folder auth/. Beside testscript's own commands it has
//
//	start NAME PROGRAM [ARG...]       run a program in the background; its input stays open
//	terminal NAME PROGRAM [ARG...]    the same, with a terminal for input and all output (stdout)
//	expect NAME stdout|stderr REGEXP  wait until the output has a match after the last one, and print
//	                                  it; (?P<VARIABLE>...) sets a variable
//	feed NAME TEXT                    write a line to its input
//	signal NAME [SIGNAL]              send a signal, SIGINT if not told
//	eof NAME                          close its input; on a terminal, type Ctrl-D
//	ended NAME STATUS                 wait for the end, require the status, and print the output; one
//	                                  that was asked to stop must not take longer than cli.LeaveTime
//	promise TIMES PROGRAM [ARG...]    hold a member to its word that it receives what is sent to it
//	send [key=K] [partition=N] VALUE...  produce messages, all in order
//	messages [FORMAT]                 print all messages of the topic
//	arrived N                         wait until the topic has N messages or more
//	limit BYTES                       set the topic's max.message.bytes
//	committed GROUP                   print the committed offsets as partition:offset
//	members GROUP N                   require that the group has N members, within 10 seconds
//	evict GROUP                       make the group go on without its members
//	listen VARIABLE                   set it to an address where nobody ever says anything
//	credentials FOLDER USER [stranger|expired]  issue another folder of credentials (embedded only)
//	cluster [plaintext] [USER=RIGHT...]  give the script an embedded cluster of its own
//
// and on a cluster of its own
//
//	lose BROKER / restore BROKER      kill a broker and bring it back
//	freeze GROUP                      make a broker that does not coordinate the group answer no reader
//	topic NAME                        make another topic
//	advertise HOST:PORT               make the cluster advertise this address alone
//	refuse-produce [ERROR]            refuse all messages, with TOPIC_AUTHORIZATION_FAILED if not told
//	stall N                           refuse messages that come together as too large, and answer to no
//	                                  more than N that come alone
//	refuse-commit [ERROR]             refuse all commits, with GROUP_AUTHORIZATION_FAILED if not told
//
// Any other wait that takes longer than Patience fails the script.
package testbed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

// Patience is how long a script waits for what must happen: far longer than it takes, so that a
// busy machine does not fail it.
const Patience = 60 * time.Second

// Main runs the tests of a program. In scripts it goes by this name.
func Main(m *testing.M, name string, main func()) {
	testscript.Main(m, map[string]func(){name: main})
}

// Run runs the scripts in testdata. It is the body of the test of each program.
func Run(t *testing.T) {
	t.Parallel()
	if signal.Ignored(syscall.SIGHUP) {
		// Under nohup the programs would ignore it too. What a process catches is reset for its
		// children, what it ignores is not.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	where := &site{}
	t.Cleanup(where.close)
	folder, err := Folder()
	if err == nil && folder != "" {
		err = where.visit(folder)
	}
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setup(env, where) },
		Cmds:                commands,
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "embedded":
				return where.folder == "", nil
			case "student":
				return where.student != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
	})
}

// bed is what one script runs on.
type bed struct {
	dir       string // the script's working directory
	topic     string
	ca        *issuer.CA        // of the embedded cluster
	embedded  *embedded.Cluster // nil on another cluster
	private   bool              // the embedded cluster is this script's alone
	student   bool              // the topic is a student's, and not ours to remove
	client    *kgo.Client       // may do everything
	admin     *kadm.Client
	processes map[string]*process
}

type key struct{}

func bedOf(ts *testscript.TestScript) *bed { return ts.Value(key{}).(*bed) }

func setup(env *testscript.Env, where *site) error {
	b := &bed{dir: env.WorkDir, processes: make(map[string]*process)}
	env.Values[key{}] = b
	if where.student != "" { // released after close, when nothing of the script runs any more
		release, err := TakeTurns(where.student)
		if err != nil {
			return err
		}
		env.Defer(release)
	}
	env.Defer(b.close)
	mark := strings.ToLower(rand.Text()[:8])
	b.topic = "test-" + mark
	env.Setenv("TOPIC", b.topic)
	env.Setenv("GROUP", "group-"+mark)
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("ESCAPES", "\x1b[31mred\n\u009bx") // what must not reach a terminal

	auth := filepath.Join(env.WorkDir, "auth")
	brokers := where.brokers
	if where.folder == "" {
		cluster, ca, err := where.embedded()
		if err != nil {
			return err
		}
		if err := b.use(cluster, ca, auth, "student"); err != nil {
			return err
		}
		brokers = cluster.Brokers()
	} else {
		if err := os.CopyFS(auth, os.DirFS(where.folder)); err != nil {
			return err
		}
		client, err := where.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return err
		}
		b.client, b.admin = client, kadm.NewClient(client)
	}
	env.Setenv("BROKERS", strings.Join(brokers, ","))
	if where.student != "" {
		b.topic, b.student = where.student, true
		env.Setenv("TOPIC", b.topic)
		return nil
	}
	return b.makeTopic(b.topic)
}

// use makes the script run on an embedded cluster.
func (b *bed) use(cluster *embedded.Cluster, ca *issuer.CA, auth, user string) (err error) {
	if b.client != nil {
		b.client.Close()
	}
	b.embedded, b.ca = cluster, ca
	if b.client, err = cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		return err
	}
	b.admin = kadm.NewClient(b.client)
	identity, err := ca.Client(user)
	if err != nil {
		return err
	}
	return issuer.Folder{CA: ca, Identity: identity, Brokers: cluster.Brokers()}.Write(auth)
}

func (b *bed) makeTopic(name string) error {
	ctx, cancel := patiently()
	defer cancel()
	return MakeTopic(ctx, b.client, name, embedded.DefaultPartitions)
}

// MakeTopic makes a topic if it is not there, and waits until every broker knows it: it is on the
// controller first and reaches each broker a moment later, and a client may ask any of them.
func MakeTopic(ctx context.Context, client *kgo.Client, name string, partitions int) error {
	admin := kadm.NewClient(client)
	// A busy cluster can take longer than the client waits; asked again, it has the topic already.
	_, err := admin.CreateTopic(ctx, int32(partitions), -1, nil, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("cannot create topic %s: %w", name, err)
	}
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = kmsg.StringPtr(name)
	req.Topics = append(req.Topics, topic)
	return everywhere(ctx, client, "topic "+name, func(broker *kgo.Broker) bool {
		known, err := req.RequestWith(ctx, broker)
		return err == nil && known.Topics[0].ErrorCode == 0 && len(known.Topics[0].Partitions) == partitions
	})
}

// everywhere waits until each broker has heard of something that was changed on the cluster.
func everywhere(ctx context.Context, client *kgo.Client, what string, heard func(*kgo.Broker) bool) error {
	brokers, err := kadm.NewClient(client).ListBrokers(ctx)
	if err != nil {
		return err
	}
	for _, id := range brokers.NodeIDs() {
		broker := client.Broker(int(id))
		if err := until(ctx, func() bool { return heard(broker) }); err != nil {
			return fmt.Errorf("broker %d has not heard of %s: %w", id, what, err)
		}
	}
	return nil
}

// close ends what the script has left running and removes the traces that it left on the cluster.
func (b *bed) close() {
	for _, process := range b.processes {
		process.kill()
	}
	switch {
	case b.client == nil:
	case b.private:
		b.client.Close()
		b.embedded.Close()
	case b.student:
		b.client.Close()
	default:
		b.removeTraces()
		b.client.Close()
	}
}

func (b *bed) removeTraces() {
	ctx, cancel := patiently()
	defer cancel()
	groups, err := b.admin.ListGroups(ctx)
	if err != nil {
		return
	}
	for _, name := range groups.Groups() {
		if offsets, err := b.admin.FetchOffsets(ctx, name); err == nil && offsets.Offsets()[b.topic] != nil {
			b.evict(ctx, name) // who was killed is a member for 45 seconds more
			b.admin.DeleteGroup(ctx, name)
		}
	}
	b.admin.DeleteTopics(ctx, b.topic)
}

func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), Patience)
}

// until asks again and again, as there is nothing to wait on at a cluster's side.
func until(ctx context.Context, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
