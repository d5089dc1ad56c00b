// Package tlsconf turns a folder of Kafka credentials into the client's side of mutual TLS.
//
// The folder holds two files. By [CAFile] the client checks the brokers, by [KeystoreFile] the brokers
// check the client: the name in its certificate is the user whose rights (ACLs) count.
// To a client in Java these are ssl.truststore.location, where the authority's certificate is in a
// keystore too, and ssl.keystore.location; to one built on librdkafka ssl.ca.location and
// ssl.keystore.location.
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// The files of a credentials folder.
const (
	CAFile       = "ca.crt"                // the authority that issues the brokers' certificates, in PEM
	KeystoreFile = "kafka.keystore.pkcs12" // the client's private key and certificate
)

// Load reads the credentials in dir and returns a configuration that presents them to every broker
// and accepts only brokers whose certificate was issued by dir's [CAFile]. The password is the one
// of the keystore (ssl.keystore.password).
//
// An error is one line that names the file and the cause. Its method Hint() string returns what the
// user can do about it. It contains [ErrPassword] if the password is wrong and [io/fs.ErrNotExist]
// if a file is missing. An expired certificate, which only a broker can judge, and a keystore that other
// users may read are no errors: Load calls warn with each of them. Warn may be nil.
//
// A connection to a broker that the client does not accept fails with a [*BrokerError].
func Load(dir, password string, warn func(flaw error)) (*tls.Config, error) {
	caPath, keystorePath := filepath.Join(dir, CAFile), filepath.Join(dir, KeystoreFile)
	data, err := readFile(caPath)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool() // not nil: that means the authorities of the system
	if !roots.AppendCertsFromPEM(data) {
		return nil, hint(fmt.Errorf("%s: no certificate in it", caPath),
			"copy the file again; a certificate begins with -----BEGIN CERTIFICATE-----")
	}
	if data, err = readFile(keystorePath); err != nil {
		return nil, err
	}
	client, err := decode(data, password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keystorePath, err)
	}
	if warn != nil {
		warnAbout(keystorePath, client.Leaf, warn)
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,

		// Not Certificates: of those, Go presents only one that fits the authorities that the broker
		// lists. If none fits, the broker reports that the certificate is missing ("certificate
		// required"), and not what is wrong with it ("unknown certificate authority").
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return client, nil
		},

		// ssl.endpoint.identification.algorithm=none: the brokers' certificates are of X.509 version 1
		// and have no host names. Go cannot skip the name alone, so its whole check is off, and
		// VerifyConnection does the rest of it. The price: everybody with a certificate of this
		// authority, also another student, could pretend to be a broker.
		InsecureSkipVerify: true,

		// Not VerifyPeerCertificate: Go skips it when a session is resumed. Without a
		// ClientSessionCache none is resumed, but if somebody adds one, the check must stay.
		VerifyConnection: func(state tls.ConnectionState) error {
			return verify(state.PeerCertificates, roots, caPath)
		},
	}, nil
}

func warnAbout(path string, cert *x509.Certificate, warn func(flaw error)) {
	if now := time.Now(); now.After(cert.NotAfter) || now.Before(cert.NotBefore) {
		warn(hint(fmt.Errorf("%s: its certificate is valid from %s to %s", path, cert.NotBefore.Format(time.DateTime),
			cert.NotAfter.Format(time.DateTime)), "check the clock of this machine; if it is right, ask the staff for a new one"))
	}
	// On a disk without such permissions, as those of Windows in WSL, all files look executable.
	if info, err := os.Stat(path); err == nil && info.Mode()&0o077 != 0 && info.Mode()&0o111 == 0 {
		warn(hint(fmt.Errorf("%s: its mode %04o lets other users read your private key", path, info.Mode().Perm()),
			fmt.Sprintf("chmod 600 %q", path)))
	}
}

// A BrokerError is the reason why the client did not accept a broker. crypto/tls and a Kafka client
// wrap it in errors of their own. [errors.As] finds it, and in it the error of [crypto/x509].
type BrokerError struct {
	Err error // one line; its method Hint returns what the user can do
}

func (e *BrokerError) Error() string { return e.Err.Error() }
func (e *BrokerError) Unwrap() error { return e.Err }

// verify accepts the certificates that a broker presented, its own first, if one of the roots issued
// them for a server. A certificate without a list of uses, such as one of version 1, may be used for
// anything.
func verify(chain []*x509.Certificate, roots *x509.CertPool, caPath string) error {
	intermediates := x509.NewCertPool()
	for _, cert := range chain[1:] { // crypto/tls refuses a server without a certificate
		intermediates.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &unknown):
		err = hint(fmt.Errorf("the broker's certificate was not issued by %s: %w", caPath, err),
			"use the "+CAFile+" of this cluster")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		err = hint(fmt.Errorf("the certificate of the broker or in %s is not valid now: %w", caPath, err),
			"check the clock of this machine; if it is right, ask the staff to renew the certificate")
	default:
		err = hint(fmt.Errorf("the broker's certificate is not for a broker: %w", err), "report this to the staff")
	}
	return &BrokerError{err}
}

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, hint(fmt.Errorf("%s: %w", path, fs.ErrNotExist), "copy the whole credentials folder")
	case errors.Is(err, fs.ErrPermission):
		return nil, hint(fmt.Errorf("%s: %w", path, fs.ErrPermission), "only its owner may read it; "+
			`in a container, run as the owner: docker run --user "$(id -u):$(id -g)"`)
	case err != nil:
		return nil, fmt.Errorf("cannot read the credentials: %w", err) // it names the file
	case len(data) == 0:
		return nil, hint(fmt.Errorf("%s: empty file", path), "copy it again")
	}
	return data, nil
}

// hinted is an error with a hint: what the user can do about it.
type hinted struct {
	error
	hint string
}

func hint(err error, hint string) error { return &hinted{err, hint} }

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }
