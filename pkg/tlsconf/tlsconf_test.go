package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// The client presents its certificate even to a broker that lists another authority. Then the broker
// can report what is wrong with the certificate.
func TestClientPresentsItsCertificate(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	client := issue(t, issue(t, ca, "between", isAuthority), "client60")
	conf := load(t, folder(t, ca, client))

	presented := make(chan []*x509.Certificate, 1)
	addr := serve(t, &tls.Config{
		Certificates: []tls.Certificate{*issue(t, ca, "kafka-1")},
		ClientAuth:   tls.RequireAnyClientCert,
		ClientCAs:    poolOf(issue(t, nil, "other", isAuthority).Leaf),
		VerifyConnection: func(state tls.ConnectionState) error {
			presented <- state.PeerCertificates
			return nil
		},
	})
	if err := connect(addr, conf); err != nil {
		t.Fatal(err)
	}
	var chain [][]byte
	for _, cert := range <-presented {
		chain = append(chain, cert.Raw)
	}
	if !slices.EqualFunc(chain, client.Certificate, bytes.Equal) {
		t.Errorf("presented %d certificates, not the client's %d", len(chain), len(client.Certificate))
	}
}

// In the course, brokers and students have certificates of the same kind. So this broker uses the
// certificate of a student. Those of 2023 are of version 1. Those of today are of version 3, have names, and
// are valid for 200 days.
func TestCourseCredentials(t *testing.T) {
	of2023 := t.TempDir()
	write(t, filepath.Join(of2023, CAFile), read(t, filepath.Join(testdata, CAFile)))
	write(t, filepath.Join(of2023, KeystoreFile), read(t, sample("course")))
	ca := issue(t, nil, "course", isAuthority)
	today := folder(t, ca, issue(t, ca, "anna-maria", hosts("kafka-1.example", "localhost"), func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(0, 0, 200)
	}))
	for version, dir := range map[int]string{1: of2023, 3: today} {
		broker, err := decode(read(t, filepath.Join(dir, KeystoreFile)), password)
		if err != nil {
			t.Fatal(err)
		}
		if got := broker.chain[0].Version; got != version {
			t.Errorf("the certificate is of version %d, not %d", got, version)
		}
		addr := serve(t, &tls.Config{
			Certificates: []tls.Certificate{*broker.certificate()},
			ClientAuth:   tls.RequireAndVerifyClientCert,
			ClientCAs:    poolOf(broker.chain[1]),
		})
		if err := connect(addr, load(t, dir)); err != nil {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

func poolOf(cert *x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return pool
}

func TestMinVersion(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	conf := load(t, folder(t, ca, issue(t, ca, "client60")))
	addr := serve(t, &tls.Config{
		Certificates: []tls.Certificate{*issue(t, ca, "kafka-1")},
		MinVersion:   tls.VersionTLS10,
		MaxVersion:   tls.VersionTLS11,
	})
	if err := connect(addr, conf); err == nil {
		t.Error("accepted TLS 1.1")
	}
	if conf.MinVersion != tls.VersionTLS12 { // set, because GODEBUG can lower Go's default
		t.Errorf("MinVersion is %s", tls.VersionName(conf.MinVersion))
	}
}

func TestLoadErrors(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	client := issue(t, ca, "client60")
	const directory = "a directory, not a file / " +
		"remove it and copy the file there (docker run -v makes a directory if the file to mount does not exist)"
	const large = "larger than 1 MiB, so it is another kind of file / copy the original file there"
	tests := []struct {
		name   string
		change func(t *testing.T, caPath, keystorePath string)
		want   string
	}{
		{"no ca.crt", func(t *testing.T, ca, keystore string) { remove(t, ca) },
			"CA: file does not exist / copy the whole credentials folder"},
		{"no keystore", func(t *testing.T, ca, keystore string) { remove(t, keystore) },
			"KEYSTORE: file does not exist / copy the whole credentials folder"},
		{"ca.crt is a directory", func(t *testing.T, ca, keystore string) { remove(t, ca); mkdir(t, ca) },
			"CA: " + directory},
		{"keystore is a directory", func(t *testing.T, ca, keystore string) { remove(t, keystore); mkdir(t, keystore) },
			"KEYSTORE: " + directory},
		{"ca.crt is empty", func(t *testing.T, ca, keystore string) { write(t, ca, nil) },
			"CA: empty file / copy it again"},
		{"keystore is empty", func(t *testing.T, ca, keystore string) { write(t, keystore, nil) },
			"KEYSTORE: empty file / copy it again"},
		{"ca.crt is too large", func(t *testing.T, ca, keystore string) { write(t, ca, make([]byte, maxSize+1)) },
			"CA: " + large},
		{"keystore is too large", func(t *testing.T, ca, keystore string) { write(t, keystore, make([]byte, maxSize+1)) },
			"KEYSTORE: " + large},
		{"keystore has the largest size", func(t *testing.T, ca, keystore string) { write(t, keystore, make([]byte, maxSize)) },
			"KEYSTORE: not a PKCS#12 file / copy the original file there"},
		{"ca.crt contains the key", func(t *testing.T, ca, keystore string) {
			write(t, ca, []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
		}, "CA: no certificate in it / copy the file again; a certificate begins with -----BEGIN CERTIFICATE-----"},
		{"ca.crt is UTF-16", func(t *testing.T, ca, keystore string) {
			write(t, ca, append([]byte("\xff\xfe"), bytes.Join(bytes.Split(read(t, ca), nil), []byte{0})...))
		}, "CA: UTF-16, not UTF-8 / copy the original file there"},
		{"keystore with the ending of OpenSSL", rename("kafka.keystore.p12"),
			"KEYSTORE: file does not exist, but DIR/kafka.keystore.p12 does / rename it: mv DIR/kafka.keystore.p12 KEYSTORE"},
		{"keystore that was downloaded twice", rename("kafka.keystore (1).pkcs12"),
			"KEYSTORE: file does not exist, but DIR/kafka.keystore (1).pkcs12 does / rename it: mv \"DIR/kafka.keystore (1).pkcs12\" KEYSTORE"},
		{"keystore with the student's name", rename("client60.pfx"),
			"KEYSTORE: file does not exist, but DIR/client60.pfx does / rename it: mv DIR/client60.pfx KEYSTORE"},
		{"only the truststore", rename("kafka.truststore.pkcs12"),
			"KEYSTORE: file does not exist / copy the whole credentials folder"},
		{"ca.crt is damaged", func(t *testing.T, ca, keystore string) {
			write(t, ca, append(read(t, ca), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...))
		}, "CA: damaged certificate: x509: malformed certificate / copy the file again"},
		{"keystore has another password", func(t *testing.T, ca, keystore string) { write(t, keystore, read(t, sample("empty-password"))) },
			"KEYSTORE: wrong password / set KAFKA_KEYSTORE_PASSWORD, or ssl.keystore.password in client-ssl.properties"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := folder(t, ca, client)
			caPath, keystorePath := filepath.Join(dir, CAFile), filepath.Join(dir, KeystoreFile)
			test.change(t, caPath, keystorePath)

			_, err := Load(dir, password, nil)
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.NewReplacer(caPath, "CA", keystorePath, "KEYSTORE", filepath.Join(dir, ""), "DIR").Replace(describe(t, err)); got != test.want {
				t.Errorf("error\n%s\nwant\n%s", got, test.want)
			}
			if errors.Is(err, fs.ErrNotExist) != strings.Contains(test.want, ": file does not exist") {
				t.Errorf("errors.Is(%q, fs.ErrNotExist) is wrong", err)
			}
			if errors.Is(err, ErrPassword) != strings.Contains(test.want, "wrong password") {
				t.Errorf("errors.Is(%q, ErrPassword) is wrong", err)
			}
		})
	}
}

// rename gives the keystore another name.
func rename(name string) func(t *testing.T, caPath, keystorePath string) {
	return func(t *testing.T, _, keystore string) {
		t.Helper()
		if err := os.Rename(keystore, filepath.Join(filepath.Dir(keystore), name)); err != nil {
			t.Fatal(err)
		}
	}
}

// An authority is also read from DER, and from a file that Windows saved.
func TestFormsOfAuthority(t *testing.T) {
	ca := issue(t, nil, "course", isAuthority)
	for name, data := range map[string][]byte{
		"DER":                    ca.Leaf.Raw,
		"a byte order mark":      append([]byte("\xef\xbb\xbf"), pemOf(ca)...),
		"line ends from Windows": bytes.ReplaceAll(pemOf(ca), []byte("\n"), []byte("\r\n")),
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, ca, issue(t, ca, "client60"))
			write(t, filepath.Join(dir, CAFile), data)
			load(t, dir)
		})
	}
}

// A private key that others can have is reported.
func TestExposedKeys(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such permissions")
	}
	ca := issue(t, nil, "course", isAuthority)
	dir := folder(t, ca, issue(t, ca, "client60"))
	caPath, keystorePath := filepath.Join(dir, CAFile), filepath.Join(dir, KeystoreFile)
	for mode, exposed := range map[os.FileMode]bool{
		0o600: false, 0o400: false, 0o644: true, 0o640: true, 0o604: true,
		0o777: false, 0o755: false, // of a disk without permissions
	} {
		if err := os.Chmod(keystorePath, mode); err != nil {
			t.Fatal(err)
		}
		var got, want []string
		if exposed {
			want = append(want, fmt.Sprintf("%s: its mode %04o lets other users read your private key / chmod 600 %[1]s", keystorePath, mode))
		}
		if _, err := Load(dir, password, func(flaw error) { got = append(got, describe(t, flaw)) }); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("mode %o: warned\n%q\nwant\n%q", mode, got, want)
		}
	}

	if err := os.Chmod(keystorePath, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"} {
		write(t, caPath, append(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte{1}}), pemOf(ca)...))
		var got []string
		if _, err := Load(dir, password, func(flaw error) { got = append(got, describe(t, flaw)) }); err != nil {
			t.Fatal(err)
		}
		want := caPath + ": a private key is in it / report this to the staff: with the authority's key, anybody can sign certificates"
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%s: warned\n%q\nwant\n%q", kind, got, want)
		}
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestUnreadable(t *testing.T) {
	path := filepath.Join("auth", KeystoreFile)
	want := path + ": permission denied / only its owner may read it: chmod u+r " + path +
		`; in a container, run as the owner: docker run --user "$(id -u):$(id -g)"`
	err := unreadable(path, &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission})
	if got := describe(t, err); got != want {
		t.Errorf("error\n%s\nwant\n%s", got, want)
	}

	for _, name := range []string{CAFile, KeystoreFile} {
		t.Run(name, func(t *testing.T) {
			if os.Getuid() <= 0 {
				t.Skip("root can read every file, and Windows has no such permissions")
			}
			ca := issue(t, nil, "course", isAuthority)
			dir := folder(t, ca, issue(t, ca, "client60"))
			if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
				t.Fatal(err)
			}
			if _, err := Load(dir, password, nil); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("error %v, want %v", err, fs.ErrPermission)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	course := issue(t, nil, "course", isAuthority)
	between := issue(t, course, "between", isAuthority)
	old := issue(t, nil, "old", isAuthority, expired)
	tests := []struct {
		name       string
		ca, client *tls.Certificate
		want       []string
	}{
		{"no flaw", course, issue(t, course, "client60"), nil},
		{"no flaw, with an intermediate authority", course, issue(t, between, "client60"), nil},
		{"expired client", course, issue(t, course, "client60", expired),
			[]string{"KEYSTORE: its certificate expired on 2021-01-01 00:00 UTC / ask the staff for a new one"}},
		{"early client", course, issue(t, course, "client60", early),
			[]string{"KEYSTORE: its certificate is not valid before 2999-01-01 00:00 UTC / check the clock of this machine"}},
		{"other authority", course, issue(t, nil, "client60"),
			[]string{"KEYSTORE: its certificate was not issued by CA / if the brokers refuse it, copy both files from one folder"}},
		{"expired authority", old, issue(t, old, "client60"),
			[]string{"CA: its certificate expired on 2021-01-01 00:00 UTC / ask the staff for a new one"}},
		{"expired authority and client", old, issue(t, old, "client60", expired), []string{
			"CA: its certificate expired on 2021-01-01 00:00 UTC / ask the staff for a new one",
			"KEYSTORE: its certificate expired on 2021-01-01 00:00 UTC / ask the staff for a new one",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := folder(t, test.ca, test.client)
			short := strings.NewReplacer(filepath.Join(dir, CAFile), "CA", filepath.Join(dir, KeystoreFile), "KEYSTORE")
			var got []string
			_, err := Load(dir, password, func(flaw error) {
				got = append(got, short.Replace(describe(t, flaw)))
			})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("warned\n%q\nwant\n%q", got, test.want)
			}
			if _, err := Load(dir, password, nil); err != nil {
				t.Errorf("without warn: %v", err)
			}
		})
	}
}
