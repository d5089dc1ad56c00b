package embedded

import (
	"crypto/rand"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The users that have no certificate.
const (
	anonymous = "ANONYMOUS"             // the name that real brokers use, too
	internal  = "embedded.Cluster.Dial" // a client inside this process
)

// authenticator reports to kfake which user a client is. kfake knows users only by password, not by
// certificate. So a connection, which has checked the certificate, logs in for the client with SASL
// PLAIN before the client's first request. Nobody else knows the password.
type authenticator struct {
	rights   map[string][]kfake.ACL
	password string
}

func newAuthenticator(rights map[string][]kfake.ACL) *authenticator {
	return &authenticator{rights: rights, password: rand.Text()}
}

const mechanism = "PLAIN"

// options turn access control on, and define the users.
func (a *authenticator) options() []kfake.Opt {
	options := []kfake.Opt{
		kfake.EnableSASL(),
		kfake.EnableACLs(),
		kfake.Superuser(mechanism, internal, a.password),
		kfake.User(mechanism, anonymous, a.password),
	}
	for user, acls := range a.rights {
		options = append(options, kfake.User(mechanism, user, a.password, acls...))
	}
	return options
}

// user returns the user for the name in a certificate. A name without rights is anonymous.
func (a *authenticator) user(name string) string {
	if _, ok := a.rights[name]; ok {
		return name
	}
	return anonymous
}

// login returns the requests that log a user in, and the number of kfake's responses to them.
func (a *authenticator) login(user string) (requests []byte, responses int) {
	handshake := kmsg.NewPtrSASLHandshakeRequest()
	handshake.Version = 1
	handshake.Mechanism = mechanism
	authenticate := kmsg.NewPtrSASLAuthenticateRequest()
	authenticate.SASLAuthBytes = []byte("\x00" + user + "\x00" + a.password)

	format := kmsg.NewRequestFormatter()
	for _, request := range []kmsg.Request{handshake, authenticate} {
		// AppendRequest writes the length at the beginning of its slice, so each request needs its own.
		requests = append(requests, format.AppendRequest(nil, request, 0)...)
		responses++
	}
	return requests, responses
}
