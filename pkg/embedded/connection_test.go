package embedded

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// dial connects to the first broker. It uses TLS if config is not nil.
func dial(t *testing.T, c *Cluster, config *tls.Config) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", c.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		config = config.Clone()
		config.ServerName = "localhost"
		conn = tls.Client(conn, config)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

// header is the beginning of a request, with the length that it announces, an API key and a version.
func header(size uint32, key, version int16) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = kbin.AppendInt16(b, key)
	b = kbin.AppendInt16(b, version)
	b = kbin.AppendInt32(b, 1)               // correlation ID
	return kbin.AppendNullableString(b, nil) // client ID
}

// readAll reads until the broker closes the connection, and returns what it received. If the broker does
// not close the connection, the test fails.
func readAll(t *testing.T, conn net.Conn) []byte {
	t.Helper()
	response, err := io.ReadAll(conn)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the broker does not close the connection")
	}
	return response
}

// A client that sends something wrong loses its connection, and the cluster continues.
func TestBadClients(t *testing.T) {
	server, student := classroom(t, "client60")
	c := start(t, Config{Topics: []string{"t"}, TLS: server})
	stranger, _ := classroom(t, "stranger") // of another authority

	for _, test := range []struct {
		name string
		tls  *tls.Config // nil: no TLS
		send []byte
	}{
		{"unknown API key", student, header(10, 999, 0)},
		{"negative API key", student, header(10, -1, 0)},
		{"API key unknown to kfake", student, header(10, kmsg.ControlledShutdown.Int16(), 0)},
		{"unknown version", student, header(10, kmsg.Metadata.Int16(), 99)},
		{"negative version", student, header(10, kmsg.Metadata.Int16(), -1)},
		{"password login", student, header(10, kmsg.SASLHandshake.Int16(), 1)},
		{"1 GiB announced", student, header(1<<30, kmsg.Produce.Int16(), 9)},
		{"4 GiB announced", student, header(1<<32-1, kmsg.Produce.Int16(), 9)},
		{"nothing announced", student, header(0, kmsg.Produce.Int16(), 9)},
		{"incomplete header", student, header(9, kmsg.Produce.Int16(), 9)},
		{"client ID longer than the request", student, append(header(10, kmsg.Metadata.Int16(), 1)[:12], 0x7f, 0xff)},
		{"four billion tags", student, append(header(15, kmsg.ApiVersions.Int16(), 3), 0xff, 0xff, 0xff, 0xff, 0x0f)},
		{"plain HTTP", nil, []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"plain Kafka", nil, header(10, kmsg.ApiVersions.Int16(), 0)},
		{"zeros", nil, make([]byte, 4096)},
		{"no client certificate", &tls.Config{RootCAs: student.RootCAs}, header(10, kmsg.ApiVersions.Int16(), 0)},
		{"client certificate of another authority", &tls.Config{RootCAs: student.RootCAs, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return &stranger.Certificates[0], nil
		}}, header(10, kmsg.ApiVersions.Int16(), 0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn := dial(t, c, test.tls)
			conn.Write(test.send)
			readAll(t, conn)
			exchange(t, c, "t", kgo.DialTLSConfig(student))
		})
	}

	t.Run("HTTP client", func(t *testing.T) {
		web := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
		if response, err := web.Get("http://" + c.Brokers()[0]); err == nil {
			response.Body.Close()
			t.Error("the broker answered an HTTP request")
		}
	})
	t.Run("hundreds at once", func(t *testing.T) {
		for i := range 300 {
			conn := dial(t, c, nil)
			conn.Write(make([]byte, i%7)) // some begin a handshake and never complete it
		}
		exchange(t, c, "t", kgo.DialTLSConfig(student))
	})
}

// A web page can make a browser send HTTP or TLS to a broker without TLS. The broker closes the
// connection without a response.
func TestBrowser(t *testing.T) {
	c := start(t, Config{Ports: []int{0}, Topics: []string{"t"}})
	for name, request := range map[string]string{
		"GET":  "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
		"POST": "POST / HTTP/1.1\r\nContent-Length: 14\r\n\r\n" + string(header(10, kmsg.Metadata.Int16(), 1)),
		"TLS":  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", // a ClientHello begins like this
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, c, nil)
			conn.Write([]byte(request))
			if response := readAll(t, conn); len(response) > 0 {
				t.Errorf("the broker sent %d bytes", len(response))
			}
		})
	}
	exchange(t, c, "t")
}

// A refused student reads the reason, not "connection reset by peer", also after sending a lot.
func TestRefusalIsReported(t *testing.T) {
	server, student := classroom(t, "client60")
	patient := defaultLimits
	patient.refusal = 10 * time.Second // a busy machine needs time for what follows
	c := start(t, Config{Ports: []int{0}, TLS: server, limits: patient})
	for range 20 {
		conn := dial(t, c, &tls.Config{RootCAs: student.RootCAs})
		for range 400 {
			if _, err := conn.Write(make([]byte, 100)); err != nil {
				t.Fatal("while writing:", err)
			}
		}
		_, err := conn.Read(make([]byte, 1))
		if err == nil || !strings.Contains(err.Error(), "certificate required") {
			t.Fatalf("got %v, want certificate required", err)
		}
	}
}

// The broker does not allocate the memory that a request only announces.
func TestAnnouncedSizeIsNotAllocated(t *testing.T) {
	c := start(t, Config{Ports: []int{0}})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		conn := dial(t, c, nil)
		conn.Write(header(maxRequest, kmsg.Produce.Int16(), 9))
		conn.(*net.TCPConn).CloseWrite()
		readAll(t, conn)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 10<<20 {
		t.Errorf("%d MiB allocated for 10 requests without a body", grown>>20)
	}
}

// Clients that send most of a large request and then stop use limited memory. They lose their connections,
// and a client with a small request does not.
func TestIncompleteRequests(t *testing.T) {
	limited := defaultLimits
	limited.memory = 8 << 20
	c := start(t, Config{Ports: []int{0}, Topics: []string{"t"}, limits: limited})
	honest := dial(t, c, nil)
	request := kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrMetadataRequest(), 1)
	honest.Write(request[:len(request)/2])
	waitUntil(t, "half of the small request arrived", func() bool { return c.memory.used() > 0 })

	var greedy []net.Conn
	for range 20 {
		conn := dial(t, c, nil)
		greedy = append(greedy, conn)
		conn.Write(header(maxRequest, kmsg.Produce.Int16(), 9))
		conn.Write(make([]byte, 3<<20)) // fails if the broker closes the connection
		if used := c.memory.used(); used > limited.memory {
			t.Fatalf("requests use %d MiB", used>>20)
		}
	}
	honest.Write(request[len(request)/2:])
	if _, err := honest.Read(make([]byte, 1)); err != nil {
		t.Error("the small request has no response:", err)
	}
	exchange(t, c, "t")
	for _, conn := range greedy {
		conn.Close()
	}
	waitUntil(t, "no request is incomplete", func() bool { return c.memory.used() < 64<<10 })
}

func (m *memory) used() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sum
}

// A broker closes a connection whose client stops, at any step.
func TestHalfOpenConnectionsEnd(t *testing.T) {
	server, student := classroom(t, "client60")
	c := start(t, Config{Ports: []int{0}, Topics: []string{"t"}, TLS: server, limits: limits{
		handshake: 100 * time.Millisecond,
		refusal:   10 * time.Millisecond,
		idle:      500 * time.Millisecond,
		memory:    defaultLimits.memory,
	}})
	for name, begin := range map[string]func() net.Conn{
		"sends nothing": func() net.Conn { return dial(t, c, nil) },
		"begins a handshake": func() net.Conn {
			conn := dial(t, c, nil)
			conn.Write([]byte{22, 3, 1, 2, 0, 1}) // the first bytes of a ClientHello
			return conn
		},
		"sends no request": func() net.Conn {
			conn := dial(t, c, student)
			conn.(*tls.Conn).Handshake()
			return conn
		},
		"begins a request": func() net.Conn {
			conn := dial(t, c, student)
			conn.Write(header(1000, kmsg.Metadata.Int16(), 1))
			return conn
		},
	} {
		t.Run(name, func(t *testing.T) {
			readAll(t, begin())
			waitUntil(t, "the broker has no connection", func() bool { return c.listeners[0].count() == 0 })
		})
	}
	t.Run("disappears", func(t *testing.T) {
		for range 20 {
			conn := dial(t, c, student)
			conn.(*tls.Conn).Handshake()
			conn.(*tls.Conn).NetConn().Close()
		}
		waitUntil(t, "the broker has no connection", func() bool { return c.listeners[0].count() == 0 })
	})
}

// An error of Accept, such as "too many open files", does not end a broker.
func TestAcceptContinuesAfterErrors(t *testing.T) {
	c := start(t, Config{Ports: []int{0}})
	ours, theirs := net.Pipe()
	defer ours.Close()
	socket := &faultySocket{errs: 2, conn: theirs, closed: make(chan struct{})}
	defer socket.Close()
	l := c.listeners[0]
	go l.accept(socket, l.down)

	ours.SetDeadline(time.Now().Add(10 * time.Second))
	go ours.Write(header(10, kmsg.ApiVersions.Int16(), 0))
	if _, err := ours.Read(make([]byte, 4)); err != nil {
		t.Error("no response after errors of Accept:", err)
	}
}

type faultySocket struct {
	errs   int
	conn   net.Conn
	closed chan struct{}
}

func (s *faultySocket) Accept() (net.Conn, error) {
	if s.errs > 0 {
		s.errs--
		return nil, errors.New("too many open files")
	}
	if s.conn != nil {
		conn := s.conn
		s.conn = nil
		return conn, nil
	}
	<-s.closed
	return nil, net.ErrClosed
}

func (s *faultySocket) Close() error { close(s.closed); return nil }

func (s *faultySocket) Addr() net.Addr { return address("faulty") }

// These requests are well-formed, but would end kfake.
func TestBadRequests(t *testing.T) {
	c := start(t, Config{Ports: []int{0}, Topics: []string{"t"}})
	for name, request := range map[string]kmsg.Request{
		"the same partition twice": produce(11, 0, 0),
		"topics by ID": func() kmsg.Request {
			r := produce(13, 0)
			other := r.Topics[0]
			other.TopicID[0] = 1
			r.Topics = append(r.Topics, other)
			return r
		}(),
		"two billion partitions": func() kmsg.Request {
			r := kmsg.NewPtrCreateTopicsRequest()
			r.Version = 5
			topic := kmsg.NewCreateTopicsRequestTopic()
			topic.Topic, topic.NumPartitions, topic.ReplicationFactor = "huge", 1<<31-1, 1
			r.Topics = append(r.Topics, topic)
			return r
		}(),
		"two billion partitions for an existing topic": func() kmsg.Request {
			r := kmsg.NewPtrCreatePartitionsRequest()
			topic := kmsg.NewCreatePartitionsRequestTopic()
			topic.Topic, topic.Count = "t", 1<<31-1
			r.Topics = append(r.Topics, topic)
			return r
		}(),
		"broker setting with an interval of 0": func() kmsg.Request {
			r := kmsg.NewPtrIncrementalAlterConfigsRequest()
			resource := kmsg.NewIncrementalAlterConfigsRequestResource()
			resource.ResourceType = kmsg.ConfigResourceTypeBroker
			config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			config.Name, config.Value = "log.cleaner.backoff.ms", kmsg.StringPtr("0")
			resource.Configs = append(resource.Configs, config)
			r.Resources = append(r.Resources, resource)
			return r
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, c, nil)
			conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, request, 1))
			if response := readAll(t, conn); len(response) > 0 {
				t.Errorf("the broker sent %d bytes", len(response))
			}
			exchange(t, c, "t")
		})
	}
}

// produce is a Produce request for these partitions of topic t.
func produce(version int16, partitions ...int32) *kmsg.ProduceRequest {
	r := kmsg.NewPtrProduceRequest()
	r.Version = version
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = "t"
	for _, p := range partitions {
		partition := kmsg.NewProduceRequestTopicPartition()
		partition.Partition = p
		topic.Partitions = append(topic.Partitions, partition)
	}
	r.Topics = append(r.Topics, topic)
	return r
}

// One request may name partition 0 of two topics.
func TestTwoTopicsInOneRequest(t *testing.T) {
	c := start(t, Config{Ports: []int{0}, Topics: []string{"t", "u"}})
	cl := client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(50*time.Millisecond))
	if err := cl.ProduceSync(deadline(t), &kgo.Record{Topic: "t"}, &kgo.Record{Topic: "u"}).FirstErr(); err != nil {
		t.Error(err)
	}
}

// No request moves the end of a partition back.
func TestBatchWithoutRecords(t *testing.T) {
	c := start(t, Config{Ports: []int{0}, Topics: []string{"t"}})
	batch := kmsg.RecordBatch{Magic: 2, NumRecords: -5, LastOffsetDelta: -6, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1}
	r := produce(11, 0)
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	r.Topics[0].Partitions[0].Records = batch.AppendTo(nil)
	conn := dial(t, c, nil)
	conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, r, 1))
	if response := readAll(t, conn); len(response) > 0 {
		t.Errorf("the broker sent %d bytes", len(response))
	}
}

// A client that is newer than the cluster gets the versions of the cluster, and can use these.
func TestNewerClient(t *testing.T) {
	c := start(t, Config{Ports: []int{0}})
	conn := dial(t, c, nil)
	request := header(19, kmsg.ApiVersions.Int16(), 99)
	// The tags of the header; the name, version, cluster and node of the client; the tags of the body.
	conn.Write(append(request, 0, 1, 1, 0, 0xff, 0xff, 0xff, 0xff, 0))
	response := make([]byte, 10)
	if _, err := io.ReadFull(conn, response); err != nil {
		t.Fatal(err)
	}
	if code := int16(binary.BigEndian.Uint16(response[8:])); code != kerr.UnsupportedVersion.Code {
		t.Errorf("the error code is %d, want UNSUPPORTED_VERSION", code)
	}
}

// The cluster survives random requests of every kind that kfake knows. A quarter of them is damaged.
func TestRandomRequests(t *testing.T) {
	const seed, rounds = 60, 4000
	c := start(t, Config{Ports: []int{0}, Topics: []string{"t", "u"}})
	random := rand.New(rand.NewPCG(seed, seed))
	var keys []int16
	for key := range int16(200) {
		if _, ok := c.listeners[0].requests[key]; ok {
			keys = append(keys, key)
		}
	}
	if len(keys) < 30 {
		t.Fatalf("kfake knows only %d requests", len(keys))
	}
	conn := dial(t, c, nil)
	for range rounds {
		key := keys[random.IntN(len(keys))]
		versions := c.listeners[0].requests[key]
		request := kmsg.RequestForKey(key)
		request.SetVersion(versions.min + int16(random.IntN(int(versions.max-versions.min)+1)))
		fill(random, reflect.ValueOf(request).Elem(), "")
		frame := kmsg.NewRequestFormatter().AppendRequest(nil, request, 1)
		if body := frame[14:]; len(body) > 0 && random.IntN(4) == 0 {
			for range 1 + random.IntN(4) {
				body[random.IntN(len(body))] = byte(random.IntN(128))
			}
		}
		conn.Write(frame)
		conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond)) // some requests wait for members or messages
		if _, err := readRequest(conn, func(int) {}); err != nil {
			conn.Close()
			conn = dial(t, c, nil)
		}
	}
	exchange(t, c, "u")
}

// fill sets the fields of a request to random values. Many are plausible, some are not.
func fill(random *rand.Rand, v reflect.Value, name string) {
	pick := func(n int) bool { return random.IntN(n) == 0 }
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Name != "Version" && field.Name != "UnknownTags" {
				fill(random, v.Field(i), field.Name)
			}
		}
	case reflect.Pointer:
		if !pick(3) {
			v.Set(reflect.New(v.Type().Elem()))
			fill(random, v.Elem(), name)
		}
	case reflect.Slice:
		if !pick(8) {
			n := random.IntN(4)
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(random, v.Index(i), name)
			}
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(random, v.Index(i), name)
		}
	case reflect.String:
		words := []string{"t", "t", "t", "v", "g", "g", "", "range", "consumer", "txn", "compact", "cleanup.policy", "retention.ms", "-1", "0", "/", "../../x"}
		v.SetString(words[random.IntN(len(words))])
	case reflect.Bool:
		v.SetBool(pick(2))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		numbers := []int64{0, 0, 1, 1, 2, 3, -1, -1, -2, 100, 6000, 45000, 1<<15 - 1, 1<<31 - 1, -1 << 31, 1<<63 - 1, -1 << 63}
		if n := numbers[random.IntN(len(numbers))]; !v.OverflowInt(n) {
			v.SetInt(n)
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(random.IntN(256)))
	case reflect.Float64:
		v.SetFloat([]float64{0, -1, 1e308}[random.IntN(3)])
	}
}
