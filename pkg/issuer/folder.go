package issuer

import (
	"crypto/tls"
	"crypto/x509"
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

// The files of a credentials folder, beside ca.crt.
const (
	keystoreFile   = tlsconf.KeystoreFile
	truststoreFile = "kafka.truststore.pkcs12"
	propertiesFile = settings.PropertiesFile
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
// Each file is written completely or not at all. Write replaces only files of an earlier Write: ca.crt is
// of an authority with the same common name, and the keystore has the same Password and was issued
// under that name. Otherwise the error is a [*ForeignError], and nothing is changed.
func (f Folder) Write(dir string) error {
	if err := f.checkOwn(dir); err != nil {
		return err
	}
	return f.write(dir, f.files())
}

// Complete writes the files that are missing in dir, and returns their number. It never changes a file
// that exists, so the Identity is used only if there is no keystore. If another authority issued the
// files in dir, the error is a [*ForeignError].
func (f Folder) Complete(dir string) (int, error) {
	var missing []file
	for _, file := range f.files() {
		switch _, err := os.Lstat(filepath.Join(dir, file.name)); {
		case errors.Is(err, os.ErrNotExist):
			missing = append(missing, file)
		case err != nil:
			return 0, err
		}
	}
	if len(missing) < len(f.files()) {
		if err := f.checkIssued(dir, missing); err != nil {
			return 0, err
		}
	}
	if len(missing) == 0 {
		return 0, nil
	}
	return len(missing), f.write(dir, missing)
}

// WriteFolder issues the identity of a client, and writes its credentials folder: the [Folder] with
// the default password.
func (ca *CA) WriteFolder(dir, client string, brokers []string) error {
	identity, err := ca.Client(client)
	if err != nil {
		return err
	}
	return Folder{CA: ca, Identity: identity, Brokers: brokers}.Write(dir)
}

// file is one file of a folder.
type file struct {
	name    string
	mode    os.FileMode
	content func(password string) ([]byte, error)
}

// files returns the files in the order in which they are written. ca.crt is the first. If the program is
// stopped before the last file, ca.crt shows that the folder is ours.
func (f Folder) files() []file {
	encoder := pkcs12.Modern2023 // not pkcs12.Modern, which may change; Java 12 and later read this one
	authority := []*x509.Certificate{f.CA.cert}
	files := []file{
		{caCertFile, 0o644, func(string) ([]byte, error) {
			return encodeCert(f.CA.cert), nil
		}},
		{keystoreFile, 0o600, func(password string) ([]byte, error) {
			return encoder.Encode(f.Identity.PrivateKey, f.Identity.Leaf, authority, password)
		}},
		{truststoreFile, 0o644, func(password string) ([]byte, error) {
			return encoder.EncodeTrustStore(authority, password)
		}},
	}
	if len(f.Brokers) > 0 {
		files = append(files, file{propertiesFile, 0o644, func(password string) ([]byte, error) {
			return f.properties(password), nil
		}})
	}
	return files
}

// write makes the contents of all files before it writes the first one.
func (f Folder) write(dir string, files []file) error {
	password := f.password()
	// client-ssl.properties would need escapes for these characters, and not every tool reads escapes.
	if strings.ContainsAny(password, "\\\r\n\t") || strings.TrimSpace(password) != password {
		return cli.WithHint(errors.New("client-ssl.properties cannot contain this password of the keystore"),
			"use a password without backslashes, tabs, line ends, and spaces at its beginning or end")
	}
	contents := make([][]byte, len(files))
	for i, file := range files {
		var err error
		if contents[i], err = file.content(password); err != nil {
			return fmt.Errorf("%s: %w", file.name, err)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for i, file := range files {
		if err := writeFile(dir, file.name, contents[i], file.mode); err != nil {
			return err
		}
	}
	return nil
}

func (f Folder) password() string {
	if f.Password == "" {
		return settings.DefaultPassword
	}
	return f.Password
}

// properties returns the settings of Kafka's Java clients. The stores have no path, as in the course:
// the tools run in the folder.
func (f Folder) properties(password string) []byte {
	return fmt.Appendf(nil, `bootstrap.servers=%s
security.protocol=SSL
ssl.truststore.location=%s
ssl.truststore.password=%s
ssl.truststore.type=PKCS12
ssl.keystore.location=%s
ssl.keystore.password=%[3]s
ssl.keystore.type=PKCS12
ssl.endpoint.identification.algorithm=
`, strings.Join(f.Brokers, ","), truststoreFile, password, keystoreFile)
}

// ForeignError reports that another authority issued the credentials in a folder.
type ForeignError struct {
	Dir  string
	File string // the file in Dir that shows this
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s: the credentials in this folder belong to another cluster (%s)", e.Dir, e.File)
}

// checkOwn checks that the files that Write would replace were issued under the same name.
func (f Folder) checkOwn(dir string) error {
	ca, err := readCert(filepath.Join(dir, caCertFile))
	if err == nil && ca.Subject.CommonName == f.CA.cert.Subject.CommonName {
		return f.checkKeystore(dir)
	}
	for _, file := range []string{caCertFile, keystoreFile, truststoreFile, propertiesFile} {
		_, err := os.Lstat(filepath.Join(dir, file))
		if err == nil {
			return &ForeignError{Dir: dir, File: file}
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// checkKeystore checks that the keystore, if it exists, was issued under the same name: it may be the
// only copy of a key. The signature is not checked. If an earlier Write was stopped after ca.crt, the
// keystore is still of the authority before.
func (f Folder) checkKeystore(dir string) error {
	keystore, err := os.ReadFile(filepath.Join(dir, keystoreFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, leaf, _, err := pkcs12.DecodeChain(keystore, f.password())
	if err != nil || leaf.Issuer.CommonName != f.CA.cert.Subject.CommonName {
		return &ForeignError{Dir: dir, File: keystoreFile}
	}
	return nil
}

// checkIssued checks that this authority issued the files in dir. If files are missing, it also checks
// the password of the keystore, which the other store and client-ssl.properties must have, too.
func (f Folder) checkIssued(dir string, missing []file) error {
	ca, err := readCert(filepath.Join(dir, caCertFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err != nil || !ca.Equal(f.CA.cert) {
		return &ForeignError{Dir: dir, File: f.firstExisting(missing)}
	}
	if len(missing) == 0 {
		return nil
	}
	path := filepath.Join(dir, keystoreFile)
	keystore, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, _, _, err := pkcs12.DecodeChain(keystore, f.password()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// firstExisting returns the first file that is not missing.
func (f Folder) firstExisting(missing []file) string {
	for i, file := range f.files() {
		if i >= len(missing) || missing[i].name != file.name {
			return file.name
		}
	}
	return ""
}

// Temporary begins the name of what is not complete yet.
const Temporary = ".tkafka-"

// RemoveTemporary removes what killed programs have left in a folder and below: files that they were
// writing, with keys in them. No program may be writing there.
func RemoveTemporary(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasPrefix(entry.Name(), Temporary) {
			return err
		}
		if err := os.RemoveAll(path); err != nil || !entry.IsDir() {
			return err
		}
		return fs.SkipDir
	})
}

// writeFile writes a complete file and then renames it. A reader sees the old file or the new one, also
// after a crash.
func writeFile(dir, name string, data []byte, mode os.FileMode) (err error) {
	file, err := os.CreateTemp(dir, Temporary+"*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = file.Write(data)
	// CreateTemp uses mode 0600, so other users can never read a key.
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(dir, name))
}
