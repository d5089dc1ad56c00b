// Package issuer makes the certificates of a classroom: a certificate authority, the identities it
// signs for brokers and students, and the folder of files a student is handed.
package issuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"tkafka/pkg/tlsconf"
)

// backdate is how far before now a certificate begins, so that a machine whose clock is a little
// slow does not refuse it as not yet valid.
const backdate = time.Hour

// The files of an authority that is kept in a folder.
const (
	caCertFile = tlsconf.CAFile
	caKeyFile  = "ca.key"
)

// CA is a certificate authority. Its keys are ECDSA P-256: a class of 300 is issued in a moment,
// where RSA takes a minute.
type CA struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	until time.Time // the end of what it signs; zero is its own end
}

// New makes an authority in memory. Its common name tells whose certificates these are, see
// [Folder.Write]; nothing it signs outlives it.
func New(commonName string, lifetime time.Duration) (*CA, error) {
	now := time.Now()
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &CA{cert: cert, key: key}, nil
}

// Load reads the authority that Save left in dir. A folder without one is [os.ErrNotExist].
func Load(dir string) (*CA, error) {
	keyPath := filepath.Join(dir, caKeyFile)
	keyPEM, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, fmt.Errorf("%s holds no key in PEM form", keyPath)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyPath, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T, not an ECDSA key", keyPath, parsed)
	}

	certPath := filepath.Join(dir, caCertFile)
	cert, err := readCert(certPath)
	if errors.Is(err, os.ErrNotExist) {
		// Not ErrNotExist: a new authority cannot be saved here while half of the old one is left.
		return nil, fmt.Errorf("%s is there, but not its certificate %s: remove the key to have both made anew",
			keyPath, certPath)
	}
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s is not the key of %s", keyPath, certPath)
	}
	return &CA{cert: cert, key: key}, nil
}

// Save keeps the authority in dir as ca.crt and ca.key, and makes dir where it is missing. It replaces
// neither file, since everything that an authority has signed is lost with it: where one is, the error
// is [os.ErrExist].
func (ca *CA) Save(dir string) error {
	der, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	certPath := filepath.Join(dir, caCertFile)
	if _, err := os.Lstat(certPath); err == nil {
		return &os.PathError{Op: "save", Path: certPath, Err: os.ErrExist}
	}
	// Exclusively, and before the certificate: of two that save at once only one gets to write that.
	key, err := os.OpenFile(filepath.Join(dir, caKeyFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = pem.Encode(key, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := errors.Join(err, key.Sync(), key.Close()); err != nil {
		return err
	}
	return writeFile(dir, caCertFile, encodeCert(ca.cert), 0o644)
}

// Cert is the authority's own certificate.
func (ca *CA) Cert() *x509.Certificate { return ca.cert }

// Lasting returns the same authority for identities that are valid this long from now. Those of the
// authority itself last as long as it does. One that ends sooner cannot sign for so long: that is an
// error, since a certificate is worth nothing when its authority has expired.
func (ca *CA) Lasting(lifetime time.Duration) (*CA, error) {
	until := time.Now().Add(lifetime)
	if until.After(ca.cert.NotAfter) {
		return nil, fmt.Errorf("the authority %q ends on %s, before what it is to sign", ca.cert.Subject.CommonName,
			ca.cert.NotAfter.Format(time.DateOnly))
	}
	return &CA{cert: ca.cert, key: ca.key, until: until}, nil
}

// Broker issues the identity of a broker. Hosts are the names and addresses under which clients
// reach it; it may also act as a client, since brokers call each other.
func (ca *CA) Broker(name string, hosts ...string) (tls.Certificate, error) {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return ca.sign(template)
}

// Client issues the identity of a student, or of any other client. The brokers take the name for
// the user.
func (ca *CA) Client(name string) (tls.Certificate, error) {
	return ca.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// MutualTLS is how a broker listens in the course: it shows identity, and demands of every client a
// certificate of this authority (ssl.client.auth = required).
func (ca *CA) MutualTLS(identity tls.Certificate) *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{identity},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    pool,
	}
}

// sign fills in what all identities share: a key of its own, and the dates.
func (ca *CA) sign(template *x509.Certificate) (tls.Certificate, error) {
	template.NotBefore = time.Now().Add(-backdate)
	if template.NotBefore.Before(ca.cert.NotBefore) {
		template.NotBefore = ca.cert.NotBefore
	}
	template.NotAfter = ca.cert.NotAfter
	if !ca.until.IsZero() {
		template.NotAfter = ca.until
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

func readCert(path string) (*x509.Certificate, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}
