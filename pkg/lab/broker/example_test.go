package broker_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/issuer"
	"tkafka/pkg/tlsconf"
)

// A cluster and a student's credentials folder, and a client that uses both.
func Example() {
	// Make an authority, and start a cluster that trusts it.
	ca, err := issuer.New("example authority", time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	cluster, err := broker.Start(broker.Config{CA: ca, Topics: []string{"client60"}})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()

	// Write the credentials folder of the student client60.
	auth, err := os.MkdirTemp("", "auth")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(auth)
	if err := ca.WriteFolder(auth, "client60", cluster.Brokers()); err != nil {
		log.Fatal(err)
	}

	// Connect as this student.
	config, err := tlsconf.Load(auth, "cc2023", nil)
	if err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.Brokers()...), kgo.DialTLSConfig(config))
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
