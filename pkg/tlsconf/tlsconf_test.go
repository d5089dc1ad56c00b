package tlsconf

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestMissingFiles(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	for _, name := range []string{CAFile, KeystoreFile} {
		path := filepath.Join(folder(t, ca, issue(t, ca, "client60")), name)
		if runtime.GOOS != "windows" && os.Getuid() != 0 { // who can read every file
			must(0, os.Chmod(path, 0))(t)
			_, err := Load(filepath.Dir(path), password, nil)
			expect(t, err, path+": permission denied / only its owner")
		}
		must(0, os.Remove(path))(t)
		_, err := Load(filepath.Dir(path), password, nil)
		expect(t, err, path+": file does not exist / copy the whole")
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is not fs.ErrNotExist", err)
		}
	}
}

// Each certificate in ca.crt is read, or an error names its line.
func TestAuthorities(t *testing.T) {
	first, second := issue(t, nil, "first", isAuthority), issue(t, nil, "second", isAuthority)
	client, one, two := issue(t, first, "client60"), pemOf(first), pemOf(second)
	const end = "-----END CERTIFICATE-----\n"
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	next := fmt.Sprintf(":%d: ", 1+bytes.Count(one, []byte("\n"))) // the line behind the first certificate
	for name, test := range map[string]struct {
		file string
		want string // the error, or empty if the brokers of both are accepted
	}{
		"two":                   {string(one) + string(two), ""},
		"with text":             {"first\n\n" + string(one) + "second\n" + string(two), ""},
		"no line end between":   {strings.TrimSpace(string(one)) + strings.TrimSpace(string(two)), ""},
		"Windows":               {"\ufeff" + strings.ReplaceAll(string(one)+string(two), "\n", "\r\n"), ""},
		"X509 CERTIFICATE":      {strings.ReplaceAll(string(one)+string(two), "CERTIFICATE", "X509 CERTIFICATE"), ""},
		"no END":                {strings.TrimSuffix(string(one), end) + string(two), ":1: cannot read what begins here / "},
		"the second has no END": {string(one) + strings.TrimSuffix(string(two), end), next + "cannot read what begins here / "},
		"indented":              {"# YAML\n  " + strings.ReplaceAll(string(one), "\n", "\n  "), ":2: cannot read what begins here / ...blanks"},
		"a private key":         {string(one) + string(block("EC PRIVATE KEY", []byte{1})), next + "EC PRIVATE KEY, but only certificates"},
		"cut off inside":        {string(one) + string(block("CERTIFICATE", second.Leaf.Raw[:99])), next + "a certificate that Go does not accept: x509: malformed certificate / copy"},
		"a negative serial":     {string(block("CERTIFICATE", negative(t, first))), ":1: a certificate that Go does not accept: x509: negative serial number / "},
		"DER":                   {string(first.Leaf.Raw), ": no line -----BEGIN CERTIFICATE----- in it... / ...: openssl "},
		"UTF-16":                {"\xff\xfe" + string(bytes.Join(bytes.Split(one, nil), []byte{0})), ": no line -----BEGIN CERTIFICATE----- in it, as UTF-8 text / "},
		"empty":                 {"", ": no line -----BEGIN CERTIFICATE----- in it"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, []byte(test.file), encode(t, client, client.Leaf))
			conf, err := Load(dir, password, nil)
			if test.want != "" {
				expect(t, err, filepath.Join(dir, CAFile)+test.want)
			} else {
				expect(t, err, "")
				for _, ca := range []*tls.Certificate{first, second} {
					expect(t, conf.VerifyConnection(presented(issue(t, ca, "kafka-1"))), "")
				}
			}
			if hint := describe(err); name == "DER" && run(t, dir, commandIn(hint)) {
				load(t, dir)
			}
		})
	}
}

func presented(broker *tls.Certificate) tls.ConnectionState {
	certs, _ := x509.ParseCertificates(slices.Concat(broker.Certificate...))
	return tls.ConnectionState{PeerCertificates: certs}
}

// In the course, brokers and students have certificates of the same kind: of version 1, without names. So this
// broker uses the certificate of a student. But nobody can issue certificates with it, although a certificate of
// version 1 does not say that.
func TestCourse(t *testing.T) {
	conf := load(t, write(t, sample(t, CAFile), sample(t, "course.p12")))
	student := must(conf.GetClientCertificate(nil))(t)
	certs := presented(student).PeerCertificates
	if certs[0].Version != 1 {
		t.Errorf("the certificate is of version %d", certs[0].Version)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certs[1])
	addr := serve(t, &tls.Config{
		Certificates: []tls.Certificate{*student}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	})
	expect(t, connect(addr, conf), "")
	expect(t, conf.VerifyConnection(presented(issue(t, student, "kafka-1"))),
		"the broker has a certificate that Go does not accept: x509: certificate is not authorized to sign other certificates / report")
}

// The client presents its certificate even to a broker that lists another authority. Then the broker can report
// what is wrong with the certificate.
func TestClientPresentsItsCertificate(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	client := issue(t, issue(t, ca, "between", isAuthority), "client60")
	conf := load(t, folder(t, ca, client))
	others := x509.NewCertPool()
	others.AddCert(issue(t, nil, "other", isAuthority).Leaf)
	got := make(chan [][]byte, 1)
	addr := serve(t, &tls.Config{
		Certificates: []tls.Certificate{*issue(t, ca, "kafka-1")},
		ClientAuth:   tls.RequireAnyClientCert,
		ClientCAs:    others,
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			got <- chain
			return nil
		},
	})
	expect(t, connect(addr, conf), "")
	if chain := <-got; !slices.EqualFunc(chain, client.Certificate, bytes.Equal) {
		t.Errorf("presented %d certificates, not the client's %d", len(chain), len(client.Certificate))
	}
	if conf.MinVersion != tls.VersionTLS12 { // set, because GODEBUG can lower Go's default
		t.Errorf("MinVersion is %s", tls.VersionName(conf.MinVersion))
	}
}

func TestBroker(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	between := issue(t, ca, "between", isAuthority)
	old := issue(t, nil, "old", isAuthority, expired)
	plain := issue(t, nil, "plain")
	weak, weakBroker := weakly(t)
	dir := folder(t, ca, issue(t, ca, "client60"))
	path := filepath.Join(dir, CAFile)
	must(0, os.WriteFile(path, slices.Concat(pemOf(ca), pemOf(old), pemOf(plain), pemOf(weak)), 0o600))(t)
	conf := load(t, dir)

	const refused = "the broker has a certificate that Go does not accept: "
	notIssued := "the broker's certificate was not issued by " + path + ": x509: ... / use the ca.crt of this cluster"
	oldSHA1 := issue(t, nil, "course", isAuthority, withSHA1)
	for name, test := range map[string]struct {
		broker *tls.Certificate
		want   string // the error, or empty if the client accepts the broker
	}{
		"without names": {issue(t, ca, "kafka-1"), ""},
		"with the name of another host": {issue(t, ca, "kafka-1", func(c *x509.Certificate) {
			c.DNSNames = []string{"elsewhere.example"}
		}), ""},
		"for servers":                   {issue(t, ca, "kafka-1", uses(x509.ExtKeyUsageServerAuth)), ""},
		"of an intermediate authority":  {issue(t, between, "kafka-1"), ""},
		"for clients only":              {issue(t, ca, "kafka-1", uses(x509.ExtKeyUsageClientAuth)), refused + "x509: ...usage / report"},
		"of another authority":          {issue(t, issue(t, nil, "other", isAuthority), "kafka-1"), notIssued},
		"of a namesake":                 {issue(t, issue(t, nil, "course", isAuthority), "kafka-1"), notIssued},
		"of a namesake with SHA-1":      {issue(t, oldSHA1, "kafka-1"), notIssued},
		"of another, with SHA-1":        {issue(t, issue(t, nil, "other", isAuthority, withSHA1), "kafka-1"), notIssued},
		"self-signed":                   {issue(t, nil, "kafka-1"), notIssued},
		"expired":                       {issue(t, ca, "kafka-1", expired), "the certificate of CN=kafka-1 is not valid now: x509: ... / check the clock"},
		"not yet valid":                 {issue(t, ca, "kafka-1", early), "the certificate of CN=kafka-1 is not valid now: x509: ... / check the clock"},
		"of an expired authority":       {issue(t, old, "kafka-1"), "the certificate of CN=old is not valid now: x509: ... / check the clock"},
		"with SHA-1":                    {issue(t, ca, "kafka-1", withSHA1), refused + "x509: ...SHA1... / report"},
		"of an intermediate with SHA-1": {issue(t, issue(t, ca, "between", isAuthority, withSHA1), "kafka-1"), refused + "x509: ...SHA1... / report"},
		"with SHA-1, of one between":    {issue(t, between, "kafka-1", withSHA1), refused + "x509: ...SHA1... / report"},
		"of a weak key":                 {weakBroker, refused + "crypto/rsa: 768-bit keys are insecure... / report"},
		"of no authority":               {issue(t, plain, "kafka-1"), refused + "x509: ...cannot sign... / report"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(tls.VersionName(version)+" "+name, func(t *testing.T) {
				t.Parallel()
				err := connect(serve(t, &tls.Config{
					Certificates: []tls.Certificate{*test.broker}, ClientAuth: tls.RequireAnyClientCert, MaxVersion: version,
				}), conf)
				expect(t, err, test.want)
			})
		}
	}
}

// weakly makes an authority with a key that Go does not accept any more, and the certificate of a broker.
func weakly(t *testing.T) (ca, broker *tls.Certificate) {
	t.Helper()
	os.Setenv("GODEBUG", "rsa1024min=0")
	defer os.Unsetenv("GODEBUG")
	ca = issueFor(t, must(rsa.GenerateKey(rand.Reader, 768))(t), nil, "weak", isAuthority)
	return ca, issue(t, ca, "kafka-1")
}

// A broker that is not accepted is not accepted either when its session is resumed.
func TestResumedSession(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	conf := load(t, folder(t, ca, issue(t, ca, "client60")))
	addr := serve(t, &tls.Config{
		Certificates: []tls.Certificate{*issue(t, nil, "kafka-1")}, ClientAuth: tls.RequireAnyClientCert,
	})
	conf.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	unchecked := conf.Clone()
	unchecked.VerifyConnection = nil
	expect(t, connect(addr, unchecked), "")

	resumed, verify := false, conf.VerifyConnection
	conf.VerifyConnection = func(state tls.ConnectionState) error {
		resumed = state.DidResume
		return verify(state)
	}
	expect(t, connect(addr, conf), "the broker's certificate was not issued by ")
	if !resumed {
		t.Error("the session was not resumed")
	}
}

func TestWarnings(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	for name, test := range map[string]struct {
		client *tls.Certificate
		mode   os.FileMode
		want   string
	}{
		"no flaw":               {issue(t, ca, "client60"), 0o600, ""},
		"read-only":             {issue(t, ca, "client60"), 0o400, ""},
		"expired":               {issue(t, ca, "client60", expired), 0o600, ": its certificate is valid from ... to ... / check the clock"},
		"early":                 {issue(t, ca, "client60", early), 0o600, ": its certificate is valid from ... to ... / check the clock"},
		"group":                 {issue(t, ca, "client60"), 0o640, ": its mode 0640 lets other users ... / chmod 600 "},
		"others":                {issue(t, ca, "client60"), 0o604, ": its mode 0604 lets other users ... / chmod 600 "},
		"a disk without rights": {issue(t, ca, "client60"), 0o777, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if test.mode != 0o600 && runtime.GOOS == "windows" {
				t.Skip("Windows has no such permissions")
			}
			dir := folder(t, ca, test.client)
			path := filepath.Join(dir, KeystoreFile)
			must(0, os.Chmod(path, test.mode))(t)
			var warned error
			must(Load(dir, password, func(flaw error) { warned = errors.Join(warned, flaw) }))(t)
			if test.want != "" {
				test.want = path + test.want
			}
			expect(t, warned, test.want)
			must(Load(dir, password, nil))(t)
		})
	}
}
