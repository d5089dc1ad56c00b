package issuer

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"tkafka/pkg/settings"
)

func newCA(t *testing.T, name string) *CA {
	t.Helper()
	ca, err := New(name, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func newFolder(t *testing.T, ca *CA, student string) Folder {
	t.Helper()
	identity, err := ca.Client(student)
	if err != nil {
		t.Fatal(err)
	}
	return Folder{CA: ca, Identity: identity, Brokers: []string{"localhost:1", "localhost:2"}}
}

func TestIdentities(t *testing.T) {
	ca := newCA(t, "test")
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert())

	broker, err := ca.Broker("kafka-1", "localhost", "127.0.0.1", "::1")
	if err != nil {
		t.Fatal(err)
	}
	client, err := ca.Client("client60")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		cert  tls.Certificate
		usage x509.ExtKeyUsage
		host  string
		ok    bool
	}{
		"broker serves":          {broker, x509.ExtKeyUsageServerAuth, "localhost", true},
		"broker at an address":   {broker, x509.ExtKeyUsageServerAuth, "127.0.0.1", true},
		"broker at IPv6":         {broker, x509.ExtKeyUsageServerAuth, "::1", true},
		"broker at another host": {broker, x509.ExtKeyUsageServerAuth, "example.com", false},
		"broker as a client":     {broker, x509.ExtKeyUsageClientAuth, "", true},
		"client":                 {client, x509.ExtKeyUsageClientAuth, "", true},
		"client as a broker":     {client, x509.ExtKeyUsageServerAuth, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := test.cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: test.host, KeyUsages: []x509.ExtKeyUsage{test.usage}})
			if (err == nil) != test.ok {
				t.Error(err)
			}
			if test.cert.Leaf.NotAfter.After(ca.Cert().NotAfter) {
				t.Error("the certificate is valid longer than its authority")
			}
		})
	}
	if name := client.Leaf.Subject.CommonName; name != "client60" {
		t.Errorf("the name of the client is %s", name)
	}
}

func TestSaveAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	if _, err := Load(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder that does not exist: %v", err)
	}
	ca := newCA(t, "test")
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	checkMode(t, filepath.Join(dir, "ca.key"), 0o600)

	loaded, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	client, err := loaded.Client("client60")
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Leaf.CheckSignatureFrom(ca.Cert()); err != nil {
		t.Error("the saved authority did not sign this certificate:", err)
	}

	// Save replaces no authority, even if one of its files is missing.
	for _, lost := range []string{"nothing", KeyFile, caCertFile} {
		dir := t.TempDir()
		if err := ca.Save(dir); err != nil {
			t.Fatal(err)
		}
		os.Remove(filepath.Join(dir, lost))
		before := snapshot(t, dir)
		if err := newCA(t, "other").Save(dir); !errors.Is(err, os.ErrExist) {
			t.Errorf("Save, with %s missing: %v", lost, err)
		}
		if after := snapshot(t, dir); after != before {
			t.Errorf("Save changed the folder, with %s missing", lost)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"only a key":           func(dir string) error { return os.Remove(filepath.Join(dir, caCertFile)) },
		"an empty key":         func(dir string) error { return os.WriteFile(filepath.Join(dir, KeyFile), nil, 0o600) },
		"an empty certificate": func(dir string) error { return os.WriteFile(filepath.Join(dir, caCertFile), nil, 0o600) },
		"another certificate": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, caCertFile), encodeCert(newCA(t, "other").cert), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := newCA(t, "test").Save(dir); err != nil {
				t.Fatal(err)
			}
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Load(dir)
			if err == nil || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want an error that names a file in %s", err, dir)
			}
			var hinted interface{ Hint() string }
			if errors.As(err, &hinted) != (name == "only a key") {
				t.Errorf("%v: only the lost certificate has a hint", err)
			}
		})
	}
}

func TestFolder(t *testing.T) {
	ca := newCA(t, "test")
	folder := newFolder(t, ca, "client60")
	dir := filepath.Join(t.TempDir(), "class", "auth")
	if err := folder.Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := folder.Write(dir); err != nil {
		t.Error("the second Write:", err)
	}

	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if got, want := strings.Join(names, " "), "ca.crt client-ssl.properties kafka.keystore.pkcs12 kafka.truststore.pkcs12"; got != want {
		t.Errorf("the folder has %s, want %s", got, want)
	}
	checkMode(t, filepath.Join(dir, keystoreFile), 0o600)
	checkMode(t, filepath.Join(dir, caCertFile), 0o644)

	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	key, leaf, chain, err := pkcs12.DecodeChain(read(keystoreFile), settings.DefaultPassword)
	if err != nil {
		t.Fatal(err)
	}
	if !folder.Identity.PrivateKey.(*ecdsa.PrivateKey).Equal(key) || leaf.Subject.CommonName != "client60" || len(chain) != 1 || !chain[0].Equal(ca.Cert()) {
		t.Errorf("the keystore has %s and a chain of %d", leaf.Subject, len(chain))
	}
	trusted, err := pkcs12.DecodeTrustStore(read(truststoreFile), settings.DefaultPassword)
	if err != nil || len(trusted) != 1 || !trusted[0].Equal(ca.Cert()) {
		t.Errorf("the truststore has %d certificates (%v)", len(trusted), err)
	}
	const properties = `bootstrap.servers=localhost:1,localhost:2
security.protocol=SSL
ssl.truststore.location=kafka.truststore.pkcs12
ssl.truststore.password=cc2023
ssl.truststore.type=PKCS12
ssl.keystore.location=kafka.keystore.pkcs12
ssl.keystore.password=cc2023
ssl.keystore.type=PKCS12
ssl.endpoint.identification.algorithm=
`
	if got := string(read(propertiesFile)); got != properties {
		t.Errorf("the properties are\n%s\nwant\n%s", got, properties)
	}
}

func TestFolderPassword(t *testing.T) {
	for password, ok := range map[string]bool{"s3cret": true, "with space": true, `back\slash`: false, " space": false, "a\nb": false} {
		folder := newFolder(t, newCA(t, "test"), "client60")
		folder.Password = password
		dir := t.TempDir()
		err := folder.Write(dir)
		if (err == nil) != ok {
			t.Errorf("%q: %v", password, err)
		}
		var hinted interface{ Hint() string }
		if !ok && !errors.As(err, &hinted) {
			t.Errorf("%q: the error %v has no hint", password, err)
		}
		data, err := os.ReadFile(filepath.Join(dir, keystoreFile))
		if !ok {
			if err == nil {
				t.Errorf("%q: a keystore was written", password)
			}
			continue
		}
		if _, _, _, err := pkcs12.DecodeChain(data, password); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
}

// Write does not change the credentials of another cluster, even if only one of the files exists.
func TestForeignFolder(t *testing.T) {
	other := newFolder(t, newCA(t, "the course"), "client7")
	ours := encodeCert(newCA(t, "classroom").cert)
	for name, prepare := range map[string]func(dir string) error{
		"all files of another authority": other.Write,
		"only a keystore":                func(dir string) error { return os.WriteFile(filepath.Join(dir, keystoreFile), []byte("theirs"), 0o600) },
		"only the settings": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, propertiesFile), []byte("theirs"), 0o600)
		},
		"a ca.crt without a certificate": func(dir string) error { return os.WriteFile(filepath.Join(dir, caCertFile), []byte("theirs"), 0o600) },
		"a truststore that is a link":    func(dir string) error { return os.Symlink("nowhere", filepath.Join(dir, truststoreFile)) },
		"a keystore of another authority beside our ca.crt": func(dir string) error {
			return errors.Join(other.Write(dir), writeFile(dir, caCertFile, ours, 0o644))
		},
		"a keystore with another password": func(dir string) error {
			folder := newFolder(t, newCA(t, "classroom"), "client60")
			folder.Password = "theirs"
			return folder.Write(dir)
		},
		"a keystore that is not PKCS#12": func(dir string) error {
			return errors.Join(writeFile(dir, caCertFile, ours, 0o644), writeFile(dir, keystoreFile, []byte("theirs"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := prepare(dir); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, dir)
			err := newFolder(t, newCA(t, "classroom"), "client60").Write(dir)
			var foreign *ForeignError
			if !errors.As(err, &foreign) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want a ForeignError that names %s", err, dir)
			}
			if after := snapshot(t, dir); after != before {
				t.Errorf("the folder had\n%s\nand now has\n%s", before, after)
			}
		})
	}

	t.Run("our own folder is replaced", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "README.md"), []byte("not a credential"), 0o644); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			ca := newCA(t, "classroom")
			if err := newFolder(t, ca, "client60").Write(dir); err != nil {
				t.Fatal(err)
			}
			if got, err := readCert(filepath.Join(dir, caCertFile)); err != nil || !got.Equal(ca.Cert()) {
				t.Errorf("the new authority did not issue the folder (%v)", err)
			}
			// Do what a Write does that is stopped after its first file.
			if err := writeFile(dir, caCertFile, encodeCert(newCA(t, "classroom").cert), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// keytool and openssl can read the stores.
func TestRealTools(t *testing.T) {
	dir := t.TempDir()
	if err := newFolder(t, newCA(t, "test"), "client60").Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ command, want string }{
		{"keytool -list -keystore " + keystoreFile + " -storepass cc2023", "PrivateKeyEntry"},
		{"keytool -list -v -keystore " + keystoreFile + " -storepass cc2023", "CN=client60"},
		{"keytool -list -keystore " + truststoreFile + " -storepass cc2023", "trustedCertEntry"},
		{"openssl pkcs12 -info -nodes -passin pass:cc2023 -in " + keystoreFile, "BEGIN PRIVATE KEY"},
		{"openssl pkcs12 -info -nokeys -passin pass:cc2023 -in " + truststoreFile, "BEGIN CERTIFICATE"},
		{"openssl x509 -noout -text -in " + caCertFile, "CA:TRUE"},
	} {
		words := strings.Fields(test.command)
		t.Run(strings.Join(words[:2], " "), func(t *testing.T) {
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Skipf("%s is not installed", words[0])
			}
			cmd := exec.Command(words[0], words[1:]...)
			cmd.Dir = dir
			output, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(output), test.want) {
				t.Errorf("%s: %v, want %s in\n%s", test.command, err, test.want, output)
			}
		})
	}
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}

// snapshot describes all files in a folder.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, entry := range entries {
		data, _ := os.ReadFile(filepath.Join(dir, entry.Name()))
		fmt.Fprintf(&all, "%s %s %x\n", entry.Name(), entry.Type(), sha256.Sum256(data))
	}
	return all.String()
}
