package tlsconf

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// A BrokerError says why a broker was not accepted. [errors.As] finds it, and in it the error of
// [crypto/x509], below what crypto/tls and a Kafka client wrap around it.
type BrokerError struct {
	Err error // one line, with what mends it
}

func (e *BrokerError) Error() string { return e.Err.Error() }

func (e *BrokerError) Unwrap() error { return e.Err }

// An authority is the content of a [CAFile]: usually one certificate, two while one replaces the other.
type authority struct {
	path  string
	certs []*x509.Certificate // at least one
}

// readAuthority reads certificates in PEM. Unlike [x509.CertPool.AppendCertsFromPEM] it does not pass
// over a damaged one in silence.
func readAuthority(path string) (*authority, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	ca := &authority{path: path}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: damaged certificate: copy the file again: %w", path, err)
		}
		ca.certs = append(ca.certs, cert)
	}
	if len(ca.certs) == 0 {
		return nil, fmt.Errorf("%s: no certificate in it: "+
			"one begins with -----BEGIN CERTIFICATE-----, copy the file again", path)
	}
	return ca, nil
}

// verifyBroker accepts the certificates a broker presented, its own first, if the authority issued
// them for a server. As in a Java client, a certificate that lists its uses must list serverAuth;
// one without a list, as in version 1, may be used for anything.
func (ca *authority) verifyBroker(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return &BrokerError{errors.New("the broker presented no certificate: is this its port for TLS clients?")}
	}
	err := ca.verify(chain, x509.ExtKeyUsageServerAuth)
	if err == nil {
		return nil
	}
	invalid, _ := errors.AsType[x509.CertificateInvalidError](err)
	switch fault := ca.outdated(); {
	case fault != "": // first, as no broker at all can be accepted then
		err = fmt.Errorf("%s: %w", fault, err)
	case isUnknown(err):
		err = fmt.Errorf("the broker's certificate was not issued by %s: "+
			"take the %s of this cluster: %w", ca.path, CAFile, err)
	case invalid.Reason == x509.Expired:
		err = fmt.Errorf("the broker's certificate is not valid now: "+
			"check the clock of this machine, or have it renewed: %w", err)
	default:
		err = fmt.Errorf("the broker's certificate is not fit for a broker: "+
			"tell whoever runs the cluster: %w", err)
	}
	return &BrokerError{err}
}

// verify verifies chain[0] by way of the rest.
func (ca *authority) verify(chain []*x509.Certificate, usage x509.ExtKeyUsage) error {
	// Never nil: in place of no roots, x509 takes the system's.
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

// outdated returns what is wrong if all of the authority's certificates are outside their dates.
func (ca *authority) outdated() string {
	var fault string
	for _, cert := range ca.certs {
		if fault = outdated(cert); fault == "" {
			return ""
		}
	}
	return ca.path + ": its certificate " + fault
}

// outdated returns what is wrong with the dates of a certificate, or nothing.
func outdated(cert *x509.Certificate) string {
	const layout = "2006-01-02 15:04 MST"
	switch now := time.Now(); {
	case now.After(cert.NotAfter):
		return "expired on " + cert.NotAfter.UTC().Format(layout) + ": ask for a new one"
	case now.Before(cert.NotBefore):
		return "is not valid before " + cert.NotBefore.UTC().Format(layout) + ": check the clock of this machine"
	}
	return ""
}
