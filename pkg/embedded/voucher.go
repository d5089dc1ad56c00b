package embedded

import (
	"crypto/rand"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The users that no certificate names.
const (
	anonymous = "ANONYMOUS" // as real brokers call who shows no certificate
	insider   = "embedded.Cluster.Dial"
)

// voucher tells kfake who a client is. kfake knows users by password only, not by certificate, so
// the guard, which has seen the certificate, logs in for the client over SASL PLAIN before its first
// request. The password is known to the two of them alone.
type voucher struct {
	rights   map[string][]kfake.ACL
	password string
}

func newVoucher(rights map[string][]kfake.ACL) *voucher {
	return &voucher{rights: rights, password: rand.Text()}
}

// options turn access control on, with the users it knows.
func (v *voucher) options() []kfake.Opt {
	const mechanism = "PLAIN"
	options := []kfake.Opt{
		kfake.EnableSASL(),
		kfake.EnableACLs(),
		kfake.Superuser(mechanism, insider, v.password),
		kfake.User(mechanism, anonymous, v.password),
	}
	for user, acls := range v.rights {
		options = append(options, kfake.User(mechanism, user, v.password, acls...))
	}
	return options
}

// known is under which name kfake knows a client. Whoever was given no rights is as good as anonymous.
func (v *voucher) known(user string) string {
	if _, ok := v.rights[user]; ok {
		return user
	}
	return anonymous
}

// introduce returns the requests that log a user in, and how many answers kfake gives to them.
func (v *voucher) introduce(user string) (requests []byte, answers int) {
	hello := kmsg.NewPtrSASLHandshakeRequest()
	hello.Version = 1
	hello.Mechanism = "PLAIN"
	login := kmsg.NewPtrSASLAuthenticateRequest()
	login.SASLAuthBytes = []byte("\x00" + user + "\x00" + v.password)

	format := kmsg.NewRequestFormatter()
	for _, request := range []kmsg.Request{hello, login} {
		// It writes the length to the start of the slice it is given, so each gets its own.
		requests = append(requests, format.AppendRequest(nil, request, 0)...)
		answers++
	}
	return requests, answers
}
