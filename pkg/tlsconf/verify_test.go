// With this setting the system's pool is what publicAuthority puts there.
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
		": take the ca.crt of this cluster: x509: certificate signed by unknown authority"
	notValid := "the broker's certificate is not valid now: check the clock of this machine, or have it renewed: " +
		"x509: certificate has expired or is not yet valid: "
	notFit := "the broker's certificate is not fit for a broker: tell whoever runs the cluster: " +
		"x509: certificate specifies an incompatible key usage"

	tests := []struct {
		name   string
		broker *tls.Certificate
		want   string // how the error begins; nothing if the broker is accepted
	}{
		{"without names", issue(t, ca, "kafka-1"), ""},
		{"named for another host", issue(t, ca, "kafka-1", hosts("elsewhere.example")), ""},
		{"for servers", issue(t, ca, "kafka-1", uses(x509.ExtKeyUsageServerAuth)), ""},
		{"by way of an intermediate", issue(t, between, "kafka-1"), ""},
		{"for clients only", issue(t, ca, "kafka-1", uses(x509.ExtKeyUsageClientAuth)), notFit},
		{"of another authority", issue(t, other, "kafka-1"), notIssued},
		{"of another authority with the same name", issue(t, namesake, "kafka-1"), notIssued},
		{"of an authority the system trusts", issue(t, public, "kafka-1"), notIssued},
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

// publicAuthority returns an authority that the system's pool holds from now on.
func publicAuthority(t *testing.T) *tls.Certificate {
	t.Helper()
	setPublic.Do(func() {
		public = issue(t, nil, "public", isAuthority)
		pool := x509.NewCertPool()
		pool.AddCert(public.Leaf)
		x509.SetFallbackRoots(pool)
	})
	if _, err := issue(t, public, "example").Leaf.Verify(x509.VerifyOptions{}); err != nil {
		t.Fatalf("the system does not trust what it should for this test: %v", err)
	}
	return public
}

var (
	setPublic sync.Once // the pool can be set only once in a process
	public    *tls.Certificate
)

// whenValid is when the expired certificates of the tests were valid. Go forgets the session of a
// certificate that expired meanwhile; with its clock set back it cannot help.
var whenValid = time.Date(2020, time.July, 1, 0, 0, 0, 0, time.UTC)

// resume connects to a server twice, first without any check, so that there is a session to resume,
// and returns what the second connection, a resumed one, came to.
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

func checkBroker(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	refused, ok := errors.AsType[*BrokerError](err)
	if !ok {
		t.Fatalf("error %v is no BrokerError", err)
	}
	checkLine(t, refused.Error())
	if !strings.HasPrefix(refused.Error(), want) {
		t.Errorf("error\n%s\nwant\n%s", refused, want)
	}
}

// A broker that presents nothing is beyond what a Go server can be. So is a session that was resumed
// without certificates.
func TestBrokerWithoutCertificate(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	conf := load(t, folder(t, ca, issue(t, ca, "client60")))
	for _, resumed := range []bool{false, true} {
		err := conf.VerifyConnection(tls.ConnectionState{DidResume: resumed})
		checkBroker(t, err, "the broker presented no certificate: is this its port for TLS clients?")
	}
}

// Last year's folder meets this year's brokers, or the authority forgot to renew itself.
func TestBrokerOfExpiredAuthority(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority, expired)
	path := filepath.Join("auth", CAFile)
	err := (&authority{path, []*x509.Certificate{ca.Leaf}}).verifyBroker([]*x509.Certificate{issue(t, ca, "kafka-1").Leaf})
	checkBroker(t, err, path+": its certificate expired on 2021-01-01 00:00 UTC: ask for a new one: x509: ")

	renewed := issue(t, nil, "course", isAuthority)
	both := &authority{path, []*x509.Certificate{ca.Leaf, renewed.Leaf}}
	checkBroker(t, both.verifyBroker([]*x509.Certificate{issue(t, renewed, "kafka-1").Leaf}), "")
	err = both.verifyBroker([]*x509.Certificate{issue(t, nil, "kafka-1").Leaf})
	checkBroker(t, err, "the broker's certificate was not issued by "+path)
}

// Version 1 knows no difference between an authority and others. A student must not become one.
func TestBrokerIssuedByStudent(t *testing.T) {
	ca, err := readAuthority(filepath.Join("testdata", CAFile))
	if err != nil {
		t.Fatal(err)
	}
	student, err := decode(read(t, filepath.Join("testdata", "course.p12")), password)
	if err != nil {
		t.Fatal(err)
	}
	if version := student.chain[0].Version; version != 1 {
		t.Fatalf("the student's certificate is of version %d", version)
	}
	broker := issue(t, student.certificate(), "kafka-1")
	checkBroker(t, ca.verifyBroker(append([]*x509.Certificate{broker.Leaf}, student.chain...)),
		"the broker's certificate is not fit for a broker: tell whoever runs the cluster: "+
			"x509: certificate is not authorized to sign other certificates")
}
