package deliver

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/settings"
)

// All brokers are gone for good while lines come from a pipe. The producer ends, and its numbers are right.
func TestGiveUp(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = 3 * time.Second
	ca, brokers := start(t)
	defer brokers.Close()
	err := produce(t, ca, brokers, func(answers int, lines *os.File) {
		if answers == 2 {
			for broker := range brokers.Brokers() {
				brokers.Kill(int32(broker))
			}
			fmt.Fprintln(lines, "three\nfour\nfive")
		}
	})
	if want := "no acknowledgement for 3s: 2 messages delivered, 3 sent but not acknowledged"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// The brokers stop, and Docker accepts connections for them and closes each at once. The lines wait.
func TestClosedConnections(t *testing.T) {
	ca, brokers := start(t)
	err := produce(t, ca, brokers, func(answers int, lines *os.File) {
		if answers == 2 {
			brokers.Close()
			go func() {
				closeConnections(t, brokers.Brokers(), 6)
				ports := make([]int, len(brokers.Brokers()))
				for i, address := range brokers.Brokers() {
					fmt.Sscanf(address, "localhost:%d", &ports[i])
				}
				again, err := localcluster.Start(ca, embedded.Config{Topics: []string{"t"}, Ports: ports})
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(again.Close)
			}()
			fmt.Fprint(lines, strings.Repeat("more\n", 50))
			lines.Close()
		}
	})
	if err != nil {
		t.Error(err)
	}
}

// closeConnections accepts so many connections at the addresses, and closes each at once.
func closeConnections(t *testing.T, addresses []string, most int) {
	closed := make(chan bool, 1000)
	for _, address := range addresses {
		listener, err := net.Listen("tcp", strings.Replace(address, "localhost", "127.0.0.1", 1))
		if err != nil {
			t.Error(err)
			return
		}
		defer listener.Close()
		go func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				conn.Close()
				closed <- true
			}
		}()
	}
	for range most {
		<-closed
	}
}

func start(t *testing.T) (*issuer.CA, *embedded.Cluster) {
	ca, err := issuer.New("test authority", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := localcluster.Start(ca, embedded.Config{Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	return ca, brokers
}

// produce does what the program producer does. The standard input begins with two lines, and answered
// may write more after each answer. It returns the result.
func produce(t *testing.T, ca *issuer.CA, brokers *embedded.Cluster, answered func(answers int, lines *os.File)) error {
	folder := filepath.Join(t.TempDir(), "auth")
	if err := ca.WriteFolder(folder, "student", brokers.Brokers()); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KAFKA_KEYSTORE_PASSWORD", settings.DefaultPassword) // the shell may have another value
	found, err := settings.InFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	stdin, lines, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close()
	defer func(before *os.File) { os.Stdin = before }(os.Stdin)
	os.Stdin = stdin

	program := cli.New("producer <topic>", "", "")
	here, err := cluster.Open(t.Context(), program, found, cluster.Needs{Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	input := Stdin(program, here)
	client, err := kgo.NewClient(append(input.Options(),
		kgo.SeedBrokers(here.Brokers...), kgo.DialTLSConfig(here.TLS), kgo.DefaultProduceTopic("t"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answers := 0
	fmt.Fprintln(lines, "one\ntwo")
	for number, line := range input.Lines(t.Context(), client) {
		client.Produce(t.Context(), &kgo.Record{Key: fmt.Append(nil, number), Value: line}, func(message *kgo.Record, err error) {
			input.Acknowledged(number, message, err)
			answers++
			answered(answers, lines)
		})
	}
	client.Flush(t.Context())
	return input.Result()
}
