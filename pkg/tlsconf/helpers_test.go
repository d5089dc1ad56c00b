package tlsconf

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// password is the password of each keystore in the tests, unless the test names another one.
const password = "cc2023"

// testdata is an absolute path, because TestMain changes the working directory for the examples.
var testdata = func() string {
	path, err := filepath.Abs("testdata")
	if err != nil {
		panic(err)
	}
	return path
}()

// issue makes a certificate that is valid now, for any use and without host names. Without an
// issuer it is self-signed. Otherwise the issuer's chain is added to it.
func issue(t *testing.T, issuer *tls.Certificate, name string, changes ...func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	for _, change := range changes {
		change(template)
	}
	if issuer == nil {
		issuer = &tls.Certificate{Leaf: template, PrivateKey: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer.Leaf, key.Public(), issuer.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, issuer.Certificate...), Leaf: leaf, PrivateKey: key}
}

// isAuthority makes a certificate of an authority. It is valid longer than those of expired and
// early, so only their own dates can make them invalid.
func isAuthority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid = true, true
	c.NotBefore = time.Date(2019, time.January, 1, 0, 0, 0, 0, time.UTC)
	c.NotAfter = time.Date(3001, time.January, 1, 0, 0, 0, 0, time.UTC)
}

func hosts(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

func uses(usage ...x509.ExtKeyUsage) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.ExtKeyUsage = usage }
}

func expired(c *x509.Certificate) {
	c.NotBefore = time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)
	c.NotAfter = time.Date(2021, time.January, 1, 0, 0, 0, 0, time.UTC)
}

func early(c *x509.Certificate) {
	c.NotBefore = time.Date(2999, time.January, 1, 0, 0, 0, 0, time.UTC)
	c.NotAfter = time.Date(3000, time.January, 1, 0, 0, 0, 0, time.UTC)
}

// folder writes a credentials folder, as the staff gives it to a student.
func folder(t *testing.T, ca, client *tls.Certificate) string {
	t.Helper()
	issuers, err := x509.ParseCertificates(slices.Concat(client.Certificate[1:]...))
	if err != nil {
		t.Fatal(err)
	}
	keystore, err := pkcs12.Modern2023.Encode(client.PrivateKey, client.Leaf, issuers, password)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, CAFile), pemOf(ca))
	write(t, filepath.Join(dir, KeystoreFile), keystore)
	return dir
}

func pemOf(cert *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Leaf.Raw})
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// load loads credentials without flaws.
func load(t *testing.T, dir string) *tls.Config {
	t.Helper()
	conf, err := Load(dir, password, func(flaw error) { t.Errorf("warned: %v", flaw) })
	if err != nil {
		t.Fatal(err)
	}
	return conf
}

// serve accepts TLS connections, sends a byte on each, and returns the address.
func serve(t *testing.T, conf *tls.Config) string {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go greet(conn)
		}
	}()
	return listener.Addr().String()
}

func greet(conn net.Conn) {
	defer conn.Close()
	if _, err := conn.Write([]byte{1}); err == nil {
		io.Copy(io.Discard, conn) // until the client closes the connection
	}
}

// connect reads the server's byte. In TLS 1.3 the handshake alone is not enough: the session tickets
// and the refusal of a client's certificate arrive after it.
func connect(addr string, conf *tls.Config) error {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, conf)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}

// describe returns an error as a program reports it: "text", or "text / hint" if it has a hint. It
// also checks that both are one line without a full stop.
func describe(t *testing.T, err error) string {
	t.Helper()
	text := err.Error()
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		text += " / " + hinted.Hint()
	}
	for part := range strings.SplitSeq(text, " / ") {
		if part == "" || strings.ContainsAny(part, "\r\n") || strings.HasSuffix(part, ".") {
			t.Errorf("%q is not one line without a full stop", part)
		}
	}
	return text
}
