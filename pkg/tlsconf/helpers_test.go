package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// password is the password of each keystore in the tests, unless the test names another one.
const password = "cc2023"

// testdata is an absolute path, because TestMain changes the working directory for the examples.
var testdata, _ = filepath.Abs("testdata")

// A change changes a certificate before it is signed.
type change func(*x509.Certificate)

// issue makes a certificate that is valid now, for any use and without host names. Without an
// issuer it is self-signed. Otherwise the issuer's chain is added to it.
func issue(t *testing.T, issuer *tls.Certificate, name string, changes ...change) *tls.Certificate {
	t.Helper()
	return issueFor(t, must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t), issuer, name, changes...)
}

func issueFor(t *testing.T, key crypto.Signer, issuer *tls.Certificate, name string, changes ...change) *tls.Certificate {
	t.Helper()
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
	der := must(x509.CreateCertificate(rand.Reader, template, issuer.Leaf, key.Public(), issuer.PrivateKey))(t)
	leaf := must(x509.ParseCertificate(der))(t)
	return &tls.Certificate{Certificate: append([][]byte{der}, issuer.Certificate...), Leaf: leaf, PrivateKey: key}
}

func isAuthority(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }

func expired(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().AddDate(-2, 0, 0), time.Now().AddDate(-1, 0, 0)
}

func early(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().AddDate(1, 0, 0), time.Now().AddDate(2, 0, 0)
}

func uses(usage x509.ExtKeyUsage) change {
	return func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{usage} }
}

func withSHA1(c *x509.Certificate) { c.SignatureAlgorithm = x509.ECDSAWithSHA1 }

// folder writes a credentials folder with the certificates and the key of the client.
func folder(t *testing.T, ca, client *tls.Certificate) string {
	t.Helper()
	issuers := must(x509.ParseCertificates(slices.Concat(client.Certificate[1:]...)))(t)
	return write(t, pemOf(ca), encode(t, client, client.Leaf, issuers...))
}

// write writes a credentials folder.
func write(t *testing.T, ca, keystore []byte) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, data := range map[string][]byte{CAFile: ca, KeystoreFile: keystore} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// negative returns the certificate with a negative serial number. Other libraries accept that.
func negative(t *testing.T, cert *tls.Certificate) []byte {
	t.Helper()
	serial := cert.Leaf.SerialNumber.Bytes()
	at := bytes.Index(cert.Leaf.Raw, serial)
	der := bytes.Clone(cert.Leaf.Raw)
	der[at] |= 0x80
	return der
}

func sample(t *testing.T, name string) []byte {
	t.Helper()
	return must(os.ReadFile(filepath.Join(testdata, name)))(t)
}

func pemOf(cert *tls.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Leaf.Raw})
}

// must ends the test if there is an error.
func must[T any](value T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// load loads credentials without flaws.
func load(t *testing.T, dir string) *tls.Config {
	t.Helper()
	return must(Load(dir, password, func(flaw error) { t.Errorf("warned: %v", flaw) }))(t)
}

// serve accepts TLS connections, sends a byte on each, and returns the address.
func serve(t *testing.T, conf *tls.Config) string {
	t.Helper()
	listener := must(tls.Listen("tcp", "127.0.0.1:0", conf))(t)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := conn.Write([]byte{1}); err == nil {
					io.Copy(io.Discard, conn) // until the client closes the connection
				}
			}()
		}
	}()
	return listener.Addr().String()
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

// describe returns an error as a program reports it: "text", or "text / hint" if it has a hint.
func describe(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return err.Error() + " / " + hinted.Hint()
	}
	return fmt.Sprint(err)
}

// expect checks that an error contains the parts of want, which ... separates, in this order. Its text and its hint
// must be one line without a full stop. An empty want stands for no error.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || want == "" {
		if err != nil || want != "" {
			t.Errorf("error %v, want %q", err, want)
		}
		return
	}
	rest := describe(err)
	if strings.ContainsAny(rest, "\r\n") || strings.HasSuffix(err.Error(), ".") || strings.HasSuffix(rest, ".") {
		t.Errorf("%q is not one line without a full stop", rest)
	}
	for part := range strings.SplitSeq(want, "...") {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("error\n%s\nwant\n%s", describe(err), want)
		}
		rest = after
	}
}
