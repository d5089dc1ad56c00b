// Package issuer makes the certificates of a class: a certificate authority, the identities that it
// issues to brokers and students, and the credentials folder of a student.
package issuer

import (
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
	"net"
	"os"
	"path/filepath"
	"time"

	"tkafka/pkg/tlsconf"
)

// KeyFile is the private key of an authority that was saved, beside its certificate ca.crt.
const KeyFile = "ca.key"

// backdate is how long before now a certificate becomes valid. So a machine with a slow clock accepts
// it, too.
const backdate = time.Hour

// CA is a certificate authority. The keys that it makes are ECDSA P-256: for a class of 300, RSA keys
// would take a minute.
type CA struct {
	cert  *x509.Certificate
	key   crypto.Signer
	until time.Time // the end of the certificates that it issues
}

// New makes an authority in memory. By its common name, [Folder.Write] recognises the folders that it
// may replace. No certificate that the authority issues is valid longer than the authority.
func New(commonName string, lifetime time.Duration) (*CA, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             time.Now().Add(-backdate),
		NotAfter:              time.Now().Add(lifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	made, err := (&CA{cert: template}).sign(template)
	if err != nil {
		return nil, err
	}
	return &CA{cert: made.Leaf, key: made.PrivateKey.(crypto.Signer), until: made.Leaf.NotAfter}, nil
}

// Open returns the authority that is kept in the folder dir. If there is no such folder, it makes an
// authority, and keeps it there. It makes both files in another folder and then renames that folder, so
// that dir is never without one of them.
func Open(dir, commonName string, lifetime time.Duration) (*CA, error) {
	if files, _ := os.ReadDir(dir); len(files) > 0 {
		return load(dir)
	}
	ca, err := New(commonName, lifetime)
	if err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".new-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary) // if it was not renamed
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	if err == nil {
		err = errors.Join(
			os.WriteFile(filepath.Join(temporary, KeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600),
			os.WriteFile(filepath.Join(temporary, tlsconf.CAFile), encode(ca.cert), 0o644))
	}
	if err != nil {
		return nil, err
	}
	if err := os.Rename(temporary, dir); err != nil { // another program has just done the same
		return load(dir)
	}
	return ca, nil
}

// load reads the authority in dir. The error contains [os.ErrNotExist] if one of its files
// is missing.
func load(dir string) (*CA, error) {
	saved, err := tls.LoadX509KeyPair(filepath.Join(dir, tlsconf.CAFile), filepath.Join(dir, KeyFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &CA{cert: saved.Leaf, key: saved.PrivateKey.(crypto.Signer), until: saved.Leaf.NotAfter}, nil
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
	template := ca.template(name, x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth)
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
	return ca.sign(ca.template(name, x509.ExtKeyUsageClientAuth))
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

func (ca *CA) template(name string, usages ...x509.ExtKeyUsage) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: name},
		NotBefore:   time.Now().Add(-backdate),
		NotAfter:    ca.until,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: usages,
	}
}

// sign makes a key, and issues the certificate for it. An authority without a key is a new one: its
// certificate is signed with the key that it gets.
func (ca *CA) sign(template *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	signer := ca.key
	if signer == nil {
		signer = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

func encode(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}
