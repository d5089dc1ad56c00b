// This setting lets publicAuthority set the system's pool.
//go:debug x509usefallbackroots=1

package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestBroker(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	between := issue(t, ca, "between", isAuthority)
	other := issue(t, nil, "other", isAuthority)
	namesake := issue(t, nil, "course", isAuthority)
	public := publicAuthority(t)

	dir := folder(t, ca, issue(t, ca, "client60"))
	notIssued := "the broker's certificate was not issued by " + filepath.Join(dir, CAFile) +
		": x509: certificate signed by unknown authority* / use the ca.crt of this cluster"
	notValid := "the broker's certificate is not valid now: x509: certificate has expired or is not yet valid: *" +
		" / check the clock of this machine; if it is right, ask the staff to renew the certificate"
	notForBrokers := "the broker's certificate is not for a broker: x509: certificate specifies an incompatible key usage" +
		" / report this to the staff"

	tests := []struct {
		name   string
		broker *tls.Certificate
		want   string // the error and its hint, or empty if the client accepts the broker
	}{
		{"without names", issue(t, ca, "kafka-1"), ""},
		{"with the name of another host", issue(t, ca, "kafka-1", hosts("elsewhere.example")), ""},
		{"for servers", issue(t, ca, "kafka-1", uses(x509.ExtKeyUsageServerAuth)), ""},
		{"of an intermediate authority", issue(t, between, "kafka-1"), ""},
		{"for clients only", issue(t, ca, "kafka-1", uses(x509.ExtKeyUsageClientAuth)), notForBrokers},
		{"of another authority", issue(t, other, "kafka-1"), notIssued},
		{"of another authority with the same name", issue(t, namesake, "kafka-1"), notIssued},
		{"of an authority that the system trusts", issue(t, public, "kafka-1"), notIssued},
		{"self-signed", issue(t, nil, "kafka-1"), notIssued},
		{"expired", issue(t, ca, "kafka-1", expired), notValid},
		{"not yet valid", issue(t, ca, "kafka-1", early), notValid},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, test := range tests {
			t.Run(tls.VersionName(version)+" "+test.name, func(t *testing.T) {
				t.Parallel()
				addr := serve(t, &tls.Config{
					Certificates: []tls.Certificate{*test.broker},
					ClientAuth:   tls.RequireAnyClientCert,
					MaxVersion:   version,
				})
				conf := load(t, dir)
				checkBroker(t, connect(addr, conf), test.want)
				checkBroker(t, resume(t, addr, conf), test.want)
			})
		}
	}
}

// publicAuthority makes an authority and adds it to the system's pool.
func publicAuthority(t *testing.T) *tls.Certificate {
	t.Helper()
	setPublic.Do(func() {
		public = issue(t, nil, "public", isAuthority)
		pool := x509.NewCertPool()
		pool.AddCert(public.Leaf)
		x509.SetFallbackRoots(pool)
	})
	if _, err := issue(t, public, "example").Leaf.Verify(x509.VerifyOptions{}); err != nil {
		t.Fatalf("the system does not trust the authority of this test: %v", err)
	}
	return public
}

var (
	setPublic sync.Once // a process can set the pool only once
	public    *tls.Certificate
)

// whenValid is a time when the expired certificates of the tests were valid. Go does not resume a
// session if the certificate has expired since. To resume it, the client's clock is set back.
var whenValid = time.Date(2020, time.July, 1, 0, 0, 0, 0, time.UTC)

// resume connects twice: first without any check, to get a session, then with the check. The second
// connection resumes the session. Its error is returned.
func resume(t *testing.T, addr string, conf *tls.Config) error {
	t.Helper()
	unchecked := conf.Clone()
	unchecked.Time = func() time.Time { return whenValid }
	unchecked.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	unchecked.VerifyConnection = nil
	if err := connect(addr, unchecked); err != nil {
		t.Fatalf("unchecked connection: %v", err)
	}

	var resumed bool
	checked := unchecked.Clone()
	checked.VerifyConnection = func(state tls.ConnectionState) error {
		resumed = state.DidResume
		return conf.VerifyConnection(state)
	}
	err := connect(addr, checked)
	if !resumed {
		t.Errorf("the session was not resumed (%v)", err)
	}
	return err
}

// checkBroker checks the error of a connection, and its hint. In want, * stands for any text.
func checkBroker(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("the client refused the broker: %v", err)
		}
		return
	}
	refused, ok := errors.AsType[*BrokerError](err)
	if !ok {
		t.Fatalf("error %v is not a BrokerError", err)
	}
	if got := describe(t, refused); !matches(want, got) {
		t.Errorf("error\n%s\nwant\n%s", got, want)
	}
}

// matches reports whether text is the pattern. The pattern can have one *.
func matches(pattern, text string) bool {
	before, after, found := strings.Cut(pattern, "*")
	if !found {
		return text == pattern
	}
	rest, found := strings.CutPrefix(text, before)
	return found && strings.HasSuffix(rest, after)
}

// A server in Go always presents a certificate, so this test calls VerifyConnection itself.
func TestBrokerWithoutCertificate(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	conf := load(t, folder(t, ca, issue(t, ca, "client60")))
	for _, resumed := range []bool{false, true} {
		err := conf.VerifyConnection(tls.ConnectionState{DidResume: resumed})
		checkBroker(t, err, "the broker presented no certificate / is this its port for TLS clients?")
	}
}

// A student uses last year's folder, or the staff did not renew the authority.
func TestBrokerOfExpiredAuthority(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority, expired)
	path := filepath.Join("auth", CAFile)
	err := (&authority{path: path, certs: []*x509.Certificate{ca.Leaf}}).verifyBroker([]*x509.Certificate{issue(t, ca, "kafka-1").Leaf})
	checkBroker(t, err, path+": its certificate expired on 2021-01-01 00:00 UTC: x509: * / ask the staff for a new one")

	renewed := issue(t, nil, "course", isAuthority)
	both := &authority{path: path, certs: []*x509.Certificate{ca.Leaf, renewed.Leaf}}
	checkBroker(t, both.verifyBroker([]*x509.Certificate{issue(t, renewed, "kafka-1").Leaf}), "")
	err = both.verifyBroker([]*x509.Certificate{issue(t, nil, "kafka-1").Leaf})
	checkBroker(t, err, "the broker's certificate was not issued by "+path+": x509: * / use the ca.crt of this cluster")
}

// A certificate of version 1 does not record whether it is an authority's. A student must not be able to
// issue certificates.
func TestBrokerIssuedByStudent(t *testing.T) {
	ca, err := readAuthority(filepath.Join(testdata, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	student, err := decode(read(t, filepath.Join(testdata, "course.p12")), password)
	if err != nil {
		t.Fatal(err)
	}
	if version := student.chain[0].Version; version != 1 {
		t.Fatalf("the student's certificate has version %d, want 1", version)
	}
	broker := issue(t, student.certificate(), "kafka-1")
	checkBroker(t, ca.verifyBroker(append([]*x509.Certificate{broker.Leaf}, student.chain...)),
		"the broker's certificate is not for a broker: "+
			"x509: certificate is not authorized to sign other certificates / report this to the staff")
}
