package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// readAuthorities reads certificates in PEM: usually one, and two while one replaces the other. It skips nothing
// that begins like one, because that would show only later, when a broker is not accepted.
func readAuthorities(path string) (authorities []*x509.Certificate, err error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	const begin = "-----BEGIN "
	parts, line := strings.Split(string(data), begin), 1
	for i, part := range parts[1:] {
		line += strings.Count(parts[i], "\n")
		var cert *x509.Certificate
		remedy := "copy the file again; if that does not help, ask the staff for a new one"
		switch block, _ := pem.Decode([]byte(begin + part)); { // one at a time, because Decode skips what it cannot read
		case block == nil:
			err = errors.New("cannot read what begins here")
			remedy = "copy the file again; a certificate ends with -----END CERTIFICATE-----, and its lines do not begin with blanks"
		case !strings.HasSuffix(block.Type, "CERTIFICATE"): // OpenSSL reads X509 CERTIFICATE, too
			err = fmt.Errorf("%s, but only certificates belong in this file", block.Type)
		default:
			if cert, err = x509.ParseCertificate(block.Bytes); err != nil {
				err = fmt.Errorf("a certificate that Go does not accept: %w", err)
			}
		}
		if err != nil {
			return nil, hint(fmt.Errorf("%s:%d: %w", path, line, err), remedy)
		}
		authorities = append(authorities, cert)
	}
	if authorities == nil {
		return nil, hint(fmt.Errorf("%s: no line %sCERTIFICATE----- in it, as UTF-8 text", path, begin),
			fmt.Sprintf("copy the file again; or convert it from DER: openssl x509 -inform DER -in %[1]q -out %[1]q", path))
	}
	return authorities, nil
}

// readKeystore reads a PKCS#12 file with one private key.
func readKeystore(path, password string) (*tls.Certificate, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	key, first, others, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, explain(err, path, data)
	}
	client := clientFor(key, append([]*x509.Certificate{first}, others...))
	if client == nil {
		return nil, hint(fmt.Errorf("%s: none of its certificates belongs to its private key", path),
			"ask the staff for a new one")
	}
	return client, nil
}

// ErrPassword is in the error of [Load] when the password is not the one of the keystore.
var ErrPassword = errors.New("wrong password")

// explain explains an error of go-pkcs12, which has values for only a few of them. Most of what it does not read,
// such as the encoding BER, other tools read and convert. So no file is called damaged, unless it is cut short.
func explain(err error, path string, data []byte) error {
	const again = "copy the original file there again, as a binary file"
	keytool := fmt.Sprintf("keytool -importkeystore -srcstoretype JKS -srckeystore %[1]q "+
		"-deststoretype PKCS12 -destkeystore new.p12 && mv new.p12 %[1]q", path)
	text := strings.TrimPrefix(err.Error(), "pkcs12: ")
	has := func(part string) bool { return strings.Contains(text, part) }
	cause := errors.New("Go cannot read it, but other tools may: " + text)
	remedy := fmt.Sprintf("convert it: openssl pkcs12 -in %[1]q -nodes -out key.pem && "+
		"openssl pkcs12 -export -in key.pem -out %[1]q && rm key.pem; if that fails, "+again, path)
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		cause, remedy = ErrPassword, "use the password that came with the file; if it is this one, the file was changed: "+again
	case bytes.Contains(data, []byte("-----BEGIN ")):
		cause = errors.New("PEM text, not PKCS#12")
		remedy = fmt.Sprintf("if it has the key, convert it: openssl pkcs12 -export -in %[1]q -out %[1]q; if not, "+again, path)
	case !bytes.HasPrefix(data, []byte{0x30}): // a sequence in ASN.1
		cause, remedy = errors.New("not a PKCS#12 file"), again+"; a Java keystore (JKS) is converted by "+keytool
	case has("error reading P12 data") && has("truncated"):
		cause, remedy = errors.New("cut short, or not a PKCS#12 file"), again
	case has("private key missing"):
		cause, remedy = errors.New("no private key in it"), "is this the truststore? Copy the keystore there"
	case has("decryption error"), has("unmarshaling decrypted private key"): // the password of the file itself is right
		cause = errors.New("its private key has another password than the file (ssl.key.password)")
		remedy = "give it the same one: " + keytool
	case has("x509: "):
		cause, remedy = errors.New("Go does not accept what is in it: "+text), "ask the staff for a new one, with an RSA key"
	}
	return hint(fmt.Errorf("%s: %w", path, cause), remedy)
}

// clientFor returns the key, its certificate, and the issuers, as far as certs holds them; or nil. The order in
// the file means nothing: an authority that was imported before the key comes first.
func clientFor(key any, certs []*x509.Certificate) *tls.Certificate {
	public := key.(interface{ Public() crypto.PublicKey }).Public()   // all keys of crypto have these methods
	equal := public.(interface{ Equal(crypto.PublicKey) bool }).Equal // (see crypto.PrivateKey)
	next := slices.IndexFunc(certs, func(cert *x509.Certificate) bool { return equal(cert.PublicKey) })
	if next < 0 {
		return nil
	}
	client := &tls.Certificate{PrivateKey: key, Leaf: certs[next]}
	for next >= 0 {
		cert := certs[next]
		client.Certificate = append(client.Certificate, cert.Raw)
		certs = slices.Delete(certs, next, next+1) // so that the loop ends in any case
		next = slices.IndexFunc(certs, func(issuer *x509.Certificate) bool {
			isRoot := bytes.Equal(cert.RawIssuer, cert.RawSubject)
			return !isRoot && (cert.CheckSignatureFrom(issuer) == nil || refusal(cert, issuer) != nil)
		})
	}
	return client
}

// readFile reads a file of the folder.
func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = hint(fmt.Errorf("%s: %w", path, fs.ErrNotExist), "copy the whole credentials folder")
	case errors.Is(err, fs.ErrPermission):
		err = hint(fmt.Errorf("%s: %w", path, fs.ErrPermission), "only its owner may read it; "+
			`in a container, run as the owner: docker run --user "$(id -u):$(id -g)"`)
	}
	return data, err
}

// refusal returns why Go does not check the signature of the issuer that a certificate names: it uses SHA-1, the RSA
// key has less than 1024 bits, or the issuer has no right to sign. It returns nil if the signature is right or wrong.
func refusal(cert, issuer *x509.Certificate) error {
	if cert == nil || !bytes.Equal(cert.RawIssuer, issuer.RawSubject) || bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		return nil
	}
	err := cert.CheckSignatureFrom(issuer)
	if err != nil && (strings.Contains(err.Error(), "insecure") || strings.Contains(err.Error(), "cannot")) {
		return err
	}
	return nil
}

// hinted is an error with a hint: what the user can do about it.
type hinted struct {
	error
	hint string
}

func hint(err error, hint string) error { return &hinted{err, hint} }

func (h *hinted) Hint() string  { return h.hint }
func (h *hinted) Unwrap() error { return h.error }
