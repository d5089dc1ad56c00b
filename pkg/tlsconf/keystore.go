package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// ErrPassword is in the error of [Load] when the keystore has another password.
var ErrPassword = errors.New("wrong password")

// An identity is what a keystore holds: a private key, the certificate for it, and the certificates
// of those who issued it, each the issuer of the one before.
type identity struct {
	key   crypto.Signer
	chain []*x509.Certificate
}

func (id *identity) certificate() *tls.Certificate {
	certificate := &tls.Certificate{PrivateKey: id.key, Leaf: id.chain[0]}
	for _, cert := range id.chain {
		certificate.Certificate = append(certificate.Certificate, cert.Raw)
	}
	return certificate
}

// decodeTime leaves a program that has to answer within 5 seconds time for the rest. An ordinary
// keystore takes some milliseconds.
const decodeTime = 3 * time.Second

func readKeystore(path, password string) (*identity, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	id, err := decodeWithin(decodeTime, data, password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return id, nil
}

// decodeWithin gives up after the limit. How long a keystore takes is written in itself: to slow
// down guessing, it names the number of times its password has to be hashed, and nothing keeps it from
// naming millions. Checking the numbers first is no way out: the one for the private key may stand
// inside what another one encrypts. Nor can the decoding be cancelled. So it is left behind, which
// costs a processor until the program ends; that is soon, as there is nothing to do without credentials.
func decodeWithin(limit time.Duration, data []byte, password string) (*identity, error) {
	type result struct {
		id  *identity
		err error
	}
	done := make(chan result, 1) // buffered, so that the one left behind can end
	go func() {
		id, err := decode(data, password)
		done <- result{id, err}
	}()
	select {
	case r := <-done:
		return r.id, r.err
	case <-time.After(limit):
		return nil, fmt.Errorf("not decoded after %v: its iteration count is too high, "+
			"make it again with openssl pkcs12 -export -iter 10000", limit)
	}
}

// decode decodes a PKCS#12 file with exactly one private key.
func decode(data []byte, password string) (*identity, error) {
	der, err := trim(data)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(password, func(r rune) bool { return r > 0xFFFF }) {
		return nil, errors.New("its password may hold no characters outside UCS-2, such as emoji: " +
			"change it with keytool -storepasswd")
	}
	key, first, others, err := pkcs12.DecodeChain(der, password)
	if err != nil {
		return nil, explain(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("its private key cannot sign: make a new one of type RSA, ECDSA or Ed25519")
	}
	chain := chainFor(signer, append([]*x509.Certificate{first}, others...))
	if chain == nil {
		return nil, errors.New("no certificate in it belongs to its private key: import the one issued for this key")
	}
	return &identity{signer, chain}, nil
}

// trim returns the one DER value in data. White space may follow: an editor or a shell adds a newline.
func trim(data []byte) ([]byte, error) {
	const sequence = 0x30 // the first byte of every PKCS#12 file
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(data, &value)
	switch {
	case bytes.HasPrefix(data, []byte{0xFE, 0xED, 0xFE, 0xED}):
		return nil, errors.New("a Java keystore (JKS), not PKCS#12: " +
			"convert it with keytool -importkeystore -deststoretype PKCS12")
	case bytes.HasPrefix(data, []byte{sequence}) && err != nil:
		return nil, errors.New("cut short or damaged: copy it again, as a binary file")
	case bytes.HasPrefix(data, []byte{sequence}) && len(bytes.TrimSpace(rest)) == 0:
		return value.FullBytes, nil
	case bytes.HasPrefix(data, []byte{sequence}):
		return nil, fmt.Errorf("%d bytes too long: copy it again, as a binary file", len(rest))
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, errors.New("PEM text, not PKCS#12: " +
			"make a keystore of the certificate and its key with openssl pkcs12 -export")
	default:
		return nil, errNotPKCS12
	}
}

var errNotPKCS12 = errors.New("not a PKCS#12 file: copy the original here")

// explain says what mends an error of the pkcs12 package. It has values only for some of
// its errors; the others are known by their text, on which the tests keep an eye.
func explain(err error) error {
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return fmt.Errorf("%w: set KAFKA_KEYSTORE_PASSWORD, or ssl.keystore.password in client-ssl.properties", ErrPassword)
	}
	switch text := err.Error(); {
	case strings.HasPrefix(text, "pkcs12: error reading P12 data"):
		return errNotPKCS12
	case text == "pkcs12: private key missing":
		return errors.New("no private key in it: is it a truststore in the keystore's place?")
	case text == "pkcs12: certificate missing":
		return errors.New("no certificate in it: make it again with openssl pkcs12 -export -in <certificate>")
	case text == "pkcs12: expected exactly one key bag":
		return errors.New("more than one private key in it: keep one, remove the others with keytool -delete -alias <name>")
	case text == "pkcs12: no MAC in data":
		return errors.New("no checksum (MAC) in it, so its password cannot be checked: " +
			"make it again with openssl pkcs12 -export, without -nomac")
	default:
		return fmt.Errorf("not understood: make it again with openssl pkcs12 -export: %w", err)
	}
}

// chainFor returns the certificate for key and its issuers, as far as they are among certs, or nil.
// The order in the file says nothing: an authority that was imported before the key comes first.
func chainFor(key crypto.Signer, certs []*x509.Certificate) []*x509.Certificate {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok {
		return nil
	}
	var chain []*x509.Certificate
	next := slices.IndexFunc(certs, func(cert *x509.Certificate) bool { return public.Equal(cert.PublicKey) })
	for next >= 0 {
		cert := certs[next]
		chain = append(chain, cert)
		if bytes.Equal(cert.RawSubject, cert.RawIssuer) {
			break // the root
		}
		certs = slices.Delete(certs, next, next+1) // so that the loop ends, whatever signed what
		next = slices.IndexFunc(certs, func(issuer *x509.Certificate) bool {
			return cert.CheckSignatureFrom(issuer) == nil
		})
	}
	return chain
}
