package classroom

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// On a cluster with auto.create.topics.enable=true, a request for metadata can create a topic. The programs
// never send such a request: a misspelt name is an error, and no new topic.
func TestMisspeltTopic(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles and runs every program")
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.AllowAutoTopicCreation(), kfake.SeedTopics(16, "client60"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var creating atomic.Int32
	cluster.ControlKey(kmsg.Metadata.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if request.(*kmsg.MetadataRequest).AllowAutoTopicCreation {
			creating.Add(1)
		}
		return nil, nil, false
	})
	dir := t.TempDir()
	for name, text := range map[string]string{"ca.crt": "", "client-ssl.properties": "security.protocol=PLAINTEXT\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(most time.Duration, program string, args ...string) (output string, status int) {
		ctx, cancel := context.WithTimeout(t.Context(), most)
		defer cancel()
		command := exec.CommandContext(ctx, program, args...)
		command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
		command.Env = append(os.Environ(), "KAFKA_AUTH="+dir, "KAFKA_BROKERS="+strings.Join(cluster.ListenAddrs(), ","))
		command.Stdin = strings.NewReader("line\n")
		out, err := command.CombinedOutput()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return string(out), exit.ExitCode()
		}
		return string(out), 0
	}
	for folder := range sections(t) {
		program := filepath.Join(t.TempDir(), "program")
		if out, err := exec.Command("go", "build", "-o", program, "tkafka/"+folder).CombinedOutput(); err != nil {
			t.Fatalf("%s: %s", folder, out)
		}
		for topic, test := range map[string]struct {
			most   time.Duration // a consumer of a topic that exists runs until it is stopped
			status int
		}{"client6O": {30 * time.Second, 1}, "client60": {2 * time.Second, 0}} {
			output, status := run(test.most, program, topic)
			if status == 2 { // it needs a second argument: a policy, or a group
				output, status = run(test.most, program, topic, "earliest")
			}
			if status != test.status {
				t.Errorf("%s %s: status %d\n%s", folder, topic, status, output)
			}
		}
	}
	if n := creating.Load(); n > 0 {
		t.Errorf("%d requests would create a topic", n)
	}

	// The test sees a client that creates topics.
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topics, err := kadm.NewClient(client).ListTopics(t.Context())
	if err != nil || len(topics.Names()) != 1 {
		t.Errorf("the topics are %v, %v", topics.Names(), err)
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "client6O"}).FirstErr(); err != nil || creating.Load() == 0 {
		t.Errorf("this client created no topic: %v", err)
	}
}
