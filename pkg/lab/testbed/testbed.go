// Package testbed runs the scripts that test a program: testdata/*.txtar, written for testscript
// (https://pkg.go.dev/github.com/rogpeppe/go-internal/testscript). A script runs the program's own main
// as a process, on a cluster.
//
// By default that is an embedded cluster with mutual TLS. If TKAFKA_TEST_AUTH names a credentials
// folder, the scripts run on the cluster that this folder is for. With an administrator's folder each
// script creates a topic of its own. At its end it deletes the topic and the groups that have read it.
// A script that stops brokers or needs other credentials begins with
//
//	[!embedded] skip 'needs a cluster of its own'
//
// With a student's folder the scripts use the student's topic, one script at a time. The topic may
// hold messages, and the groups stay, because a student may not delete them. A script that counts
// offsets begins with
//
//	[student] skip 'needs a topic of its own'
//
// A script that needs share groups begins with
//
//	[!sharing] skip 'needs Kafka 4.2'
//
// A script finds $TOPIC (16 partitions, empty), $GROUP (not used before), $BROKERS and, in its working
// directory, the folder auth/. It has testscript's own commands, and these:
//
//	start NAME PROGRAM [ARG...]       start a program; its input stays open
//	terminal NAME PROGRAM [ARG...]    the same with a terminal; stdout is then all of its output
//	expect NAME stdout|stderr REGEXP  wait for a match behind the last match, and print the match;
//	                                  (?P<VARIABLE>...) sets a variable
//	feed NAME TEXT                    write a line to its input
//	signal NAME [SIGNAL]              send a signal; the default is SIGINT
//	eof NAME                          close its input; on a terminal, type Ctrl-D
//	ended NAME STATUS                 wait for its end, check the status, and print its output; after
//	                                  signal or eof it must end within three seconds
//	send [key=K] [partition=N] [header=H] [size=N] VALUE...
//	                                  produce messages, in this order; H is the header's key and value;
//	                                  x is added to a value until it has N bytes
//	messages [FORMAT]                 print all messages of the topic
//	arrived N                         wait until the topic has N messages or more
//	committed GROUP [N]               print the committed offsets as partition:offset, when there are N
//	reset GROUP PARTITION OFFSET      commit the offset for a group without members
//	members GROUP N                   wait, at most 10 seconds, until the group has N members
//	join GROUP share|consumer         start a member of a share group, or of a group of the protocol of
//	                                  KIP-848, which stays until the end of the script
//	evict GROUP                       remove all members from the group
//	topic NAME [partitions=N] [SETTING=VALUE]
//	                                  create a topic; it is $TOPIC from now on
//	delete                            delete the topic
//	listen VARIABLE [http|controller] set it to an address that accepts connections and never answers,
//	                                  or where an HTTP server answers, or that does what the port of a
//	                                  KRaft controller does: it answers the request for versions, and
//	                                  closes the connection at the next request
//	credentials FOLDER USER [stranger|expired]  issue credentials (only on an embedded cluster)
//	cluster [VERSION] [USER=RIGHT...]
//	                                  give the script an embedded cluster of its own; with the requests
//	                                  that a version of Kafka has, such as v3.9; with rights,
//	                                  such as alice=read:topic:$TOPIC, users may do nothing else, and
//	                                  auth/ is the first user's; alice= has no rights
//
// On a cluster of its own it also has these commands:
//
//	lose BROKER... / restore BROKER...  stop brokers, and start them again
//	advertise HOST:PORT               make the cluster advertise this address only
//	fault REQUEST ERROR|silence [always]
//	                                  answer requests of a kind, such as Produce, with an error, such as
//	                                  INVALID_RECORD, or not at all; once by default
//	silenced                          wait until a request has met the last fault, and has got no answer
//
// A script fails if anything else that it waits for takes longer than a minute.
package testbed

import (
	"crypto/rand"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/tlsconf"
)

// Assigned matches the line that group.Print prints.
var Assigned = regexp.MustCompile(`assigned (\d+) of (\d+) partitions: (\d+(?:[,-]\d+)*)`)

// timeout is how long a script waits for what must happen. It is long, so that a busy machine does
// not fail a script.
const timeout = 60 * time.Second

// Main runs the tests of a program. Scripts start the program by this name.
func Main(m *testing.M, name string, main func()) {
	flag.Set("test.parallel", "16") // most of the time each script waits
	testscript.Main(m, map[string]func(){name: main})
}

// Build builds other programs of this repository, which the scripts can then start.
func Build(t *testing.T, programs ...string) {
	t.Helper()
	bin := t.TempDir()
	for _, program := range programs {
		// Unlike go build, go run keeps what it links.
		if out, err := exec.Command("go", "run", "-exec", "cp", program, bin).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH")) // not t.Setenv: the scripts run in parallel
}

// Run runs the scripts in testdata. It is the body of each program's test.
func Run(t *testing.T) {
	t.Parallel()
	if signal.Ignored(syscall.SIGHUP) {
		// Under nohup the programs would ignore SIGHUP, too. A child process inherits an ignored
		// signal, but not a caught one.
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	e := newEnvironment(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return setup(env, e) },
		Cmds:                commands(),
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "embedded":
				return e.folder == "", nil
			case "student":
				return e.student != "", nil
			case "sharing":
				return e.sharing(), nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
	})
}

// state is what the commands of one script share.
type state struct {
	environment
	ts         *testscript.TestScript // of the current command
	dir        string                 // the script's working directory
	topic      string                 // the script's messages are in it
	topics     []string               // those that the script has created
	group      string
	ownCluster bool        // only this script uses the embedded cluster
	client     *kgo.Client // may do everything, except on a student's cluster
	admin      *kadm.Client
	programs   map[string]*program
	silenced   atomic.Bool // a request has met the last fault, and has got no answer
}

type stateKey struct{}

func setup(env *testscript.Env, e environment) error {
	s, err := prepare(e, env.WorkDir, env.Defer)
	if err != nil {
		return err
	}
	env.Values[stateKey{}] = s
	env.Setenv("GROUP", s.group)
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("ESCAPES", "\x1b[31mred\n\u009bx") // must not reach a terminal
	env.Setenv("BROKERS", strings.Join(s.brokers, ","))
	env.Setenv("TOPIC", s.topic)
	env.Setenv("ASSIGNED", Assigned.String())
	return nil
}

// prepare makes the credentials in dir/auth, a client and the topic. It calls later with what is to be
// done at the end, in reverse order.
func prepare(e environment, dir string, later func(func())) (*state, error) {
	id := strings.ToLower(rand.Text()[:8])
	s := &state{dir: dir, topic: "test-" + id, group: "group-" + id, programs: make(map[string]*program)}
	if e.student != "" { // released after close, when no program of the script runs any more
		turn := flock.New(filepath.Join(os.TempDir(), fmt.Sprintf("tkafka-test-%s-%d.lock", e.student, os.Getuid())))
		if err := turn.Lock(); err != nil {
			return nil, err
		}
		later(func() { turn.Unlock() })
		s.topic = e.student
	}
	later(s.close)
	if err := s.use(e, "student"); err != nil {
		return nil, err
	}
	if e.student != "" {
		return s, nil
	}
	s.topics = []string{s.topic}
	ctx, cancel := withTimeout()
	defer cancel()
	return s, createTopic(ctx, s.client, s.topic, broker.DefaultPartitions, nil)
}

// use makes the script run on a cluster. On an embedded one, the credentials in auth/ are this user's.
func (s *state) use(e environment, user string) (err error) {
	if s.client != nil {
		s.client.Close()
	}
	s.environment = e
	if s.client, err = e.client(kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		return err
	}
	s.admin = kadm.NewClient(s.client)
	auth := filepath.Join(s.dir, "auth")
	if e.embedded != nil {
		return e.ca.WriteFolder(auth, user, e.brokers)
	}
	if err := os.CopyFS(auth, os.DirFS(e.folder)); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(auth, tlsconf.KeystoreFile), 0o600) // CopyFS does not keep it
}

// close ends the programs that still run, and deletes what the script made on a shared cluster: the topics,
// and the groups that have read them.
func (s *state) close() {
	for _, program := range s.programs {
		program.Kill()
	}
	if s.client == nil {
		return
	}
	defer s.client.Close()
	if s.ownCluster {
		s.embedded.Close()
		return
	}
	if s.student != "" {
		return
	}
	ctx, cancel := withTimeout()
	defer cancel()
	groups, _ := s.admin.ListGroups(ctx)
	for _, name := range groups.Groups() {
		offsets, _ := s.admin.FetchOffsets(ctx, name)
		reads := func(topic string) bool { return offsets.Offsets()[topic] != nil }
		if strings.HasPrefix(name, s.group) || slices.ContainsFunc(s.topics, reads) { // a share group has no offsets
			s.removeMembers(ctx, name) // a member that was killed is in its group for 45 seconds
			s.admin.DeleteGroup(ctx, name)
		}
	}
	s.admin.DeleteTopics(ctx, s.topics...)
}
