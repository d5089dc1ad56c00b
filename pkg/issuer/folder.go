package issuer

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// The files a student is handed, beside ca.crt. The programs know them by the same names.
const (
	keystoreFile   = tlsconf.KeystoreFile
	truststoreFile = "kafka.truststore.pkcs12"
	propertiesFile = settings.PropertiesFile
)

// Folder is what staff hands a student: who they are, whom to trust and where the brokers are.
type Folder struct {
	CA       *CA
	Identity tls.Certificate // from CA.Client
	Brokers  []string        // host:port, becomes bootstrap.servers
	Password string          // of both stores; empty means settings.DefaultPassword
}

// Write puts the files into dir and makes it where it is missing:
//
//	ca.crt                   whom to trust, for everything that reads PEM
//	kafka.keystore.pkcs12    the identity: private key, certificate and the authority's; mode 0600
//	kafka.truststore.pkcs12  whom to trust, for Java
//	client-ssl.properties    the settings for Kafka's own tools; none without Brokers
//
// Each file appears complete or not at all. Files that are there are replaced only beside a ca.crt
// whose authority bears the same name, and with a keystore that opens with the Password and was
// signed under that name, which is to say: an earlier Write made them. Otherwise the error is a
// [*ForeignError] and nothing has been touched.
func (f Folder) Write(dir string) error {
	if err := f.checkOwn(dir); err != nil {
		return err
	}
	return f.write(dir, f.files())
}

// Complete writes those files that dir lacks, and returns how many: all of them into a folder that is
// new, the last ones into a folder whose Write was stopped, none into one that is whole. What is there
// stays as it is; the Identity is used only where there is no keystore. A folder that another
// authority issued is a [*ForeignError].
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

// file is one of the files of a folder.
type file struct {
	name    string
	mode    os.FileMode
	content func(password string) ([]byte, error)
}

// files are what the folder consists of, in the order in which they are written. ca.crt comes first:
// it marks the folder as ours should we be stopped before the last file.
func (f Folder) files() []file {
	// Pinned, so that a new release of the library cannot move to an encoding that Java 12 does not read.
	encoder := pkcs12.Modern2023
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

// write makes the contents of the files, and only when all are made puts them into dir.
func (f Folder) write(dir string, files []file) error {
	password := f.password()
	// client-ssl.properties would need escapes for these, which not every reader undoes.
	if strings.ContainsAny(password, "\\\r\n\t") || strings.TrimSpace(password) != password {
		return errors.New("a password of the stores must not hold backslashes, tabs or line ends," +
			" nor begin or end with a space")
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

// properties are the settings in the words of Kafka's Java clients. The stores are named as the
// course names them, without a path: the tools are run from inside the folder.
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

// ForeignError says that a folder holds credentials somebody else issued.
type ForeignError struct {
	Dir  string
	File string // the file in Dir that would have been overwritten
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s holds credentials of another cluster (%s), which are left alone", e.Dir, e.File)
}

// checkOwn makes sure that whatever Write would replace in dir was issued under the same name.
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

// checkKeystore makes sure that the keystore, if there is one, was issued under the same name: it may
// be the only copy of somebody's key. The name is enough. The signature may be of an authority whose
// ca.crt is gone, where a Write was stopped between the two files.
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

// checkIssued makes sure that what is in dir came from this very authority, and that what is missing
// fits to it: the stores share the password that stands in client-ssl.properties.
func (f Folder) checkIssued(dir string, missing []file) error {
	ca, err := readCert(filepath.Join(dir, caCertFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err != nil || !ca.Equal(f.CA.cert) {
		return &ForeignError{Dir: dir, File: f.firstThere(missing)}
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

// firstThere is the first of the files that is not missing.
func (f Folder) firstThere(missing []file) string {
	for i, file := range f.files() {
		if i >= len(missing) || missing[i].name != file.name {
			return file.name
		}
	}
	return ""
}

// writeFile puts a complete file in place: readers see the old one or the new one, and a crash
// leaves no half of either.
func writeFile(dir, name string, data []byte, mode os.FileMode) (err error) {
	file, err := os.CreateTemp(dir, "."+name+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = file.Write(data)
	// A temporary file is born with 0600, so a key is at no moment readable to others.
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(dir, name))
}
