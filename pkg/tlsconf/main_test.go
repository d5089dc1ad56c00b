package tlsconf_test

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
)

// TestMain gives the examples a cluster, and a working directory with a credentials folder. It does
// neither during fuzzing, which stores what it finds below the working directory.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run())
	}
	stop, err := startCluster()
	if err != nil {
		log.Fatal(err)
	}
	status := m.Run()
	stop()
	os.Exit(status)
}

func startCluster() (stop func(), err error) {
	ca, err := issuer.New("tkafka examples", time.Hour)
	if err != nil {
		return nil, err
	}
	cluster, err := localcluster.Start(ca, embedded.Config{Topics: []string{"client60"}})
	if err != nil {
		return nil, err
	}
	brokers = cluster.Brokers()
	dir, err := os.MkdirTemp("", "tlsconf")
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(dir); err != nil {
		return nil, err
	}
	if err := ca.WriteFolder("auth", "client60", brokers); err != nil {
		return nil, err
	}
	client, err := cluster.Client(kgo.DefaultProduceTopic("client60"))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	for _, fruit := range []string{"apple", "pear", "plum"} {
		// The key of Example_producer, so that all messages are in one partition.
		message := kgo.KeyStringRecord("fruit", fruit)
		if err := client.ProduceSync(context.Background(), message).FirstErr(); err != nil {
			return nil, fmt.Errorf("message %s: %w", fruit, err)
		}
	}
	return func() {
		cluster.Close()
		os.Chdir(os.TempDir()) // Windows does not remove the working directory
		os.RemoveAll(dir)
	}, nil
}
