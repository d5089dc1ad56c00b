package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
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
	release func()        // gives up the port that is held meanwhile; nil if none is
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

// listenLoopback listens at both addresses that localhost stands for. Clients try either first, and
// must not find somebody else's server at the other.
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
		if !isTaken(err) {
			return []net.Listener{v4}, nil // no IPv6 on this machine
		}
		v4.Close()
		// A port that was free at one address only: the next free one will do, if any will.
		if port != 0 || attempt == 10 {
			return nil, listenError(got, err)
		}
	}
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

// kill refuses clients and breaks the connections of those inside, without a word as a dying process
// would. The port stays ours until reopen.
func (d *door) kill() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sockets != nil {
		d.close()
		d.release = hold(d.port)
	}
}

// shut is kill for good.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sockets != nil {
		d.close()
	}
	d.giveUpPort()
}

// giveUpPort ends what kill began. The caller holds the lock.
func (d *door) giveUpPort() {
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// close is for those who hold the lock.
func (d *door) close() {
	for _, socket := range d.sockets {
		socket.Close()
	}
	d.sockets = nil
	close(d.down)
	for g := range d.inside {
		g.raw.Close()
	}
}

// reopen undoes kill, at the same port.
func (d *door) reopen() error {
	d.mu.Lock()
	if d.sockets != nil {
		d.mu.Unlock()
		return nil
	}
	d.giveUpPort()
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
