package broker

import (
	"bytes"
	"crypto/rand"
	"net"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// connection is a client's connection, from which kfake reads and to which it writes.
type connection struct {
	net.Conn
	raw      net.Conn // without TLS
	listener *listener

	login   *bytes.Reader // what kfake reads first
	discard int           // the next answers are not for the client
}

func (c *connection) Read(p []byte) (int, error) {
	if c.login.Len() > 0 {
		return c.login.Read(p)
	}
	return c.Conn.Read(p)
}

// Write sends an answer of kfake, which writes each answer with one call.
func (c *connection) Write(p []byte) (int, error) {
	if c.discard > 0 {
		c.discard--
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func (c *connection) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.connections, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// users show kfake who a client is. kfake knows users only by password, not by certificate. So a
// connection, which has checked the certificate, logs in for the client with SASL PLAIN before the client's
// first request. Nobody else knows the password. The zero value is no access control.
type users struct {
	rights           map[string][]kfake.ACL
	password, inside string // inside is the user of a client in this process, which may do everything
}

const (
	mechanism = "PLAIN"
	anonymous = "ANONYMOUS" // a user without rights; the name that real brokers use, too
)

func newUsers(rights map[string][]kfake.ACL) users {
	return users{rights: rights, password: rand.Text(), inside: rand.Text()}
}

// options turn access control on, and define the users.
func (u users) options() []kfake.Opt {
	options := []kfake.Opt{
		kfake.EnableSASL(), kfake.EnableACLs(),
		kfake.Superuser(mechanism, u.inside, u.password), kfake.User(mechanism, anonymous, u.password),
	}
	for name, acls := range u.rights {
		options = append(options, kfake.User(mechanism, name, u.password, acls...))
	}
	return options
}

// login returns the requests that log a user in, and the number of kfake's answers to them.
func (u users) login(name string) (requests []byte, answers int) {
	if u.password == "" {
		return nil, 0
	}
	if _, known := u.rights[name]; !known && name != u.inside {
		name = anonymous
	}
	handshake := kmsg.NewPtrSASLHandshakeRequest()
	handshake.Version, handshake.Mechanism = 1, mechanism
	authenticate := kmsg.NewPtrSASLAuthenticateRequest()
	authenticate.SASLAuthBytes = []byte("\x00" + name + "\x00" + u.password)
	// AppendRequest writes the length at the beginning of its slice, so each request needs its own.
	format := kmsg.NewRequestFormatter()
	return append(format.AppendRequest(nil, handshake, 0), format.AppendRequest(nil, authenticate, 0)...), 2
}
