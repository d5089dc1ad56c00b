package issuer

import (
	"archive/zip"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// Folder is the content of a credentials folder, which the staff gives to a student.
type Folder struct {
	CA       *CA
	Identity tls.Certificate // from CA.Client
	Brokers  []string        // host:port, for bootstrap.servers
	Password string          // of both stores; empty means settings.DefaultPassword
}

// Write writes the files to dir, and creates dir if it does not exist:
//
//	ca.crt                   the authority, in PEM
//	kafka.keystore.pkcs12    the private key, its certificate and the authority; only the owner may read it
//	kafka.truststore.pkcs12  the authority, for Java
//	client-ssl.properties    the settings for Kafka's own tools; not written without Brokers
//
// Write replaces only files of an earlier Write: ca.crt is of an authority with the same common name, and
// the keystore has the same Password and was issued under that name. Otherwise the error contains
// [ErrForeign], and nothing is changed.
func (f Folder) Write(dir string) error {
	_, err := f.write(dir, false)
	return err
}

// Complete writes the files that are missing in dir, and returns their number. It never changes a file
// that exists, so the Identity is used only if there is no keystore. If another authority issued the
// files in dir, the error contains [ErrForeign].
func (f Folder) Complete(dir string) (int, error) { return f.write(dir, true) }

// WriteFolder issues the identity of a client, and writes its credentials folder: the [Folder] with
// the default password.
func (ca *CA) WriteFolder(dir, client string, brokers []string) error {
	identity, err := ca.Client(client)
	if err != nil {
		return err
	}
	return Folder{CA: ca, Identity: identity, Brokers: brokers}.Write(dir)
}

func (f Folder) write(dir string, keep bool) (written int, err error) {
	if f.Password == "" {
		f.Password = settings.DefaultPassword
	}
	files, err := f.files()
	if err == nil {
		err = f.check(dir, files, keep)
	}
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	for _, file := range files {
		path := filepath.Join(dir, file.name)
		if _, missing := os.Stat(path); err == nil && (missing != nil || !keep) {
			written++
			err = writeFile(path, file.content, file.mode)
		}
	}
	return written, err
}

// file is one file of a folder.
type file struct {
	name    string
	mode    os.FileMode
	content []byte
}

// files returns the files in the order in which they are written. ca.crt is the first. If the program is
// stopped before the last file, ca.crt shows that the folder is ours.
func (f Folder) files() ([]file, error) {
	// client-ssl.properties would need escapes for these characters, and not every tool reads escapes.
	if strings.ContainsAny(f.Password, "\\\r\n\t") || strings.TrimSpace(f.Password) != f.Password {
		return nil, cli.WithHint(errors.New("client-ssl.properties cannot contain this password of the keystore"),
			"use a password without backslashes, tabs, line ends, and spaces at its beginning or end")
	}
	encoder := pkcs12.Modern2023 // not pkcs12.Modern, which may change; Java 12 and later read this one
	authority := []*x509.Certificate{f.CA.cert}
	keystore, err := encoder.Encode(f.Identity.PrivateKey, f.Identity.Leaf, authority, f.Password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tlsconf.KeystoreFile, err)
	}
	const truststoreFile = "kafka.truststore.pkcs12"
	truststore, err := encoder.EncodeTrustStore(authority, f.Password)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", truststoreFile, err)
	}
	files := []file{
		{tlsconf.CAFile, 0o644, encode(f.CA.cert)},
		{tlsconf.KeystoreFile, 0o600, keystore},
		{truststoreFile, 0o644, truststore},
	}
	if len(f.Brokers) > 0 {
		// The stores have no path, as in the course: Kafka's tools run in the folder.
		files = append(files, file{settings.PropertiesFile, 0o644, fmt.Appendf(nil, `bootstrap.servers=%s
security.protocol=SSL
ssl.truststore.location=%s
ssl.truststore.password=%s
ssl.truststore.type=PKCS12
ssl.keystore.location=%s
ssl.keystore.password=%[3]s
ssl.keystore.type=PKCS12
ssl.endpoint.identification.algorithm=
`, strings.Join(f.Brokers, ","), truststoreFile, f.Password, tlsconf.KeystoreFile)})
	}
	return files, nil
}

// ErrForeign is in an error about a folder with the credentials of another authority.
var ErrForeign = errors.New("the credentials in this folder belong to another cluster, or have another password")

// check checks that the files in dir are ours, because one of them may be the only copy of somebody's key. To
// keep them, they must be of the same authority; to replace them, of one with the same name.
func (f Folder) check(dir string, files []file, keep bool) error {
	name, ours := f.CA.cert.Subject.CommonName, false
	for _, file := range files { // ca.crt is the first
		content, err := os.ReadFile(filepath.Join(dir, file.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		switch file.name {
		case tlsconf.CAFile:
			block, _ := pem.Decode(content)
			if block != nil {
				ca, err := x509.ParseCertificate(block.Bytes)
				ours = err == nil && (ca.Equal(f.CA.cert) || !keep && ca.Subject.CommonName == name)
			}
		case tlsconf.KeystoreFile:
			_, leaf, _, err := pkcs12.DecodeChain(content, f.Password)
			ours = ours && err == nil && leaf.Issuer.CommonName == name
		}
		if !ours {
			return fmt.Errorf("%s: %w (%s)", dir, ErrForeign, file.name)
		}
	}
	return nil
}

// Pack packs the files of a credentials folder into a zip file, which a student unpacks as auth/. Only its
// owner may read the zip file, because it contains the keystore.
func Pack(dir, path string) error {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close()); err != nil {
		return err
	}
	return writeFile(path, archive.Bytes(), 0o600)
}

// writeFile writes a complete file and then renames it. A reader sees the old file or the new one.
func writeFile(path string, data []byte, mode os.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // no other user may read it
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // if it was not renamed
	_, err = file.Write(data)
	if err := errors.Join(err, file.Chmod(mode), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
