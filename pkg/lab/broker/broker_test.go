package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/lab/issuer"
)

// start runs a cluster with a topic t for the length of a test.
func start(t *testing.T, config Config) *Cluster {
	t.Helper()
	config.Topics = append(config.Topics, "t")
	c, err := Start(config)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// connect returns a client that connects over a socket, and a message can go to partition 0.
func connect(t *testing.T, c *Cluster, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MetadataMinAge(10 * time.Millisecond), kgo.FetchMaxWait(100 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }),
	}, options...)...)
	must(t, err)
	t.Cleanup(client.Close)
	return client
}

func send(t *testing.T, client *kgo.Client, partition int32, text string) error {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return client.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: partition, Value: []byte(text)}).FirstErr()
}

func receive(t *testing.T, client *kgo.Client) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		fetches := client.PollRecords(ctx, 1)
		must(t, fetches.Err())
		for _, record := range fetches.Records() {
			return string(record.Value)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// classroom makes an authority, and the TLS configuration of one of its students.
func classroom(t *testing.T, student string) (*issuer.CA, *tls.Config) {
	t.Helper()
	ca, err := issuer.New("test", time.Hour)
	must(t, err)
	identity, err := ca.Client(student)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert())
	return ca, &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{identity}}
}

// The brokers' certificates are valid for the addresses that they advertise.
func TestMutualTLS(t *testing.T) {
	ca, student := classroom(t, "client60")
	c := start(t, Config{CA: ca})
	client := connect(t, c, kgo.DialTLSConfig(student), kgo.ConsumeTopics("t"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for partition := range int32(DefaultPartitions) {
		must(t, send(t, client, partition, "hello"))
	}
	for range DefaultPartitions {
		if got := receive(t, client); got != "hello" {
			t.Errorf("received %q", got)
		}
	}
}

// A client without a certificate can always read why it is refused, although it has sent something.
func TestRefused(t *testing.T) {
	ca, student := classroom(t, "client60")
	student.Certificates = nil
	c := start(t, Config{CA: ca})
	for range 20 {
		conn, err := tls.Dial("tcp", c.Brokers()[0], student)
		must(t, err)
		conn.Write(make([]byte, 1000))
		if _, err := conn.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Errorf("got %v", err)
		}
		conn.Close()
	}
}

// Localhost has two addresses.
func TestPortInUse(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		other, err := net.Listen("tcp", address)
		if err != nil {
			continue // this machine has no such address
		}
		defer other.Close()
		port := other.Addr().(*net.TCPAddr).Port
		_, err = Start(Config{Ports: []int{0, port}})
		if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), fmt.Sprint("port ", port, " ")) {
			t.Errorf("%s: got %v, want ErrInUse for %d", address, err, port)
		}
	}
}

// A message for a partition of a killed broker waits for its restart. The other partitions work.
func TestKill(t *testing.T) {
	const dead = 0
	c := start(t, Config{})
	must(t, c.Kfake().MoveTopicPartition("t", 0, dead))
	must(t, c.Kfake().MoveTopicPartition("t", 1, 1))
	client := connect(t, c)
	inside, err := c.Client()
	must(t, err)
	defer inside.Close()
	must(t, errors.Join(send(t, client, 0, "a"), send(t, client, 1, "b"), inside.Ping(t.Context())))
	for range 3 {
		open, err := net.Dial("tcp", c.Brokers()[dead])
		must(t, err)
		must(t, c.Kill(dead))
		if _, err := io.ReadAll(open); err == nil { // the connection breaks: its end or a reset
			open.Close()
		}
		if conn, err := net.Dial("tcp", c.Brokers()[dead]); err == nil {
			conn.Close()
			t.Error("a killed broker accepts connections")
		}
		if _, err := c.Dial(t.Context(), "", c.Brokers()[dead]); err == nil {
			t.Error("a killed broker accepts connections from inside")
		}
		must(t, send(t, client, 1, "d"))
		waiting := make(chan error, 1)
		client.Produce(t.Context(), &kgo.Record{Topic: "t", Value: []byte("c")}, func(_ *kgo.Record, err error) { waiting <- err })
		must(t, c.Restart(dead))
		must(t, <-waiting)
	}
}

// A student has the rights of the name in the certificate. A client inside the process has all rights.
func TestRights(t *testing.T) {
	rights := map[string][]kfake.ACL{"client60": {{
		Resource: kmsg.ACLResourceTypeTopic, Name: "t", Pattern: kmsg.ACLResourcePatternTypeLiteral,
		Operation: kmsg.ACLOperationWrite, Allow: true,
	}}}
	for name, want := range map[string]error{"client60": nil, "client61": kerr.TopicAuthorizationFailed, "": kerr.TopicAuthorizationFailed} {
		ca, student := classroom(t, name)
		c := start(t, Config{CA: ca, Rights: rights})
		if err := send(t, connect(t, c, kgo.DialTLSConfig(student)), 0, ""); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
		inside, err := c.Client()
		must(t, err)
		must(t, send(t, inside, 0, ""))
		inside.Close()
	}
}

// A consumer misses nothing when a leader moves, even if it begins at the end of the topic and the new
// leader has no message of its own yet.
func TestLeaderMoves(t *testing.T) {
	c := start(t, Config{})
	producer := connect(t, c)
	consumer := connect(t, c, kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().AtStart()}}))
	partition := map[string][]int32{"t": {0}}
	for i := range 4 {
		for _, when := range []string{"before", "while"} {
			sent := fmt.Sprint(when, i)
			must(t, send(t, producer, 0, sent))
			if when == "while" { // the message is there, and not read, when the leader moves
				must(t, c.Kfake().MoveTopicPartition("t", 0, (c.Kfake().LeaderFor("t", 0)+1)%3))
				consumer.ForceMetadataRefresh()
				consumer.ResumeFetchPartitions(partition)
			}
			if got := receive(t, consumer); got != sent {
				t.Fatalf("received %q, want %q", got, sent)
			}
			if when == "before" {
				consumer.PauseFetchPartitions(partition)
			}
		}
	}
}
