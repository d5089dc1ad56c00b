// Package tlsconf turns a folder of Kafka credentials into the client's side of mutual TLS.
//
// Load reads two files of the folder. With [CAFile], the client checks the brokers. With [KeystoreFile], the
// brokers check the client, and look for the rights (ACLs) of the name in its certificate. Other clients
// name them in these options:
//
//	                Java                      librdkafka (Python, Rust, kcat)
//	[CAFile]        ssl.truststore.location   ssl.ca.location
//	[KeystoreFile]  ssl.keystore.location     ssl.keystore.location
package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
// if a file is missing. Load only warns about an expired certificate, which a broker must judge, and
// about a keystore that other users can read. Warn may be nil.
//
// A connection to a broker that the client does not accept fails with such an error, too. crypto/tls and a Kafka
// client wrap it. [errors.As] finds it, and in it the error of [crypto/x509].
func Load(dir, password string, warn func(flaw error)) (*tls.Config, error) {
	caPath, keystorePath := filepath.Join(dir, CAFile), filepath.Join(dir, KeystoreFile)
	authorities, err := readAuthorities(caPath)
	if err != nil {
		return nil, err
	}
	client, err := readKeystore(keystorePath, password)
	if err != nil {
		return nil, err
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
			return verify(state.PeerCertificates, authorities, caPath)
		},
	}, nil
}

func warnAbout(path string, cert *x509.Certificate, warn func(flaw error)) {
	if now := time.Now(); now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
		warn(hint(fmt.Errorf("%s: its certificate is valid from %v to %v", path, cert.NotBefore, cert.NotAfter),
			"check the clock of this machine; if it is right, ask the staff for a new one"))
	}
	// Where files have no permissions, all look executable (Windows in WSL), or readable for all (Windows).
	info, err := os.Stat(path)
	if err == nil && info.Mode()&0o077 != 0 && info.Mode()&0o111 == 0 && runtime.GOOS != "windows" {
		warn(hint(fmt.Errorf("%s: its mode %04o lets other users read your private key", path, info.Mode().Perm()),
			fmt.Sprintf("chmod 600 %q", path)))
	}
}

// verify accepts the certificates that a broker presented, its own first, if one of the authorities issued
// them for a server. A certificate without a list of uses, such as one of version 1, may be used for anything.
func verify(chain, authorities []*x509.Certificate, caPath string) error {
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool() // never nil: that means those of the system
	for _, cert := range authorities {
		roots.AddCert(cert)
	}
	for _, cert := range chain[1:] { // crypto/tls refuses a server without a certificate
		intermediates.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
	if err == nil {
		return nil
	}
	unknown, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	for _, issuer := range slices.Concat(authorities, chain[1:]) {
		// x509 calls an authority unknown, too, if it is the right one, but Go does not accept its signature.
		if cause := refusal(unknown.Cert, issuer); isUnknown && cause != nil {
			err, isUnknown = cause, false
		}
	}
	switch invalid, _ := errors.AsType[x509.CertificateInvalidError](err); {
	case isUnknown:
		return hint(fmt.Errorf("the broker's certificate was not issued by %s: %w", caPath, err),
			"use the "+CAFile+" of this cluster")
	case invalid.Reason == x509.Expired:
		return hint(fmt.Errorf("the certificate of %s is not valid now: %w", invalid.Cert.Subject, err),
			"check the clock of this machine; if it is right, ask the staff for a new one")
	}
	return hint(fmt.Errorf("the broker has a certificate that Go does not accept: %w", err), "report this to the staff")
}
