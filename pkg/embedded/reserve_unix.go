//go:build unix

package embedded

import (
	"net"
	"syscall"
)

// reservePort keeps a port on loopback for a killed broker. Sockets are bound to the port, so the
// system gives it neither to another server nor to a client as its own end. The sockets do not listen,
// so connections to the port are refused. If a socket cannot be bound, the port is not reserved.
func reservePort(port int) (release func()) {
	var sockets []int
	for family, address := range map[int]syscall.Sockaddr{
		syscall.AF_INET:  &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}},
		syscall.AF_INET6: &syscall.SockaddrInet6{Port: port, Addr: [16]byte(net.IPv6loopback)},
	} {
		syscall.ForkLock.RLock() // until CloseOnExec, so that no child process inherits the socket
		socket, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
		if err == nil {
			syscall.CloseOnExec(socket)
			sockets = append(sockets, socket)
		}
		syscall.ForkLock.RUnlock()
		if err == nil {
			// The system still remembers the connections that were broken at this port.
			syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			syscall.Bind(socket, address)
		}
	}
	return func() {
		for _, socket := range sockets {
			syscall.Close(socket)
		}
	}
}
