package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"software.sslmate.com/src/go-pkcs12"
)

// ErrPassword is in the error of [Load] when the keystore has another password.
var ErrPassword = errors.New("wrong password")

// decode decodes a PKCS#12 file with one private key.
func decode(data []byte, password string) (*tls.Certificate, error) {
	key, first, others, err := pkcs12.DecodeChain(data, password)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, hint(ErrPassword, "set KAFKA_KEYSTORE_PASSWORD, or ssl.keystore.password in client-ssl.properties")
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, hint(errors.New("PEM text, not PKCS#12"), "copy the original file there")
	case err != nil:
		return nil, hint(fmt.Errorf("cannot decode it: %w", err),
			"copy the original file there, as a binary file; if this is the original, ask the staff for a new one")
	}
	chain := chainFor(key, append([]*x509.Certificate{first}, others...))
	if chain == nil {
		return nil, hint(errors.New("none of its certificates belongs to its private key"), "ask the staff for a new one")
	}
	certificate := &tls.Certificate{PrivateKey: key, Leaf: chain[0]}
	for _, cert := range chain {
		certificate.Certificate = append(certificate.Certificate, cert.Raw)
	}
	return certificate, nil
}

// chainFor returns the certificate for key and its issuers, as far as certs holds them, or nil. The
// order in the file means nothing: an authority that was imported before the key comes first.
func chainFor(key any, certs []*x509.Certificate) (chain []*x509.Certificate) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil
	}
	public := signer.Public().(interface{ Equal(crypto.PublicKey) bool }) // as all of crypto's keys
	next := slices.IndexFunc(certs, func(cert *x509.Certificate) bool { return public.Equal(cert.PublicKey) })
	for next >= 0 {
		cert := certs[next]
		chain = append(chain, cert)
		if bytes.Equal(cert.RawSubject, cert.RawIssuer) {
			break // the root
		}
		certs = slices.Delete(certs, next, next+1) // so that the loop ends in any case
		next = slices.IndexFunc(certs, func(issuer *x509.Certificate) bool {
			return cert.CheckSignatureFrom(issuer) == nil
		})
	}
	return chain
}
