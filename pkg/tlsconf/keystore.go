package tlsconf

import (
	"bytes"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

// ErrPassword is in the error of [Load] when the keystore has another password.
var ErrPassword = errors.New("wrong password")

// An identity is the content of a keystore: a private key, its certificate, and the certificates of
// the issuers, each the issuer of the one before.
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

// decodeTime is how long a keystore may take to decode. A program must answer within 5 seconds, and
// needs time for the rest. An ordinary keystore takes some milliseconds.
const decodeTime = 3 * time.Second

const askForNew = "copy the original file there; if this is the original, ask the staff for a new one"

func readKeystore(path, password string) (*identity, error) {
	data, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if other := otherKeystore(filepath.Dir(path)); other != "" {
			return nil, hint(fmt.Errorf("%w, but %s does", err, other), "rename it: mv "+quote(other)+" "+quote(path))
		}
	}
	if err != nil {
		return nil, err
	}
	id, err := decodeWithin(decodeTime, data, password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return id, nil
}

// otherKeystore returns the file in dir that is the keystore under another name, or "".
func otherKeystore(dir string) string {
	for _, pattern := range []string{"*keystore*", "*.pkcs12", "*.p12", "*.pfx"} {
		names, _ := fs.Glob(os.DirFS(dir), pattern)
		for _, name := range names {
			if !strings.Contains(name, "truststore") {
				return filepath.Join(dir, name)
			}
		}
	}
	return ""
}

// Exposed returns the mode of a file with a private key, and whether it lets other users read the
// file. On a disk without such permissions, as those of Windows in WSL, all files look executable.
func Exposed(path string) (mode fs.FileMode, exposed bool) {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" {
		return 0, false
	}
	mode = info.Mode().Perm()
	return mode, mode&0o077 != 0 && mode&0o111 == 0
}

// decodeWithin stops waiting after the limit. The keystore itself decides how long it takes: it names
// the number of times that its password is hashed, and that can be many millions. To check the number
// first does not help, since the one for the private key may be inside an encrypted part. And nothing
// can cancel the decoding. So after the limit it continues in the background, until the program ends:
// soon, because a program without credentials has nothing to do.
func decodeWithin(limit time.Duration, data []byte, password string) (*identity, error) {
	type result struct {
		id  *identity
		err error
	}
	done := make(chan result, 1) // buffered, so that the goroutine can end after the limit, too
	go func() {
		id, err := decode(data, password)
		done <- result{id, err}
	}()
	select {
	case r := <-done:
		return r.id, r.err
	case <-time.After(limit):
		return nil, hint(fmt.Errorf("not decoded after %v: its iteration count is too high", limit), askForNew)
	}
}

// decode decodes a PKCS#12 file with exactly one private key.
func decode(data []byte, password string) (*identity, error) {
	der, err := trim(data)
	if err != nil {
		return nil, err
	}
	if strings.ContainsFunc(password, func(r rune) bool { return r > 0xFFFF }) {
		return nil, hint(errors.New("its password has a character outside UCS-2, such as an emoji"),
			"change the password with keytool -storepasswd")
	}
	key, first, others, err := pkcs12.DecodeChain(der, password)
	if err != nil {
		return nil, explain(err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, hint(errors.New("its private key cannot sign"), "make a new key of type RSA, ECDSA or Ed25519")
	}
	chain := chainFor(signer, append([]*x509.Certificate{first}, others...))
	if chain == nil {
		return nil, hint(errors.New("none of its certificates belongs to its private key"),
			"import the certificate that was issued for this key")
	}
	return &identity{signer, chain}, nil
}

// trim returns the one DER value in data. White space may follow it: editors and shells add a newline.
func trim(data []byte) ([]byte, error) {
	const sequence = 0x30 // the first byte of every PKCS#12 file
	var value asn1.RawValue
	rest, err := asn1.Unmarshal(data, &value)
	switch {
	case bytes.HasPrefix(data, []byte{0xFE, 0xED, 0xFE, 0xED}):
		return nil, hint(errors.New("a Java keystore (JKS), not PKCS#12"),
			"convert it with keytool -importkeystore -deststoretype PKCS12")
	case bytes.HasPrefix(data, []byte{sequence}) && err != nil:
		return nil, hint(errors.New("cut short or damaged"), "copy it again, as a binary file")
	case bytes.HasPrefix(data, []byte{sequence}) && len(bytes.TrimSpace(rest)) == 0:
		return value.FullBytes, nil
	case bytes.HasPrefix(data, []byte{sequence}):
		return nil, hint(fmt.Errorf("%d bytes too long", len(rest)), "copy it again, as a binary file")
	case bytes.Contains(data, []byte("-----BEGIN ")):
		return nil, hint(errors.New("PEM text, not PKCS#12"),
			"make a keystore of the certificate and its key with openssl pkcs12 -export")
	default:
		return nil, errNotPKCS12
	}
}

var errNotPKCS12 = hint(errors.New("not a PKCS#12 file"), "copy the original file there")

// explain adds a hint to an error of the pkcs12 package. The package has values only for some of its
// errors. The others are recognised by their text, and the tests check these texts.
func explain(err error) error {
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		return hint(ErrPassword, "set KAFKA_KEYSTORE_PASSWORD, or ssl.keystore.password in client-ssl.properties")
	}
	switch text := err.Error(); {
	case strings.HasPrefix(text, "pkcs12: error reading P12 data"):
		return errNotPKCS12
	case text == "pkcs12: private key missing":
		return hint(errors.New("no private key in it"), "is this the truststore? Copy the keystore there")
	case text == "pkcs12: certificate missing":
		return hint(errors.New("no certificate in it"), askForNew)
	case text == "pkcs12: expected exactly one key bag":
		return hint(errors.New("more than one private key in it"), "remove the others with keytool -delete -alias <name>")
	case text == "pkcs12: no MAC in data":
		return hint(errors.New("no checksum (MAC) in it, so nothing can check its password"),
			askForNew)
	default:
		return hint(fmt.Errorf("cannot decode it: %w", err), askForNew)
	}
}

// chainFor returns the certificate for key and its issuers, as far as certs holds them, or nil. The
// order in the file means nothing: an authority that was imported before the key comes first.
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
		certs = slices.Delete(certs, next, next+1) // so that the loop ends in any case
		next = slices.IndexFunc(certs, func(issuer *x509.Certificate) bool {
			return cert.CheckSignatureFrom(issuer) == nil
		})
	}
	return chain
}
