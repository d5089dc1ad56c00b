package tlsconf_test

import (
	"context"
	"crypto/tls"
	"flag"
	"log"
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/tlsconf"
)

// TestMain gives the examples a cluster, and a working directory with a credentials folder. It does neither for
// the fuzzer, which stores what it finds below the working directory.
func TestMain(m *testing.M) {
	if flag.Parse(); flag.Lookup("test.fuzz").Value.String() != "" {
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "tlsconf")
	check(err)
	check(os.Mkdir(dir+"/auth", 0o700))
	for name, sample := range map[string]string{tlsconf.CAFile: "ca.crt", tlsconf.KeystoreFile: "course.p12"} {
		data, err := os.ReadFile("testdata/" + sample)
		check(err)
		check(os.WriteFile(dir+"/auth/"+name, data, 0o600))
	}
	check(os.Chdir(dir))
	security, err := tlsconf.Load("auth", "cc2023", nil)
	check(err)
	certificate, err := security.GetClientCertificate(nil) // of the student, and of the brokers, too
	check(err)
	cluster, err := kfake.NewCluster(kfake.SeedTopics(16, "client60"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{*certificate}, ClientAuth: tls.RequireAnyClientCert}))
	check(err)
	brokers = cluster.ListenAddrs()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DialTLSConfig(security), kgo.DefaultProduceTopic("client60"))
	check(err)
	for _, fruit := range []string{"apple", "pear", "plum"} {
		// The key of Example_producer, so that all messages are in one partition.
		check(client.ProduceSync(context.Background(), kgo.KeyStringRecord("fruit", fruit)).FirstErr())
	}
	client.Close()

	status := m.Run()
	cluster.Close()
	os.Chdir(os.TempDir()) // Windows does not remove the working directory
	os.RemoveAll(dir)
	os.Exit(status)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
