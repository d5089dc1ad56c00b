// Package issuer makes the certificates of a class: a certificate authority, the identities that it
// issues to brokers and students, and the credentials folder of a student.
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

	"tkafka/pkg/cli"
	"tkafka/pkg/tlsconf"
)

// backdate is how long before now a certificate becomes valid. So a machine with a slow clock accepts
// it, too.
const backdate = time.Hour

// KeyFile is the private key of an authority that was saved, beside its certificate.
const KeyFile = "ca.key"

const caCertFile = tlsconf.CAFile

// CA is a certificate authority. All keys are ECDSA P-256. For a class of 300, RSA keys would take a
// minute.
type CA struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	until time.Time // the end of the certificates that it issues; zero means its own end
}

// New makes an authority in memory. By its common name, [Folder.Write] recognises the folders that it
// may replace. No certificate that the authority issues is valid longer than the authority.
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

// Load reads the authority that was saved in dir. The error contains [os.ErrNotExist] if there is none.
func Load(dir string) (*CA, error) {
	keyPath := filepath.Join(dir, KeyFile)
	keyPEM, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyPEM)
	if block == nil {
		return nil, fmt.Errorf("%s: no key in PEM", keyPath)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keyPath, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: the key is not an ECDSA key", keyPath)
	}

	certPath := filepath.Join(dir, caCertFile)
	cert, err := readCert(certPath)
	if errors.Is(err, os.ErrNotExist) {
		// Not ErrNotExist: the caller cannot save a new authority here, because the key exists.
		return nil, cli.WithHint(fmt.Errorf("%s: the certificate of %s is missing", certPath, keyPath),
			"copy the certificate there; if it is lost, delete the key to get a new authority")
	}
	if err != nil {
		return nil, err
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s: not the key of %s", keyPath, certPath)
	}
	return &CA{cert: cert, key: key}, nil
}

// Save writes ca.crt and ca.key to dir, and creates dir if it does not exist. If one of the files exists,
// the error contains [os.ErrExist]: to replace an authority makes all of its certificates useless.
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
	// O_EXCL, and the key first: if two processes save at the same time, only one writes the certificate.
	key, err := os.OpenFile(filepath.Join(dir, KeyFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = pem.Encode(key, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := errors.Join(err, key.Sync(), key.Close()); err != nil {
		return err
	}
	return writeFile(dir, caCertFile, encodeCert(ca.cert), 0o644)
}

// Cert returns the authority's own certificate.
func (ca *CA) Cert() *x509.Certificate { return ca.cert }

// Lasting returns the same authority, but the identities that it issues are valid for this time from
// now. Without Lasting they are valid as long as the authority. It is an error if the authority ends
// before, because a certificate is useless after the end of its authority.
func (ca *CA) Lasting(lifetime time.Duration) (*CA, error) {
	until := time.Now().Add(lifetime)
	if until.After(ca.cert.NotAfter) {
		return nil, fmt.Errorf("the authority %q ends on %s, before the certificates would end",
			ca.cert.Subject.CommonName, ca.cert.NotAfter.Format(time.DateOnly))
	}
	return &CA{cert: ca.cert, key: ca.key, until: until}, nil
}

// Broker issues the identity of a broker. Hosts are the names and IP addresses that clients use for
// it. The certificate is valid for a client, too, because brokers connect to each other.
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

// Client issues the identity of a student or of another client. For the brokers, the name is the user.
func (ca *CA) Client(name string) (tls.Certificate, error) {
	return ca.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
}

// MutualTLS returns the configuration of a broker with this identity. It accepts only clients with a
// certificate of this authority (ssl.client.auth=required).
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

// sign makes a key, and issues the certificate for it.
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
	block, rest := pem.Decode(data)
	for block != nil && block.Type != "CERTIFICATE" {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, fmt.Errorf("%s: no certificate in PEM", path)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return cert, nil
}
