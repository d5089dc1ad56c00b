//go:build unix

package embedded

import (
	"net"
	"syscall"
)

// hold keeps a port on loopback for the broker that is to come back to it: bound, it is no client's own
// end and nobody's free port meanwhile. As nothing listens, clients are refused. It does what it can:
// what cannot be held may be taken.
func hold(port int) (release func()) {
	var held []int
	for family, address := range map[int]syscall.Sockaddr{
		syscall.AF_INET:  &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}},
		syscall.AF_INET6: &syscall.SockaddrInet6{Port: port, Addr: [16]byte(net.IPv6loopback)},
	} {
		syscall.ForkLock.RLock()
		fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
		if err == nil {
			syscall.CloseOnExec(fd)
			held = append(held, fd)
		}
		syscall.ForkLock.RUnlock()
		if err == nil {
			// Connections that have just been broken linger at the port.
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			syscall.Bind(fd, address)
		}
	}
	return func() {
		for _, fd := range held {
			syscall.Close(fd)
		}
	}
}
