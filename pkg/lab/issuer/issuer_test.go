package issuer

import (
	"archive/zip"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const truststoreFile = "kafka.truststore.pkcs12"

// all are the files of a folder, in the order in which they are written.
var all = []string{tlsconf.CAFile, tlsconf.KeystoreFile, truststoreFile, settings.PropertiesFile}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newCA(t *testing.T, name string) *CA {
	t.Helper()
	ca, err := New(name, time.Hour)
	must(t, err)
	return ca
}

func newFolder(t *testing.T, ca *CA) Folder {
	t.Helper()
	identity, err := ca.Client("client60")
	must(t, err)
	return Folder{CA: ca, Identity: identity, Brokers: []string{"localhost:1", "localhost:2"}}
}

// contents returns the files in dir: name, mode and content.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	files := make(map[string]string)
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		must(t, err)
		files[entry.Name()] = string(data)
	}
	return files
}

func checkMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if got := info.Mode().Perm(); got != want && runtime.GOOS != "windows" {
		t.Errorf("%s has mode %o, want %o", path, got, want)
	}
}

func TestIdentities(t *testing.T) {
	ca := newCA(t, "test")
	roots := x509.NewCertPool()
	roots.AddCert(ca.Cert())
	broker, err := ca.Broker("kafka-1", "localhost", "127.0.0.1", "::1")
	must(t, err)
	client, err := ca.Client("client60")
	must(t, err)
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
		_, err := test.cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: test.host, KeyUsages: []x509.ExtKeyUsage{test.usage}})
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
		if test.cert.Leaf.NotAfter.After(ca.Cert().NotAfter) {
			t.Errorf("%s: the certificate is valid longer than its authority", name)
		}
	}
	if name := client.Leaf.Subject.CommonName; name != "client60" {
		t.Errorf("the name of the client is %s", name)
	}
}

func TestLasting(t *testing.T) {
	ca := newCA(t, "test")
	short, err := ca.Lasting(time.Minute)
	must(t, err)
	client, err := short.Client("client60")
	must(t, err)
	if left := time.Until(client.Leaf.NotAfter); left > time.Minute || left < 50*time.Second {
		t.Errorf("the certificate is valid for %v, want a minute", left)
	}
	must(t, client.Leaf.CheckSignatureFrom(ca.Cert()))
	if _, err := ca.Lasting(2 * time.Hour); err == nil || !strings.Contains(err.Error(), ca.Cert().NotAfter.Format(time.DateOnly)) {
		t.Errorf("a certificate that ends after its authority: %v", err)
	}
}

func TestOpenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	ca, err := Open(dir, "test", time.Hour)
	must(t, err)
	checkMode(t, filepath.Join(dir, KeyFile), 0o600)
	loaded, err := Open(dir, "other", time.Hour)
	must(t, err)
	client, err := loaded.Client("client60")
	must(t, err)
	must(t, client.Leaf.CheckSignatureFrom(ca.Cert()))

	// It replaces no authority, even if one of its files is missing.
	for _, lost := range []string{KeyFile, tlsconf.CAFile} {
		dir := filepath.Join(t.TempDir(), "data")
		_, err := Open(dir, "test", time.Hour)
		must(t, err)
		must(t, os.Remove(filepath.Join(dir, lost)))
		before := contents(t, dir)
		if _, err := Open(dir, "test", time.Hour); !errors.Is(err, os.ErrNotExist) || !maps.Equal(before, contents(t, dir)) {
			t.Errorf("with %s missing: %v", lost, err)
		}
	}
}

// Several programs open the same authority, and only one makes it.
func TestOpen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	certs := make(chan string, 8)
	for range cap(certs) {
		go func() {
			ca, err := Open(dir, "test", time.Hour)
			if err != nil {
				t.Error(err)
				certs <- ""
				return
			}
			certs <- string(encode(ca.Cert()))
		}()
	}
	first := <-certs
	for range cap(certs) - 1 {
		if <-certs != first {
			t.Error("two authorities")
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"an empty key":         func(dir string) error { return os.WriteFile(filepath.Join(dir, KeyFile), nil, 0o600) },
		"an empty certificate": func(dir string) error { return os.WriteFile(filepath.Join(dir, tlsconf.CAFile), nil, 0o600) },
		"another certificate": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, tlsconf.CAFile), encode(newCA(t, "other").cert), 0o600)
		},
	} {
		dir := filepath.Join(t.TempDir(), "ca")
		_, err := Open(dir, "test", time.Hour)
		must(t, err)
		must(t, spoil(dir))
		if _, err := load(dir); err == nil || errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, dir)
		}
	}
}

func TestFolder(t *testing.T) {
	ca := newCA(t, "test")
	folder := newFolder(t, ca)
	dir := filepath.Join(t.TempDir(), "class", "auth")
	must(t, folder.Write(dir))
	must(t, folder.Write(dir)) // again
	have := contents(t, dir)
	if len(have) != len(all) {
		t.Errorf("the folder has %v", slices.Collect(maps.Keys(have)))
	}
	checkMode(t, filepath.Join(dir, tlsconf.KeystoreFile), 0o600)
	checkMode(t, filepath.Join(dir, tlsconf.CAFile), 0o644)
	key, leaf, chain, err := pkcs12.DecodeChain([]byte(have[tlsconf.KeystoreFile]), settings.DefaultPassword)
	must(t, err)
	if !folder.Identity.PrivateKey.(*ecdsa.PrivateKey).Equal(key) || leaf.Subject.CommonName != "client60" || len(chain) != 1 || !chain[0].Equal(ca.Cert()) {
		t.Errorf("the keystore has %s and a chain of %d", leaf.Subject, len(chain))
	}
	trusted, err := pkcs12.DecodeTrustStore([]byte(have[truststoreFile]), settings.DefaultPassword)
	if err != nil || len(trusted) != 1 || !trusted[0].Equal(ca.Cert()) {
		t.Errorf("the truststore has %d certificates (%v)", len(trusted), err)
	}
	for _, line := range []string{"bootstrap.servers=localhost:1,localhost:2", "ssl.keystore.password=cc2023", "ssl.endpoint.identification.algorithm="} {
		if !strings.Contains(have[settings.PropertiesFile], line+"\n") {
			t.Errorf("no %s in\n%s", line, have[settings.PropertiesFile])
		}
	}
}

func TestFolderPassword(t *testing.T) {
	for password, ok := range map[string]bool{"s3cret": true, "with space": true, `back\slash`: false, " space": false, "a\nb": false} {
		folder := newFolder(t, newCA(t, "test"))
		folder.Password = password
		dir := filepath.Join(t.TempDir(), "auth")
		err := folder.Write(dir)
		if (err == nil) != ok || !ok && cli.HintOf(err) == "" {
			t.Errorf("%q: %v", password, err)
		}
		if !ok {
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%q: a folder was written", password)
			}
			continue
		}
		_, _, _, err = pkcs12.DecodeChain([]byte(contents(t, dir)[tlsconf.KeystoreFile]), password)
		must(t, err)
	}
}

// Neither Write nor Complete changes the credentials of another cluster, even if only one of the files exists.
func TestForeignFolder(t *testing.T) {
	ours := newCA(t, "classroom")
	write := func(name string, content []byte) func(dir string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), content, 0o600) }
	}
	foreign := map[string]func(dir string) error{
		"all files of another authority": newFolder(t, newCA(t, "the course")).Write,
		"only a keystore":                write(tlsconf.KeystoreFile, []byte("theirs")),
		"only the settings":              write(settings.PropertiesFile, []byte("theirs")),
		"a ca.crt without a certificate": write(tlsconf.CAFile, []byte("theirs")),
		"a keystore of another authority beside our ca.crt": func(dir string) error {
			return errors.Join(newFolder(t, newCA(t, "the course")).Write(dir), write(tlsconf.CAFile, encode(ours.cert))(dir))
		},
		"a keystore with another password": func(dir string) error {
			folder := newFolder(t, ours)
			folder.Password = "theirs"
			return folder.Write(dir)
		},
	}
	sameName := newFolder(t, newCA(t, "classroom"))
	for name, prepare := range foreign {
		dir := t.TempDir()
		must(t, prepare(dir))
		before := contents(t, dir)
		_, err := newFolder(t, ours).Complete(dir)
		for _, err := range []error{err, newFolder(t, ours).Write(dir)} {
			if !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%s: got %v, want ErrForeign, and %s", name, err, dir)
			}
		}
		if !maps.Equal(before, contents(t, dir)) {
			t.Errorf("%s: the folder was changed", name)
		}
	}

	// Write replaces what an authority of the same name has issued. Complete does not add to it.
	dir := t.TempDir()
	must(t, sameName.Write(dir))
	if _, err := newFolder(t, ours).Complete(dir); err == nil {
		t.Error("Complete added files to those of another authority")
	}
	must(t, newFolder(t, ours).Write(dir))
	if contents(t, dir)[tlsconf.CAFile] != string(encode(ours.cert)) {
		t.Error("Write did not replace ca.crt")
	}
}

// Complete writes the files that a stopped Write did not write, and changes no other file.
func TestComplete(t *testing.T) {
	ca := newCA(t, "test")
	for existing := range len(all) + 1 {
		dir := t.TempDir()
		must(t, newFolder(t, ca).Write(dir))
		for _, name := range all[existing:] {
			must(t, os.Remove(filepath.Join(dir, name)))
		}
		before := contents(t, dir)
		added, err := newFolder(t, ca).Complete(dir)
		if err != nil || added != len(all)-existing {
			t.Errorf("%d files existed: %d added, %v", existing, added, err)
		}
		after := contents(t, dir)
		for name := range before {
			if before[name] != after[name] {
				t.Errorf("%d files existed: %s was changed", existing, name)
			}
		}
		_, _, _, err = pkcs12.DecodeChain([]byte(after[tlsconf.KeystoreFile]), settings.DefaultPassword)
		must(t, err)
	}
	broker := newFolder(t, ca)
	broker.Brokers = nil
	if added, err := broker.Complete(t.TempDir()); added != 3 || err != nil {
		t.Errorf("without brokers: %d added, %v", added, err)
	}
}

func TestPack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "client60")
	must(t, newFolder(t, newCA(t, "test")).Write(dir))
	must(t, Pack(dir, dir+".zip"))
	checkMode(t, dir+".zip", 0o600)
	archive, err := zip.OpenReader(dir + ".zip")
	must(t, err)
	defer archive.Close()
	var packed []string
	for _, file := range archive.File {
		packed = append(packed, fmt.Sprint(file.Name, " ", file.Mode()))
	}
	want := "ca.crt -rw-r--r-- client-ssl.properties -rw-r--r-- kafka.keystore.pkcs12 -rw------- kafka.truststore.pkcs12 -rw-r--r--"
	if got := strings.Join(packed, " "); got != want {
		t.Errorf("the zip file has %s", got)
	}
}

// keytool and openssl can read the stores.
func TestRealTools(t *testing.T) {
	dir := t.TempDir()
	must(t, newFolder(t, newCA(t, "test")).Write(dir))
	for _, test := range []struct{ command, want string }{
		{"keytool -list -v -keystore " + tlsconf.KeystoreFile + " -storepass cc2023", "CN=client60"},
		{"keytool -list -keystore " + truststoreFile + " -storepass cc2023", "trustedCertEntry"},
		{"openssl pkcs12 -info -nodes -passin pass:cc2023 -in " + tlsconf.KeystoreFile, "BEGIN PRIVATE KEY"},
		{"openssl pkcs12 -info -nokeys -passin pass:cc2023 -in " + truststoreFile, "BEGIN CERTIFICATE"},
		{"openssl x509 -noout -text -in " + tlsconf.CAFile, "CA:TRUE"},
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
