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
//	promise TIMES PROGRAM [ARG...]    run a member that often; each must print a message that is sent
//	                                  when it reports its partitions; % is the number of the run
//	send [key=K] [partition=N] VALUE...  produce messages, in this order
//	messages [FORMAT]                 print all messages of the topic
//	arrived N                         wait until the topic has N messages or more
//	limit BYTES                       set max.message.bytes of the topic
//	committed GROUP                   print the committed offsets as partition:offset
//	reset GROUP PARTITION OFFSET      commit the offset for a group without members
//	members GROUP N                   wait, at most 10 seconds, until the group has N members
//	evict GROUP                       remove all members from the group
//	delete                            delete the topic
//	recreate [PARTITIONS]             delete the topic, and create it again
//	listen VARIABLE [controller]      set it to an address that accepts connections and never answers,
//	                                  or, as the port of a KRaft controller does, answers the request
//	                                  for versions and closes the connection at the next request
//	credentials FOLDER USER [stranger|expired]  issue credentials (only on an embedded cluster)
//	cluster [plaintext] [VERSION] [USER=RIGHT...]
//	                                  give the script an embedded cluster of its own; with the requests
//	                                  that a version of Kafka has, such as v3.9; with rights,
//	                                  such as alice=read:topic:$TOPIC, users may do nothing else, and
//	                                  auth/ is the first user's; alice= has no rights
//
// On a cluster of its own it also has these commands:
//
//	lose BROKER / restore BROKER      stop a broker, and start it again
//	restart                           stop the cluster and start it again, without its messages and groups
//	zeros N BYTES                     produce N messages of zeros, each in a batch that zstd compresses;
//	                                  they go to the partitions in turn
//	freeze GROUP                      make a broker that does not coordinate the group stop to answer
//	                                  requests for messages
//	topic NAME                        create another topic
//	advertise HOST:PORT               make the cluster advertise this address only
//	refuse-once REQUEST ERROR         refuse the next request of a kind, such as ListOffsets
//	refuse-produce [ERROR] [TIMES]    refuse messages, that often or always; the default error is
//	                                  TOPIC_AUTHORIZATION_FAILED
//	refuse-commit [ERROR]             refuse all commits; the default is GROUP_AUTHORIZATION_FAILED
//
// A script fails if anything else that it waits for takes longer than Timeout.
package testbed

import (
	"context"
	"crypto/rand"
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
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/embedded"
	"tkafka/pkg/group"
	"tkafka/pkg/issuer"
	"tkafka/pkg/tlsconf"
)

// Timeout is how long a script waits for what must happen. It is long, so that a busy machine does
// not fail a script.
const Timeout = 60 * time.Second

// Main runs the tests of a program. Scripts start the program by this name.
func Main(m *testing.M, name string, main func()) {
	testscript.Main(m, map[string]func(){name: main})
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
	ts         *testscript.TestScript // of the current command
	dir        string                 // the script's working directory
	topic      string
	group      string
	ca         *issuer.CA        // of the embedded cluster
	embedded   *embedded.Cluster // nil on another cluster
	config     embedded.Config   // of the script's own cluster
	ownCluster bool              // only this script uses the embedded cluster
	keepTopic  bool              // the topic is a student's
	client     *kgo.Client       // may do everything, except on a student's cluster
	admin      *kadm.Client
	programs   map[string]*program
}

type stateKey struct{}

func setup(env *testscript.Env, e *environment) error {
	s, err := prepare(e, env.WorkDir, env.Defer)
	if err != nil {
		return err
	}
	env.Values[stateKey{}] = s
	env.Setenv("GROUP", s.group)
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("ESCAPES", "\x1b[31mred\n\u009bx") // must not reach a terminal
	env.Setenv("BROKERS", strings.Join(e.addresses(), ","))
	env.Setenv("TOPIC", s.topic)
	env.Setenv("ASSIGNED", group.Assigned.String())
	return nil
}

// prepare makes the credentials in dir/auth, a client and the topic. It calls later with what is to be
// done at the end, in reverse order.
func prepare(e *environment, dir string, later func(func())) (*state, error) {
	s := &state{dir: dir, programs: make(map[string]*program)}
	if e.student != "" { // released after close, when no program of the script runs any more
		release, err := TakeTurns(e.student)
		if err != nil {
			return nil, err
		}
		later(release)
	}
	later(s.close)
	id := strings.ToLower(rand.Text()[:8])
	s.topic, s.group = "test-"+id, "group-"+id
	auth := filepath.Join(dir, "auth")
	if e.folder == "" {
		cluster, ca, err := e.embedded()
		if err != nil {
			return nil, err
		}
		if err := s.use(cluster, ca, auth, "student"); err != nil {
			return nil, err
		}
	} else {
		if err := os.CopyFS(auth, os.DirFS(e.folder)); err != nil {
			return nil, err
		}
		if err := os.Chmod(filepath.Join(auth, tlsconf.KeystoreFile), 0o600); err != nil {
			return nil, err // CopyFS does not keep 0600, and the programs warn of other modes
		}
		client, err := e.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			return nil, err
		}
		s.client, s.admin = client, kadm.NewClient(client)
	}
	if e.student != "" {
		s.topic, s.keepTopic = e.student, true
		return s, nil
	}
	return s, s.makeTopic(s.topic)
}

// use makes the script run on an embedded cluster.
func (s *state) use(cluster *embedded.Cluster, ca *issuer.CA, auth, user string) (err error) {
	if s.client != nil {
		s.client.Close()
	}
	s.embedded, s.ca = cluster, ca
	if s.client, err = cluster.Client(kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		return err
	}
	s.admin = kadm.NewClient(s.client)
	identity, err := ca.Client(user)
	if err != nil {
		return err
	}
	return issuer.Folder{CA: ca, Identity: identity, Brokers: cluster.Brokers()}.Write(auth)
}

// close ends the programs that still run, and deletes what the script made on a shared cluster.
func (s *state) close() {
	for _, program := range s.programs {
		program.Kill()
	}
	if s.client == nil {
		return
	}
	if !s.ownCluster && !s.keepTopic {
		s.deleteTopic()
	}
	s.client.Close()
	if s.ownCluster {
		s.embedded.Close()
	}
}

// deleteTopic deletes the topic and the groups that have read it.
func (s *state) deleteTopic() {
	ctx, cancel := withTimeout()
	defer cancel()
	groups, err := s.admin.ListGroups(ctx)
	if err != nil {
		return
	}
	for _, name := range groups.Groups() {
		offsets, err := s.admin.FetchOffsets(ctx, name)
		if strings.HasPrefix(name, s.group) || err == nil && offsets.Offsets()[s.topic] != nil { // a share group has no offsets
			s.removeMembers(ctx, name) // a member that was killed is in its group for 45 seconds
			s.admin.DeleteGroup(ctx, name)
		}
	}
	s.admin.DeleteTopics(ctx, s.topic)
}

func withTimeout() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), Timeout)
}
