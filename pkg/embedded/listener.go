package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// listener accepts the clients of one broker. It lives longer than the listener that kfake has, so
// that a killed broker can come back at its address.
type listener struct {
	port          int
	tls           *tls.Config
	authenticator *authenticator
	limits        limits
	memory        *memory
	requests      knownRequests // set before serve
	arrived       func(n int)   // a request of n bytes arrived; set before serve

	accepted chan net.Conn               // for kfake
	lose     atomic.Pointer[func() bool] // see Cluster.LoseReplies

	mu          sync.Mutex
	sockets     []net.Listener // nil while the broker is down
	connections map[*connection]struct{}
	down        chan struct{} // closed while the broker is down
	releasePort func()        // ends the reservation of the port, or nil
}

// listen opens a port; 0 means a free port. Clients can connect, but wait until serve is called.
func listen(port int, config *tls.Config, authenticator *authenticator, limits limits, memory *memory) (*listener, error) {
	sockets, err := listenLoopback(port)
	if err != nil {
		return nil, err
	}
	return &listener{
		port:          sockets[0].Addr().(*net.TCPAddr).Port,
		tls:           config,
		authenticator: authenticator,
		limits:        limits,
		memory:        memory,
		arrived:       func(int) {},
		accepted:      make(chan net.Conn),
		sockets:       sockets,
		connections:   make(map[*connection]struct{}),
		down:          make(chan struct{}),
	}, nil
}

// listenLoopback listens at both addresses of localhost, 127.0.0.1 and ::1. Some clients try one of
// them first, some the other. With one address alone, they could find another program at the other.
func listenLoopback(port int) ([]net.Listener, error) {
	for attempt := 1; ; attempt++ {
		v4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return nil, listenError(port, err)
		}
		got := v4.Addr().(*net.TCPAddr).Port
		v6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(got)))
		if err == nil {
			return []net.Listener{v4, v6}, nil
		}
		if !isInUse(err) {
			return []net.Listener{v4}, nil // no IPv6 on this machine
		}
		v4.Close()
		// The system chose a port that is free at 127.0.0.1 only. It may choose another one next time.
		if port != 0 || attempt == 10 {
			return nil, listenError(got, err)
		}
	}
}

// PortError reports that another program uses a port.
type PortError struct{ Port int }

func (e *PortError) Error() string { return fmt.Sprintf("port %d is in use", e.Port) }

func listenError(port int, err error) error {
	if isInUse(err) {
		return &PortError{Port: port}
	}
	return fmt.Errorf("port %d: %w", port, err)
}

func isInUse(err error) bool {
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE, which package syscall does not have
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse)
}

// serve begins to accept clients. It needs the lock, unless nobody else knows the listener yet.
func (l *listener) serve() {
	for _, socket := range l.sockets {
		go l.accept(socket, l.down)
	}
}

func (l *listener) accept(socket net.Listener, down <-chan struct{}) {
	for {
		conn, err := socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// The process has no free file descriptor, or the client has closed the connection already.
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-down:
				return
			}
		}
		l.handOver(newConnection(l, conn))
	}
}

// handOver gives a connection to kfake. It returns false if the broker is down, or goes down meanwhile.
func (l *listener) handOver(c *connection) bool {
	l.mu.Lock()
	down := l.down
	isDown := l.sockets == nil
	if !isDown {
		l.connections[c] = struct{}{}
	}
	l.mu.Unlock()
	if isDown {
		c.Close()
		return false
	}
	select {
	case l.accepted <- c:
		return true
	case <-down:
		c.Close()
		return false
	}
}

func (l *listener) remove(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.connections, c)
}

// dial connects from inside this process.
func (l *listener) dial() (net.Conn, error) {
	client, server := net.Pipe()
	if !l.handOver(newInternalConnection(l, server)) {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: address(l.address()), Err: syscall.ECONNREFUSED}
	}
	return client, nil
}

// kill takes the broker down as the end of its process would: its connections break, and new ones
// are refused. The port stays reserved until restart or close.
func (l *listener) kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets != nil {
		l.takeDown()
		l.releasePort = reservePort(l.port)
	}
}

// close takes the broker down for ever.
func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets != nil {
		l.takeDown()
	}
	l.endReservation()
}

// takeDown needs the lock.
func (l *listener) takeDown() {
	for _, socket := range l.sockets {
		socket.Close()
	}
	l.sockets = nil
	close(l.down)
	for c := range l.connections {
		c.raw.Close()
	}
}

// endReservation needs the lock.
func (l *listener) endReservation() {
	if l.releasePort != nil {
		l.releasePort()
		l.releasePort = nil
	}
}

// restart brings a killed broker back at its port.
func (l *listener) restart() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sockets != nil {
		return nil
	}
	l.endReservation()
	sockets, err := listenLoopback(l.port)
	if err != nil {
		return err
	}
	l.sockets, l.down = sockets, make(chan struct{})
	l.serve()
	return nil
}

func (l *listener) address() string { return net.JoinHostPort("localhost", strconv.Itoa(l.port)) }

// kfakeListener is the listener that kfake has. An error of Accept ends a broker of kfake for ever.
// So Accept fails only after kfake has closed the listener.
type kfakeListener struct {
	*listener
	closed chan struct{}
	once   sync.Once
}

func newKfakeListener(l *listener) *kfakeListener {
	return &kfakeListener{listener: l, closed: make(chan struct{})}
}

func (k *kfakeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-k.accepted:
		return conn, nil
	case <-k.closed:
		return nil, net.ErrClosed
	}
}

// Close also breaks the broker's connections. kfake alone would leave them open.
func (k *kfakeListener) Close() error {
	k.once.Do(func() {
		close(k.closed)
		k.close()
	})
	return nil
}

// Addr is the address that the broker gives to clients (advertised.listeners).
func (k *kfakeListener) Addr() net.Addr { return address(k.address()) }

// address is an address whose host is a name, not an IP address.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
