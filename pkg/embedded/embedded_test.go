package embedded

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/issuer"
)

// start runs a cluster for the length of a test.
func start(t *testing.T, config Config) *Cluster {
	t.Helper()
	c, err := Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// client returns a client that connects over a socket.
func client(t *testing.T, c *Cluster, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers()...),
		kgo.RetryTimeout(10 * time.Second),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// classroom makes an authority, and returns the TLS configurations of its brokers and of a student.
func classroom(t *testing.T, student string) (server *tls.Config, asStudent *tls.Config) {
	t.Helper()
	ca, err := issuer.New("test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	broker, err := ca.Broker("localhost", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	identity, err := ca.Client(student)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert())
	return ca.MutualTLS(broker), &tls.Config{
		RootCAs:      roots,
		Certificates: []tls.Certificate{identity},
	}
}

// exchange checks that the cluster works: it sends a message to each partition and receives it.
func exchange(t *testing.T, c *Cluster, topic string, options ...kgo.Opt) {
	t.Helper()
	ctx := deadline(t)
	producer := client(t, c, append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	sent := fmt.Sprintf("%d", time.Now().UnixNano())
	for partition := range int32(DefaultPartitions) {
		record := &kgo.Record{Topic: topic, Partition: partition, Value: []byte(sent)}
		if err := producer.ProduceSync(ctx, record).FirstErr(); err != nil {
			t.Fatalf("partition %d: %v", partition, err)
		}
	}
	consumer := client(t, c, append(options, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	for got := 0; got < DefaultPartitions; {
		fetches := consumer.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) == sent {
				got++
			}
		})
	}
}

func TestMutualTLS(t *testing.T) {
	server, student := classroom(t, "client60")
	c := start(t, Config{Topics: []string{"client60"}, TLS: server})
	for _, broker := range c.Brokers() {
		if host, _, err := net.SplitHostPort(broker); err != nil || host != "localhost" {
			t.Errorf("broker %s is not at localhost:port", broker)
		}
	}
	// InsecureSkipVerify is not set, because the brokers' certificates are valid for localhost.
	exchange(t, c, "client60", kgo.DialTLSConfig(student))

	metadata, err := kadm.NewClient(client(t, c, kgo.DialTLSConfig(student))).Metadata(deadline(t))
	if err != nil {
		t.Fatal(err)
	}
	var advertised []string
	for _, b := range metadata.Brokers {
		advertised = append(advertised, net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port))))
	}
	if got, want := fmt.Sprint(advertised), fmt.Sprint(c.Brokers()); got != want {
		t.Errorf("the brokers advertise %s, want %s", got, want)
	}
	if n := len(metadata.Topics["client60"].Partitions); n != DefaultPartitions {
		t.Errorf("client60 has %d partitions, want %d", n, DefaultPartitions)
	}
}

// The brokers listen on loopback only, at both of its addresses.
func TestAddresses(t *testing.T) {
	c := start(t, Config{Ports: []int{0}})
	for _, socket := range c.listeners[0].sockets {
		if ip := socket.Addr().(*net.TCPAddr).IP; !ip.IsLoopback() {
			t.Errorf("listens at %s", ip)
		}
	}
	if v6, err := net.Listen("tcp6", "[::1]:0"); err == nil {
		v6.Close()
		if n := len(c.listeners[0].sockets); n != 2 {
			t.Errorf("listens at %d addresses on a machine with IPv6", n)
		}
	}
}

func TestPortInUse(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			other, err := net.Listen("tcp", address)
			if err != nil {
				t.Skip("this machine has no such address:", err)
			}
			defer other.Close()
			port := other.Addr().(*net.TCPAddr).Port
			_, err = Start(Config{Ports: []int{0, port}})
			var inUse *PortError
			if !errors.As(err, &inUse) || inUse.Port != port {
				t.Fatalf("got %v, want a PortError for %d", err, port)
			}
		})
	}
}

// A message for a partition of a killed broker waits for its restart. The other partitions work.
func TestBrokerLoss(t *testing.T) {
	const dead = 0
	c := start(t, Config{Topics: []string{"t"}})
	ctx := deadline(t)
	cl := client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(10*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }))
	send := func(partition int32) error {
		return cl.ProduceSync(ctx, &kgo.Record{Topic: "t", Partition: partition}).FirstErr()
	}
	var led, other int32 = -1, -1
	for p := range int32(DefaultPartitions) {
		if c.Kfake().LeaderFor("t", p) == dead {
			led = p
		} else {
			other = p
		}
	}
	if led < 0 || other < 0 {
		t.Skip("kfake chooses leaders at random, and broker 0 leads all partitions or none")
	}
	if err := errors.Join(send(led), send(other)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.Kill(dead); err != nil {
			t.Fatal(err)
		}
		if conn, err := net.Dial("tcp", c.Brokers()[dead]); err == nil {
			conn.Close()
			t.Fatal("a killed broker accepts connections")
		}
		waitUntil(t, "the killed broker has no connections", func() bool { return c.listeners[dead].count() == 0 })
		if err := send(other); err != nil {
			t.Fatal(err)
		}
		waiting := make(chan error, 1)
		cl.Produce(ctx, &kgo.Record{Topic: "t", Partition: led}, func(_ *kgo.Record, err error) { waiting <- err })
		if err := c.Restart(dead); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
	}

	exchange(t, c, "t")
}

// While a broker is down, no client may get its port as the own end of a connection.
func TestPortOfKilledBroker(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("ports are reserved on Unix only")
	}
	c := start(t, Config{})
	const dead, other = 0, 1
	if err := c.Kill(dead); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::1"} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host), Port: c.listeners[dead].port}}
		conn, err := dialer.Dial("tcp", net.JoinHostPort(host, strconv.Itoa(c.listeners[other].port)))
		if err == nil {
			conn.Close()
			t.Errorf("%s: a client got the port of the killed broker", host)
		} else if !isInUse(err) && len(c.listeners[other].sockets) == 2 {
			t.Errorf("%s: %v", host, err)
		}
	}
	if err := c.Restart(dead); err != nil {
		t.Fatal(err)
	}
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.connections)
}

// waitUntil waits until a condition is true.
func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); {
		if time.Now().After(end) {
			t.Fatal("not true after 10 seconds:", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// After a restart, the topics, messages and committed offsets exist, and new topics are created.
func TestDataDir(t *testing.T) {
	dir := t.TempDir() + "/new/data"
	ctx := deadline(t)
	for round := range int64(3) {
		c, err := Start(Config{Topics: []string{"kept", fmt.Sprintf("round%d", round)}, DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		cl, err := c.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		admin := kadm.NewClient(cl)

		committed, err := admin.FetchOffsets(ctx, "readers")
		if err != nil && !(round == 0 && errors.Is(err, kerr.GroupIDNotFound)) {
			t.Fatal(err)
		}
		if offset, _ := committed.Lookup("kept", 3); offset.At != round && round > 0 {
			t.Errorf("round %d: committed is %d, want %d", round, offset.At, round)
		}
		ends, err := admin.ListEndOffsets(ctx, "kept")
		if err != nil {
			t.Fatal(err)
		}
		if end, _ := ends.Lookup("kept", 3); end.Offset != round {
			t.Errorf("round %d: the partition ends at %d, want %d", round, end.Offset, round)
		}
		topics, err := admin.ListTopics(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for before := range round + 1 {
			if name := fmt.Sprintf("round%d", before); len(topics[name].Partitions) != DefaultPartitions {
				t.Errorf("round %d: topic %s has %d partitions", round, name, len(topics[name].Partitions))
			}
		}

		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "kept", Partition: 3, Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		var offsets kadm.Offsets
		offsets.AddOffset("kept", 3, round+1, -1)
		if err := admin.CommitAllOffsets(ctx, "readers", offsets); err != nil {
			t.Fatal(err)
		}
		cl.Close()
		c.Close()
	}
}

func TestDataDirInUse(t *testing.T) {
	dir := t.TempDir()
	first := start(t, Config{DataDir: dir})
	_, err := Start(Config{DataDir: dir})
	var inUse *InUseError
	if !errors.As(err, &inUse) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("got %v, want an InUseError that names %s", err, dir)
	}
	first.Close()
	start(t, Config{DataDir: dir})
}

// A student has the rights of the name in the certificate.
func TestRights(t *testing.T) {
	allow := func(resource kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) kfake.ACL {
		return kfake.ACL{Resource: resource, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: operation, Allow: true}
	}
	rights := map[string][]kfake.ACL{"client60": {
		allow(kmsg.ACLResourceTypeTopic, "client60", kmsg.ACLOperationWrite),
		allow(kmsg.ACLResourceTypeTopic, "client60", kmsg.ACLOperationRead),
		allow(kmsg.ACLResourceTypeGroup, "*", kmsg.ACLOperationRead),
	}}
	for _, test := range []struct {
		student, topic string
		want           error
	}{
		{"client60", "client60", nil},
		{"client60", "client61", kerr.TopicAuthorizationFailed},
		{"client61", "client61", kerr.TopicAuthorizationFailed}, // has no rights
		{"client61", "client60", kerr.TopicAuthorizationFailed},
		{internal, "client60", kerr.TopicAuthorizationFailed}, // the name of the internal user in a certificate gives no rights
	} {
		t.Run(test.student+" to "+test.topic, func(t *testing.T) {
			server, student := classroom(t, test.student)
			c := start(t, Config{Topics: []string{"client60", "client61"}, TLS: server, Rights: rights})
			cl := client(t, c, kgo.DialTLSConfig(student))
			err := cl.ProduceSync(deadline(t), &kgo.Record{Topic: test.topic}).FirstErr()
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			// A client inside the process has all rights.
			inside, err := c.Client()
			if err != nil {
				t.Fatal(err)
			}
			defer inside.Close()
			if err := inside.ProduceSync(deadline(t), &kgo.Record{Topic: "client61"}).FirstErr(); err != nil {
				t.Error("inside the process:", err)
			}
		})
	}
}

func TestCheckTopic(t *testing.T) {
	for name, ok := range map[string]bool{
		"client60": true, "a.b_c-D9": true, strings.Repeat("x", 249): true, "...": true,
		"": false, ".": false, "..": false, "a b": false, "a/b": false, "größe": false, "a\n": false,
		strings.Repeat("x", 250): false,
	} {
		if err := CheckTopic(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := Start(Config{Topics: []string{"a b"}}); err == nil {
		t.Error("a cluster with a topic \"a b\" started")
	}
}

// A client that does not know that its messages were stored sends them again. An idempotent one is
// recognised, and another one is not.
func TestLoseReplies(t *testing.T) {
	c := start(t, Config{Topics: []string{"t"}})
	for name, test := range map[string]struct {
		options []kgo.Opt
		twice   bool
	}{
		"idempotent": {},
		"other":      {[]kgo.Opt{kgo.DisableIdempotentWrite()}, true},
	} {
		var lost atomic.Int32
		c.LoseReplies(func() bool { return lost.Add(1) == 1 })
		before := c.Kfake().PartitionInfo("t", 0).HighWatermark
		cl, err := kgo.NewClient(append(test.options, kgo.SeedBrokers(c.Brokers()...), kgo.MetadataMinAge(50*time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err != nil {
			t.Fatal(err)
		}
		if err := cl.ProduceSync(deadline(t), &kgo.Record{Topic: "t", Value: []byte("x")}).FirstErr(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cl.Close()
		c.LoseReplies(nil)
		if got := c.Kfake().PartitionInfo("t", 0).HighWatermark - before; got != 1 && !test.twice || got != 2 && test.twice {
			t.Errorf("%s: the message is there %d times, and %d answers came", name, got, lost.Load())
		}
	}
}

// A consumer misses nothing when a leader moves, even if it begins at the end of the topic and the new
// leader has no message of its own yet.
func TestLeaderMoves(t *testing.T) {
	c := start(t, Config{Topics: []string{"t"}})
	producer := client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	consumer, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.MetadataMinAge(50*time.Millisecond), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"t": {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(consumer.Close)
	for i := range 5 {
		sent := fmt.Sprint("message ", i)
		if err := producer.ProduceSync(deadline(t), &kgo.Record{Topic: "t", Value: []byte(sent)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for got := ""; got != sent; {
			fetches := consumer.PollFetches(deadline(t))
			if err := fetches.Err(); err != nil {
				t.Fatal(err)
			}
			for _, record := range fetches.Records() {
				got = string(record.Value)
			}
		}
		// The next message is there, and the consumer has not read it, when the leader moves.
		consumer.PauseFetchPartitions(map[string][]int32{"t": {0}})
		if i < 4 {
			if err := producer.ProduceSync(deadline(t), &kgo.Record{Topic: "t", Value: fmt.Append(nil, "moved ", i)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Kfake().MoveTopicPartition("t", 0, (c.Kfake().LeaderFor("t", 0)+1)%3); err != nil {
			t.Fatal(err)
		}
		consumer.ForceMetadataRefresh()
		consumer.ResumeFetchPartitions(map[string][]int32{"t": {0}})
		if i < 4 {
			fetches := consumer.PollFetches(deadline(t))
			if err := fetches.Err(); err != nil || fetches.NumRecords() == 0 || string(fetches.Records()[0].Value) != fmt.Sprint("moved ", i) {
				t.Fatalf("%v: %d messages after the move", err, fetches.NumRecords())
			}
		}
	}
}
