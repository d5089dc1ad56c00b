package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/process"
	"tkafka/pkg/settings"
)

// docker stands in for the program docker. It sends its arguments to the test, and prints the answer.
func docker() {
	answer, err := http.Post(os.Getenv("DOCKER_HOST"), "text/plain", strings.NewReader(strings.Join(os.Args[1:], " ")))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	io.Copy(os.Stdout, answer.Body)
}

// engine runs the three brokers of an embedded cluster, as an engine of Docker does with containers. The
// name of a container is the ID of its broker.
type engine struct {
	t       *testing.T
	cluster *embedded.Cluster
	auth    string // the folder of somebody who may do everything
	mu      sync.Mutex
	did     []string // the commands, except ps
}

func newEngine(t *testing.T) *engine {
	ca, err := issuer.New("the course", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, auth: filepath.Join(t.TempDir(), "auth")}
	if e.cluster, err = localcluster.Start(ca, embedded.Config{Topics: []string{"client7"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.cluster.Close)
	if err := ca.WriteFolder(e.auth, "admin", e.cluster.Brokers()); err != nil {
		t.Fatal(err)
	}
	return e
}

// ServeHTTP performs a command of Docker.
func (e *engine) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	words := strings.Fields(string(body))
	if port, ok := strings.CutPrefix(words[len(words)-1], "publish="); ok {
		for broker, address := range e.cluster.Brokers() {
			if strings.HasSuffix(address, ":"+port) {
				fmt.Fprintln(w, broker)
			}
		}
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.did = append(e.did, words[0])
	for _, container := range words[1:] {
		broker, err := strconv.Atoi(container)
		if err != nil {
			e.t.Error(err)
		}
		if words[0] == "kill" || words[0] == "pause" || words[0] == "restart" {
			if err := e.cluster.Kill(int32(broker)); err != nil {
				e.t.Error(err)
			}
		}
		if words[0] == "kill" || words[0] == "restart" {
			e.cluster.Kfake().ShufflePartitionLeaders() // most partitions get another leader
		}
		if words[0] == "start" || words[0] == "unpause" || words[0] == "restart" {
			if err := e.cluster.Restart(int32(broker)); err != nil {
				e.t.Error(err)
			}
		}
	}
}

// commands returns the commands so far. Commands for several containers count once.
func (e *engine) commands() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.did)
}

// judge returns the judge with Docker's variable for this engine.
func (e *engine) judge(args ...string) *process.Process {
	server := httptest.NewServer(e)
	e.t.Cleanup(server.Close)
	command := exec.Command("judge", args...)
	command.Env = append(os.Environ(), "DOCKER_HOST="+server.URL, "TMPDIR="+e.t.TempDir(), "KAFKA_BROKERS=", "KAFKA_KEYSTORE_PASSWORD="+settings.DefaultPassword)
	judge := process.New(command)
	if err := judge.Start(); err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(judge.Kill)
	return judge
}

// noTopicLeft checks that only the topic is there that others have made.
func (e *engine) noTopicLeft() {
	client, err := e.cluster.Client()
	if err != nil {
		e.t.Fatal(err)
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(context.Background())
	if names := topics.Names(); err != nil || !slices.Equal(names, []string{"client7"}) {
		e.t.Errorf("topics %q, %v", names, err)
	}
}

// With --docker the judge stops the brokers of an existing cluster, and they run again after each trial.
// An admin needs no topic: each trial has its own, and deletes it.
func TestDocker(t *testing.T) {
	t.Parallel()
	for kind, command := range map[string]string{"consumer": "consumergroup/consumer {topic} {group}", "producer": "producer {topic}"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			judge := e.judge(append([]string{kind, "--auth", e.auth, "--docker", "--only", "broker,rolling", "--", "go", "run"},
				strings.Fields("tkafka/"+command)...)...)
			<-judge.Ended()
			if judge.Status() != 0 || !slices.Equal(e.commands(), []string{"kill", "start", "restart", "restart", "restart"}) {
				t.Errorf("status %d, %q\n%s%s", judge.Status(), e.commands(), &judge.Stdout, &judge.Stderr)
			}
			e.noTopicLeft()
		})
	}
}

// After Ctrl-C, too, the brokers run again, and no topic of a trial is left.
func TestDockerInterrupted(t *testing.T) {
	t.Parallel()
	e := newEngine(t)
	judge := e.judge("consumer", "--auth", e.auth, "--docker", "--only", "away", "--", "go", "run", "tkafka/consumer", "{topic}", "--group", "{group}")
	if _, err := judge.Await(&judge.Stderr, regexp.MustCompile("all brokers are away"), time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := judge.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-judge.Ended()
	if did := e.commands(); judge.Status() != 0 || !slices.Equal(did, []string{"pause", "unpause"}) {
		t.Errorf("status %d, %q\n%s", judge.Status(), did, &judge.Stderr)
	}
	e.noTopicLeft()
}
