package localcluster_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/tlsconf"
)

// The cluster and a student's credentials folder, and a client that uses both.
func Example() {
	// Make an authority, and start a cluster that trusts it.
	ca, err := issuer.New("example authority", time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	cluster, err := localcluster.Start(ca, embedded.Config{Topics: []string{"client60"}})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	// Write the credentials folder of the student client60.
	dir, err := os.MkdirTemp("", "localcluster")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	auth := filepath.Join(dir, "auth")
	if err := ca.WriteFolder(auth, "client60", cluster.Brokers()); err != nil {
		log.Fatal(err)
	}

	// Connect as this student.
	security, err := tlsconf.Load(auth, "cc2023", nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...), kgo.DialTLSConfig(security))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(cluster.Brokers()), "brokers accept the credentials")

	// Output: 3 brokers accept the credentials
}
