package tlsconf

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A BrokerError is the reason why the client did not accept a broker. crypto/tls and a Kafka client
// wrap it in errors of their own. [errors.As] finds it, and in it the error of [crypto/x509].
type BrokerError struct {
	Err error // one line; its method Hint returns what the user can do
}

func (e *BrokerError) Error() string { return e.Err.Error() }

func (e *BrokerError) Unwrap() error { return e.Err }

// An authority is the content of a [CAFile]: usually one certificate, or two while one replaces the other.
type authority struct {
	path   string
	certs  []*x509.Certificate // at least one
	hasKey bool                // a private key is in the file, too
}

// readAuthority reads certificates in PEM, or in DER as Windows may save them. A damaged one is an
// error, while [x509.CertPool.AppendCertsFromPEM] would ignore it.
func readAuthority(path string) (*authority, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	ca := &authority{path: path}
	if ca.certs, err = x509.ParseCertificates(data); err == nil {
		return ca, nil
	}
	if bytes.Contains(data, []byte("B\x00E\x00G\x00I\x00N\x00")) {
		return nil, hint(fmt.Errorf("%s: UTF-16, not UTF-8", path), "copy the original file there")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // Windows begins a UTF-8 file with it
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			ca.hasKey = true
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, hint(fmt.Errorf("%s: damaged certificate: %w", path, err), "copy the file again")
		}
		ca.certs = append(ca.certs, cert)
	}
	if len(ca.certs) == 0 {
		return nil, hint(fmt.Errorf("%s: no certificate in it", path),
			"copy the file again; a certificate begins with -----BEGIN CERTIFICATE-----")
	}
	return ca, nil
}

// verifyBroker accepts the certificates that a broker presented, its own first, if the authority
// issued them for a server. As in a Java client, a certificate that lists its uses must list
// serverAuth. A certificate without a list, such as one of version 1, may be used for anything.
func (ca *authority) verifyBroker(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return &BrokerError{hint(errors.New("the broker presented no certificate"), "is this its port for TLS clients?")}
	}
	err := ca.verify(chain, x509.ExtKeyUsageServerAuth)
	if err == nil {
		return nil
	}
	invalid, _ := errors.AsType[x509.CertificateInvalidError](err)
	switch fault := ca.outdated(); {
	case fault != nil: // first, because then no broker at all can be accepted
		err = hint(fmt.Errorf("%w: %w", fault, err), fault.Hint())
	case isUnknown(err):
		err = hint(fmt.Errorf("the broker's certificate was not issued by %s: %w", ca.path, err),
			"use the "+CAFile+" of this cluster")
	case invalid.Reason == x509.Expired:
		err = hint(fmt.Errorf("the broker's certificate is not valid now: %w", err),
			"check the clock of this machine; if it is right, ask the staff to renew the certificate")
	default:
		err = hint(fmt.Errorf("the broker's certificate is not for a broker: %w", err),
			"report this to the staff")
	}
	return &BrokerError{err}
}

// verify verifies chain[0], with the rest as intermediates.
func (ca *authority) verify(chain []*x509.Certificate, usage x509.ExtKeyUsage) error {
	// Never nil: instead of nil, x509 takes the roots of the system.
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	for _, cert := range ca.certs {
		roots.AddCert(cert)
	}
	for _, cert := range chain[1:] {
		intermediates.AddCert(cert)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: intermediates,
		KeyUsages:     []x509.ExtKeyUsage{usage},
	})
	return err
}

func isUnknown(err error) bool {
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	return unknown
}

// outdated returns what is wrong if none of the authority's certificates is valid now.
func (ca *authority) outdated() (fault *hinted) {
	for _, cert := range ca.certs {
		if fault = outdated(ca.path, cert); fault == nil {
			return nil
		}
	}
	return fault
}

// outdated returns what is wrong with the dates of the certificate in the file, or nil.
func outdated(path string, cert *x509.Certificate) *hinted {
	const layout = "2006-01-02 15:04 MST"
	switch now := time.Now(); {
	case now.After(cert.NotAfter):
		return &hinted{fmt.Errorf("%s: its certificate expired on %s", path, cert.NotAfter.UTC().Format(layout)),
			"ask the staff for a new one"}
	case now.Before(cert.NotBefore):
		return &hinted{fmt.Errorf("%s: its certificate is not valid before %s", path, cert.NotBefore.UTC().Format(layout)),
			"check the clock of this machine"}
	}
	return nil
}
