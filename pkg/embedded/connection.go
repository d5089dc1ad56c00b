package embedded

import (
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxRequest is the largest size of a request in bytes. Real brokers have the same limit
// (socket.request.max.bytes).
const maxRequest = 100 << 20

// limits are how long a connection waits for its client, and what all connections may use.
type limits struct {
	handshake time.Duration // to complete the TLS handshake
	refusal   time.Duration // to read the TLS alert that refuses the client
	idle      time.Duration // to send or receive the next bytes
	memory    int           // bytes, for the requests of all connections
}

var defaultLimits = limits{
	handshake: 10 * time.Second,
	refusal:   time.Second,
	idle:      10 * time.Minute, // connections.max.idle.ms
	memory:    128 << 20,
}

// connection is a client's connection, from which kfake reads and to which it writes. A Read returns
// only bytes of complete requests that passed [knownRequests.check]. At any other request it fails,
// and kfake closes this one connection.
//
// The TLS handshake is part of the first Read, which runs in a goroutine of this connection. So a
// client that is slow, or sends nothing, does not delay the others.
type connection struct {
	net.Conn // raw, or TLS over raw
	raw      net.Conn
	listener *listener
	internal bool // from inside this process: no TLS, no checks, all rights

	authenticated bool
	pending       []byte // the part of the current request that kfake has not read yet
	held          int    // bytes of memory for the current request; belongs to listener.memory
	discard       int    // how many of the next responses are for us, not for the client

	mu       sync.Mutex
	produces map[uint32]bool // correlation IDs of the requests with an answer that may be lost
}

func newConnection(l *listener, raw net.Conn) *connection {
	c := &connection{Conn: raw, raw: raw, listener: l}
	if l.tls != nil {
		c.Conn = tls.Server(raw, l.tls)
	}
	return c
}

func newInternalConnection(l *listener, raw net.Conn) *connection {
	return &connection{Conn: raw, raw: raw, listener: l, internal: true}
}

// Read returns bytes of the current request. After its end, Read waits for the next request.
func (c *connection) Read(p []byte) (int, error) {
	if len(c.pending) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// Write sends a response of kfake to the client. kfake writes each response with one call.
func (c *connection) Write(p []byte) (int, error) {
	if c.discard > 0 {
		c.discard--
		return len(p), nil
	}
	if c.loses(p) {
		c.raw.Close()
		return 0, net.ErrClosed
	}
	if err := c.SetDeadline(time.Now().Add(c.listener.limits.idle)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close may be called twice: kfake closes a connection after reading and after writing.
func (c *connection) Close() error {
	c.listener.remove(c)
	c.listener.memory.release(c)
	return c.Conn.Close()
}

// next sets pending to the next request.
func (c *connection) next() error {
	c.pending = nil
	c.listener.memory.release(c)
	if !c.authenticated {
		if err := c.handshake(); err != nil {
			return err
		}
		c.authenticated = true
		if authenticator := c.listener.authenticator; authenticator != nil {
			user := internal
			if !c.internal {
				user = authenticator.user(c.commonName())
			}
			c.pending, c.discard = authenticator.login(user)
			return nil
		}
	}
	// This also gives a response that is being written more time. The client is alive, so it may have it.
	if err := c.SetDeadline(time.Now().Add(c.listener.limits.idle)); err != nil {
		return err
	}
	request, err := readRequest(c.Conn, func(n int) { c.listener.memory.hold(c, n) })
	if err != nil {
		return err
	}
	if !c.internal {
		if err := c.listener.requests.check(request); err != nil {
			return err
		}
	}
	c.listener.arrived(len(request))
	c.remember(request)
	c.pending = request
	return nil
}

// remember notes a produce request if its answer may be lost (see [Cluster.LoseReplies]).
func (c *connection) remember(request []byte) {
	if c.internal || c.listener.lose.Load() == nil || binary.BigEndian.Uint16(request[4:]) != uint16(kmsg.Produce) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.produces == nil {
		c.produces = make(map[uint32]bool)
	}
	c.produces[binary.BigEndian.Uint32(request[8:])] = true
}

// loses reports whether this response gets lost. Behind its length, it has the request's correlation ID.
func (c *connection) loses(response []byte) bool {
	lose := c.listener.lose.Load()
	if lose == nil || len(response) < 8 {
		return false
	}
	id := binary.BigEndian.Uint32(response[4:])
	c.mu.Lock()
	known := c.produces[id]
	delete(c.produces, id)
	c.mu.Unlock()
	return known && (*lose)()
}

// handshake fails if the client has no certificate of the cluster's authority.
func (c *connection) handshake() error {
	conn, ok := c.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	if err := c.SetDeadline(time.Now().Add(c.listener.limits.handshake)); err != nil {
		return err
	}
	err := conn.Handshake()
	if err != nil {
		c.awaitRefusalRead()
	}
	return err
}

// awaitRefusalRead gives a refused client time to read the TLS alert. If we closed the connection
// with unread bytes of the client, the system would reset it, and the client could lose the alert.
// The student would read "connection reset" instead of "certificate required".
func (c *connection) awaitRefusalRead() {
	tcp, ok := c.raw.(*net.TCPConn)
	if !ok || tcp.CloseWrite() != nil || tcp.SetReadDeadline(time.Now().Add(c.listener.limits.refusal)) != nil {
		return
	}
	io.CopyN(io.Discard, tcp, 64<<10)
}

// commonName returns the common name of the client's certificate. In the course, it is the user.
func (c *connection) commonName() string {
	conn, ok := c.Conn.(*tls.Conn)
	if !ok {
		return anonymous
	}
	certs := conn.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return anonymous
	}
	return certs[0].Subject.CommonName
}

// readRequest reads one request, which begins with its length. The memory that it uses depends on the
// bytes that arrive, not on the length that the client announces. It calls hold before it allocates.
func readRequest(r io.Reader, hold func(n int)) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxRequest {
		return nil, fmt.Errorf("request of %d bytes, but the limit is %d", size, maxRequest)
	}
	const first = 4 << 10
	end := len(length) + int(size)
	request := length[:]
	for len(request) < end {
		n := min(max(first, len(request)), end-len(request))
		hold(n)
		at := len(request)
		request = slices.Grow(request, n)[:at+n]
		if _, err := io.ReadFull(r, request[at:]); err != nil {
			return nil, fmt.Errorf("request of %d bytes is incomplete: %w", size, err)
		}
	}
	return request, nil
}
