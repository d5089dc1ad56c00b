package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// door is the way into one broker: the sockets that clients reach it at, and everyone inside. It
// outlives what kfake takes for its listener, so that a broker can die and come back at its address.
type door struct {
	port   int
	tls    *tls.Config
	vouch  *voucher
	limits limits
	rules  rules // set before serve

	arrivals chan net.Conn // on their way to kfake

	mu      sync.Mutex
	sockets []net.Listener
	inside  map[*guard]struct{}
	down    chan struct{} // closed while clients are refused
}

// openDoor takes a port, 0 for a free one. Clients queue up there until serve lets them in.
func openDoor(port int, config *tls.Config, vouch *voucher, limits limits) (*door, error) {
	sockets, err := listenLoopback(port)
	if err != nil {
		return nil, err
	}
	return &door{
		port:     sockets[0].Addr().(*net.TCPAddr).Port,
		tls:      config,
		vouch:    vouch,
		limits:   limits,
		arrivals: make(chan net.Conn),
		sockets:  sockets,
		inside:   make(map[*guard]struct{}),
		down:     make(chan struct{}),
	}, nil
}

// Free ports are looked for below those that systems give to outgoing connections, which begin at 32768
// on Linux and at 49152 elsewhere: while a broker is down, its port must not become a client's.
const firstFree, endOfFree = 20000, 32768

// listenLoopback listens at a port, or at a free one if it is 0.
func listenLoopback(port int) ([]net.Listener, error) {
	if port != 0 {
		return listenAt(port)
	}
	for attempt := 1; ; attempt++ {
		sockets, err := listenAt(firstFree + rand.IntN(endOfFree-firstFree))
		if err == nil || attempt == 100 {
			return sockets, err
		}
	}
}

// listenAt listens at both addresses that localhost stands for. Clients try either first, and must
// not find somebody else's server at the other.
func listenAt(port int) ([]net.Listener, error) {
	v4, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, listenError(port, err)
	}
	v6, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(port)))
	switch {
	case err == nil:
		return []net.Listener{v4, v6}, nil
	case isTaken(err):
		v4.Close()
		return nil, listenError(port, err)
	}
	return []net.Listener{v4}, nil // no IPv6 on this machine
}

// PortError says that a port is in use by another program.
type PortError struct{ Port int }

func (e *PortError) Error() string { return fmt.Sprintf("port %d is taken", e.Port) }

func listenError(port int, err error) error {
	if isTaken(err) {
		return &PortError{Port: port}
	}
	return fmt.Errorf("port %d: %w", port, err)
}

func isTaken(err error) bool {
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE, not in package syscall
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse)
}

// serve lets clients in.
func (d *door) serve() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, socket := range d.sockets {
		go d.accept(socket, d.down)
	}
}

func (d *door) accept(socket net.Listener, down <-chan struct{}) {
	for {
		conn, err := socket.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// No file descriptor is free, or the client has gone already. Either passes.
			select {
			case <-time.After(50 * time.Millisecond):
				continue
			case <-down:
				return
			}
		}
		d.admit(newGuard(d, conn))
	}
}

// admit hands a connection to kfake. It returns false where the door is shut, or shuts meanwhile.
func (d *door) admit(g *guard) bool {
	d.mu.Lock()
	down := d.down
	shut := d.sockets == nil
	if !shut {
		d.inside[g] = struct{}{}
	}
	d.mu.Unlock()
	if shut {
		g.Close()
		return false
	}
	select {
	case d.arrivals <- g:
		return true
	case <-down:
		g.Close()
		return false
	}
}

func (d *door) leave(g *guard) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.inside, g)
}

// dial is a connection from inside the process.
func (d *door) dial() (net.Conn, error) {
	ours, theirs := net.Pipe()
	if !d.admit(newInsider(d, theirs)) {
		return nil, &net.OpError{Op: "dial", Net: "pipe", Addr: address(d.address()), Err: syscall.ECONNREFUSED}
	}
	return ours, nil
}

// shut refuses clients and breaks the connections of those inside, without a word as a dying
// process would.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sockets == nil {
		return
	}
	for _, socket := range d.sockets {
		socket.Close()
	}
	d.sockets = nil
	close(d.down)
	for g := range d.inside {
		g.raw.Close()
	}
}

// reopen undoes shut, at the same port.
func (d *door) reopen() error {
	d.mu.Lock()
	if d.sockets != nil {
		d.mu.Unlock()
		return nil
	}
	sockets, err := listenLoopback(d.port)
	if err == nil {
		d.sockets = sockets
		d.down = make(chan struct{})
	}
	d.mu.Unlock()
	if err != nil {
		return err
	}
	d.serve()
	return nil
}

// entrance is a broker as kfake sees it: its listener. kfake ends a broker for good when
// Accept fails, so it fails only after kfake itself has closed it.
type entrance struct {
	*door
	gone chan struct{}
	once sync.Once
}

// enter is what kfake listens on from now on.
func (d *door) enter() net.Listener {
	return &entrance{door: d, gone: make(chan struct{})}
}

func (e *entrance) Accept() (net.Conn, error) {
	select {
	case conn := <-e.arrivals:
		return conn, nil
	case <-e.gone:
		return nil, net.ErrClosed
	}
}

// Close ends the broker with all its connections, which kfake by itself would leave open.
func (e *entrance) Close() error {
	e.once.Do(func() {
		close(e.gone)
		e.shut()
	})
	return nil
}

// Addr is what the broker tells clients to connect to: the name that the tutorial uses throughout.
func (e *entrance) Addr() net.Addr { return address(e.address()) }

func (d *door) address() string { return net.JoinHostPort("localhost", strconv.Itoa(d.port)) }

// address is a host and port that is a name, not an IP address.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
