package embedded

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// maxRequest is how many bytes a request may have: what a real broker allows
// (socket.request.max.bytes).
const maxRequest = 100 << 20

// limits are how long the guard waits for a client.
type limits struct {
	handshake time.Duration // for TLS to be agreed on
	refusal   time.Duration // for a refused client to read why
	idle      time.Duration // for bytes in either direction
}

var defaultLimits = limits{
	handshake: 10 * time.Second,
	refusal:   time.Second,
	idle:      10 * time.Minute, // connections.max.idle.ms
}

// guard is a client's connection, as kfake reads and writes it. Reading yields nothing but whole
// requests that kfake can survive; at anything else it fails, and kfake drops this one connection.
//
// The TLS handshake happens in the first Read, and so in a goroutine of this connection: a client
// that is slow at it, or never begins, holds up nobody.
type guard struct {
	net.Conn // raw, or TLS over it
	raw      net.Conn
	door     *door
	insider  bool // one of ours: no TLS, not checked, all rights

	admitted bool
	ready    []byte // what kfake has yet to read of the current request
	swallow  int    // how many answers are ours to hear, not the client's
}

func newGuard(d *door, raw net.Conn) *guard {
	g := &guard{Conn: raw, raw: raw, door: d}
	if d.tls != nil {
		g.Conn = tls.Server(raw, d.tls)
	}
	return g
}

func newInsider(d *door, raw net.Conn) *guard {
	return &guard{Conn: raw, raw: raw, door: d, insider: true}
}

// Read hands on the current request, and waits for the next when that is used up.
func (g *guard) Read(p []byte) (int, error) {
	if len(g.ready) == 0 {
		if err := g.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, g.ready)
	g.ready = g.ready[n:]
	return n, nil
}

// Write passes kfake's answers on. kfake writes each with a single call.
func (g *guard) Write(p []byte) (int, error) {
	if g.swallow > 0 {
		g.swallow--
		return len(p), nil
	}
	if err := g.SetDeadline(time.Now().Add(g.door.limits.idle)); err != nil {
		return 0, err
	}
	return g.Conn.Write(p)
}

// Close ends the connection. kfake calls it twice, from its reading and its writing side.
func (g *guard) Close() error {
	g.door.leave(g)
	return g.Conn.Close()
}

// next makes the next request ready to read.
func (g *guard) next() error {
	if !g.admitted {
		if err := g.handshake(); err != nil {
			return err
		}
		g.admitted = true
		if vouch := g.door.vouch; vouch != nil {
			user := insider
			if !g.insider {
				user = vouch.known(g.user())
			}
			g.ready, g.swallow = vouch.introduce(user)
			return nil
		}
	}
	// Also moves the deadline of an answer on its way, which is right: the client is alive.
	if err := g.SetDeadline(time.Now().Add(g.door.limits.idle)); err != nil {
		return err
	}
	request, err := readRequest(g.Conn)
	if err != nil {
		return err
	}
	if !g.insider {
		if err := g.door.rules.check(request); err != nil {
			return err
		}
	}
	g.ready = request
	return nil
}

// handshake lets in who shows a certificate that the cluster takes.
func (g *guard) handshake() error {
	conn, ok := g.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	if err := g.SetDeadline(time.Now().Add(g.door.limits.handshake)); err != nil {
		return err
	}
	err := conn.Handshake()
	if err != nil {
		g.linger()
	}
	return err
}

// linger waits a moment for a refused client to read why. Closing at once, with bytes of the client
// unread, would reset the connection, and a reset can overtake the reason: the student would see
// "connection reset" instead of "certificate required".
func (g *guard) linger() {
	tcp, ok := g.raw.(*net.TCPConn)
	if !ok || tcp.CloseWrite() != nil || tcp.SetReadDeadline(time.Now().Add(g.door.limits.refusal)) != nil {
		return
	}
	io.CopyN(io.Discard, tcp, 64<<10)
}

// user is who the client is: the common name of its certificate, as in the course.
func (g *guard) user() string {
	conn, ok := g.Conn.(*tls.Conn)
	if !ok {
		return anonymous
	}
	certs := conn.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return anonymous
	}
	return certs[0].Subject.CommonName
}

// readRequest reads one request with its length in front. Its memory grows with the bytes that come
// in, never with the length they announce.
func readRequest(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(length[:])
	if size > maxRequest {
		return nil, fmt.Errorf("a request of %d bytes is announced, more than the %d allowed", size, maxRequest)
	}
	var request bytes.Buffer
	request.Write(length[:])
	if n, err := io.CopyN(&request, r, int64(size)); err != nil {
		return nil, fmt.Errorf("%d of %d bytes of a request: %w", n, size, err)
	}
	return request.Bytes(), nil
}
