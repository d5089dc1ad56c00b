package broker

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// listener is where kfake accepts the clients of one broker. The broker can be killed and come back.
type listener struct {
	cluster  *Cluster
	port     int
	accepted chan net.Conn // for kfake
	closed   chan struct{} // by kfake

	mu          sync.Mutex
	sockets     []net.Listener // nil while the broker is down
	connections map[*connection]bool
}

// Systems give ports above 29,000 to clients. A client, or another cluster of this process, could get the port of a
// killed broker, so each free port is the next one.
var (
	firstPort  = rand.IntN(9_000)
	triedPorts atomic.Int64
)

// listen opens a port; 0 means a free port. Clients can connect, but wait until serve is called.
func listen(cluster *Cluster, port int) (*listener, error) {
	free := port == 0
	for attempt := 1; ; attempt++ {
		if free {
			port = 20_000 + (firstPort+int(triedPorts.Add(1)))%9_000
		}
		sockets, err := listenLoopback(port)
		if err == nil {
			return &listener{
				cluster: cluster, port: port, sockets: sockets, connections: make(map[*connection]bool),
				accepted: make(chan net.Conn), closed: make(chan struct{}),
			}, nil
		}
		if !free || attempt == 100 {
			return nil, err
		}
	}
}

// listenLoopback listens at both addresses of localhost, 127.0.0.1 and ::1. Some clients try one of
// them first, some the other. With one address alone, they could find another program at the other.
func listenLoopback(port int) ([]net.Listener, error) {
	var sockets []net.Listener
	for _, host := range []string{"127.0.0.1", "::1"} {
		socket, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		switch {
		case err == nil:
			sockets = append(sockets, socket)
		case len(sockets) == 0 || isInUse(err):
			closeAll(sockets)
			if isInUse(err) {
				err = fmt.Errorf("port %d is %w", port, ErrInUse)
			}
			return nil, err
		} // otherwise, this machine has no IPv6
	}
	return sockets, nil
}

func closeAll(sockets []net.Listener) {
	for _, socket := range sockets {
		socket.Close()
	}
}

// ErrInUse is in the error about a port that another program uses.
var ErrInUse = errors.New("in use")

func isInUse(err error) bool {
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE, which package syscall does not have
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse)
}

// serve begins to accept clients.
func (l *listener) serve() {
	for _, socket := range l.sockets {
		go func() {
			for {
				raw, err := socket.Accept()
				switch {
				case errors.Is(err, net.ErrClosed):
					return
				case err != nil: // the process has no free file descriptor, or the client has left already
					time.Sleep(50 * time.Millisecond)
				default:
					go l.welcome(raw)
				}
			}
		}()
	}
}

// welcome gives a client to kfake after the TLS handshake. A client that is slow does not delay the others.
func (l *listener) welcome(raw net.Conn) {
	c := l.add(raw)
	if c == nil {
		return
	}
	user := anonymous
	if l.cluster.tls != nil {
		secured := tls.Server(raw, l.cluster.tls)
		raw.SetDeadline(time.Now().Add(10 * time.Second))
		if err := secured.Handshake(); err != nil {
			// If we closed the connection with unread bytes of the client, the system would reset it. The
			// student could then read "connection reset" instead of "certificate required".
			raw.(*net.TCPConn).CloseWrite()
			raw.SetReadDeadline(time.Now().Add(time.Second))
			io.Copy(io.Discard, raw)
			c.Close()
			return
		}
		raw.SetDeadline(time.Time{})
		c.Conn = secured
		if certificates := secured.ConnectionState().PeerCertificates; len(certificates) > 0 {
			user = certificates[0].Subject.CommonName
		}
	}
	l.handOver(c, user)
}

// add makes a connection that breaks when the broker is killed. It returns nil if the broker is down.
func (l *listener) add(raw net.Conn) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets == nil {
		raw.Close()
		return nil
	}
	c := &connection{Conn: raw, raw: raw, listener: l}
	l.connections[c] = true
	return c
}

func (l *listener) handOver(c *connection, user string) {
	login, answers := l.cluster.users.login(user)
	c.login, c.discard = bytes.NewReader(login), answers
	select {
	case l.accepted <- c:
	case <-l.closed:
		c.Close()
	}
}

// dial connects from inside this process.
func (l *listener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	c := l.add(server)
	if c == nil {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: l.Addr(), Err: syscall.ECONNREFUSED}
	}
	go l.handOver(c, l.cluster.users.inside)
	return client, nil
}

// kill takes the broker down as the end of its process would.
func (l *listener) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	closeAll(l.sockets)
	l.sockets = nil
	for c := range l.connections {
		c.raw.Close()
	}
}

// restart brings a killed broker back at its port.
func (l *listener) restart() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets != nil {
		return nil
	}
	for range 100 {
		if l.sockets, err = listenLoopback(l.port); !errors.Is(err, ErrInUse) {
			break
		}
		time.Sleep(20 * time.Millisecond) // a process that starts at this moment has a copy of our socket until its exec
	}
	if err == nil {
		l.serve()
	}
	return err
}

// Accept is what kfake calls. An error would end the broker for ever.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is what kfake calls when it ends. It closes the connections itself, after its files are written.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	closeAll(l.sockets)
	l.sockets = nil
	select {
	case <-l.closed:
	default:
		close(l.closed)
	}
	return nil
}

// Addr is the address that the broker gives to clients (advertised.listeners).
func (l *listener) Addr() net.Addr {
	return address(net.JoinHostPort("localhost", strconv.Itoa(l.port)))
}

// address is an address whose host is a name, not an IP address.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
