package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

var update = flag.Bool("update", false, "replace the keystores in testdata by new ones")

// pki makes an authority, and keys with certificates. As in the course, these have no extensions, so they are
// of X.509 version 1.
var pki = `
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=course -days 36500 -out ca.crt` +
	keyPair("rsa", "RSA -pkeyopt rsa_keygen_bits:2048") + keyPair("ec", "EC -pkeyopt ec_paramgen_curve:P-256") +
	keyPair("ed25519", "ED25519") + keyPair("ed448", "ED448")

func keyPair(name, algorithm string) string {
	return strings.NewReplacer("NAME", name, "ALGORITHM", algorithm).Replace(`
	openssl genpkey -algorithm ALGORITHM -out NAME.key
	openssl req -new -key NAME.key -subj /CN=client60 -out NAME.csr
	openssl x509 -req -in NAME.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 36500 -out NAME.crt`)
}

// keystores are the keystores that people make, on purpose or by mistake. The commands write STORE.p12.
var keystores = []struct {
	name, want string // want is the error of Load, for expect, or the names in the chain
	commands   string
}{
	{"openssl", "client60", `openssl pkcs12 -export -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`},
	{"openssl-ed25519", "client60", `openssl pkcs12 -export -in ed25519.crt -inkey ed25519.key -out STORE.p12 -passout pass:cc2023`},
	{"openssl-legacy", "client60", `openssl pkcs12 -export -legacy -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`},
	{"empty-password", "client60", `openssl pkcs12 -export -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:`},
	{"keytool", "client60", `
		keytool -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storepass cc2023`},
	{"keytool-legacy", "client60", `
		keytool -J-Dkeystore.pkcs12.legacy -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storepass cc2023`},
	{"course", "client60 course", `
		openssl pkcs12 -export -chain -CAfile ca.crt -in rsa.crt -inkey rsa.key -name client60 -out STORE.tmp -passout pass:cc2023
		keytool -importkeystore -srckeystore STORE.tmp -srcstoretype PKCS12 -srcstorepass cc2023 -destkeystore STORE.p12 -deststoretype PKCS12 -deststorepass cc2023`},
	{"ca-first", "client60 course", `
		openssl pkcs12 -export -chain -CAfile ca.crt -in ec.crt -inkey ec.key -name client60 -out STORE.tmp -passout pass:cc2023
		keytool -importcert -noprompt -alias ca -file ca.crt -keystore STORE.p12 -storepass cc2023
		keytool -importkeystore -srckeystore STORE.tmp -srcstorepass cc2023 -destkeystore STORE.p12 -deststorepass cc2023`},
	{"truststore", ": no private key in it / ...truststore", `
		keytool -importcert -noprompt -alias ca -file ca.crt -keystore STORE.p12 -storepass cc2023`},
	{"two-keys", ": Go cannot read it...exactly one key... / convert it: openssl ", `
		keytool -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storepass cc2023
		keytool -genkeypair -alias you -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storepass cc2023`},
	{"no-mac", ": Go cannot read it...MAC... / convert it: openssl ", `
		openssl pkcs12 -export -nomac -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`},
	{"sha384", ": Go cannot read it...MAC digest... / convert it: openssl ", `
		openssl pkcs12 -export -macalg sha384 -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`},
	{"triple-des", ": Go cannot read it...pbes2... / convert it: openssl ", `
		openssl pkcs12 -export -certpbe DES-EDE3-CBC -keypbe DES-EDE3-CBC -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`},
	{"key-password", ": its private key has another password...ssl.key.password... / ... keytool ", `
		openssl pkcs12 -export -in ec.crt -inkey ec.key -out STORE.tmp -passout pass:cc2023
		java TESTDATA/KeyPassword.java STORE.tmp STORE.p12`},
	{"ed448", ": Go does not accept what is in it: ...x509: ... / ask the staff", `
		openssl pkcs12 -export -in ed448.crt -inkey ed448.key -out STORE.p12 -passout pass:cc2023`},
	{"jks", ": not a PKCS#12 file / ... keytool ", `
		keytool -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storetype JKS -storepass cc2023 -keypass cc2023`},
}

func TestKeystores(t *testing.T) {
	made := t.TempDir()
	if *update {
		run(t, made, pki)
		must(0, os.WriteFile(filepath.Join(testdata, CAFile), must(os.ReadFile(filepath.Join(made, CAFile)))(t), 0o600))(t)
	}
	for _, store := range keystores {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			file, password := store.name+".p12", password
			if *update {
				run(t, made, strings.NewReplacer("STORE", store.name, "TESTDATA", testdata).Replace(store.commands))
				must(0, os.WriteFile(filepath.Join(testdata, file), must(os.ReadFile(filepath.Join(made, file)))(t), 0o600))(t)
			}
			if store.name == "empty-password" {
				password = ""
			}
			checkKeystore(t, sample(t, file), password, store.want)
		})
	}
}

// checkKeystore checks that Load reads a keystore, or its error. If that names a command that converts the file,
// it must do so.
func checkKeystore(t *testing.T, data []byte, password, want string) {
	t.Helper()
	dir := write(t, sample(t, CAFile), data)
	if !strings.HasPrefix(want, ":") {
		checkChain(t, dir, password, want)
		return
	}
	_, err := Load(dir, password, nil)
	expect(t, err, filepath.Join(dir, KeystoreFile)+want)
	if strings.HasPrefix(want, ": wrong password") != errors.Is(err, ErrPassword) {
		t.Errorf("errors.Is(%v, ErrPassword) is wrong", err)
	}
	converts := strings.HasSuffix(want, "keytool ") || strings.HasSuffix(want, "openssl ")
	if converts && run(t, dir, commandIn(describe(err))) {
		checkChain(t, dir, password, "client60")
	}
}

// checkChain checks which certificates the client presents, and that the first one belongs to its key.
func checkChain(t *testing.T, dir, password, want string) {
	t.Helper()
	client := must(must(Load(dir, password, nil))(t).GetClientCertificate(nil))(t)
	var names []string
	for _, der := range client.Certificate {
		names = append(names, must(x509.ParseCertificate(der))(t).Subject.CommonName)
	}
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the chain is %s, want %s", got, want)
	}
	// The encoder compares the key with the certificate in another way than the code does.
	if _, err := pkcs12.Modern2023.Encode(client.PrivateKey, client.Leaf, nil, ""); err != nil {
		t.Error(err)
	}
}

// commandIn returns the command in a hint. It adds the passwords that OpenSSL would ask for.
func commandIn(hint string) string {
	begin := max(strings.Index(hint, " openssl "), strings.Index(hint, " keytool "))
	command, _, _ := strings.Cut(hint[begin:], "; ")
	return strings.NewReplacer("-nodes", "-nodes -passin pass:cc2023", "-export", "-export -passout pass:cc2023").Replace(command)
}

// run runs the commands in dir. It reports whether they are installed. On standard input they find the passwords.
func run(t *testing.T, dir, commands string) bool {
	t.Helper()
	for _, tool := range []string{"sh", "openssl", "keytool", "java"} {
		if _, err := exec.LookPath(tool); err != nil && (tool == "sh" || strings.Contains(commands, tool+" ")) {
			return false
		}
	}
	cmd := exec.Command("sh", "-ec", commands)
	cmd.Dir, cmd.Stdin = dir, strings.NewReader("cc2023\ncc2023\ncc2023\nother99\n")
	cmd.Env = append(os.Environ(), "JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC") // Java starts in half the time
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", commands, err, out)
	}
	return true
}

func TestKeystoreErrors(t *testing.T) {
	good := sample(t, "openssl.p12")
	changed := bytes.Clone(good)
	changed[300]++
	ca := issue(t, nil, "course", isAuthority)
	client := issue(t, ca, "client60")
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(client.PrivateKey))(t)})
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"another password": {sample(t, "empty-password.p12"), ": wrong password / "},
		"a changed byte":   {changed, ": wrong password / ...the file was changed: "},
		// BER, as Bouncy Castle writes it: the length is not given, and zeros are the end.
		"BER":                  {slices.Concat([]byte{0x30, 0x80}, good[4:], []byte{0, 0}), ": Go cannot read it...indefinite length... / convert it: openssl "},
		"a line end after it":  {append(bytes.Clone(good), '\n'), ": Go cannot read it...trailing data... / convert it: openssl "},
		"cut short":            {good[:len(good)-1], ": cut short, or not a PKCS#12 file / copy "},
		"only the beginning":   {good[:1], ": cut short, or not a PKCS#12 file / copy "},
		"empty":                {nil, ": not a PKCS#12 file / copy "},
		"PEM":                  {append(pemOf(client), keyPEM...), ": PEM text, not PKCS#12 / ...convert it: openssl "},
		"PEM without a key":    {pemOf(client), ": PEM text, not PKCS#12 / ...if not, copy "},
		"text":                 {[]byte("404"), ": not a PKCS#12 file / copy "},
		"a certificate in DER": {client.Leaf.Raw, ": Go cannot read it...if that fails, copy "},
		"another certificate":  {encode(t, client, ca.Leaf), ": none of its certificates belongs to its private key / "},
		"a negative serial":    {encode(t, client, &x509.Certificate{Raw: negative(t, ca)}), ": Go does not accept what is in it: x509: negative serial number / "},
	} {
		t.Run(name, func(t *testing.T) { checkKeystore(t, test.data, password, test.want) })
	}
}

func encode(t *testing.T, client *tls.Certificate, first *x509.Certificate, others ...*x509.Certificate) []byte {
	t.Helper()
	return must(pkcs12.Modern2023.Encode(client.PrivateKey, first, others, password))(t)
}

// A keystore has its certificates in any order, with unrelated ones and copies among them. The client presents its
// chain in order and without those, as TLS 1.2 demands, also if Go does not accept the signature in it.
func TestChain(t *testing.T) {
	root := issue(t, nil, "root", isAuthority)
	between := issue(t, root, "between", isAuthority)
	namesake := issue(t, nil, "between", isAuthority)
	for name, client := range map[string]*tls.Certificate{
		"SHA-256": issue(t, between, "client60"), "SHA-1": issue(t, between, "client60", withSHA1),
	} {
		t.Run(name, func(t *testing.T) {
			others := []*x509.Certificate{root.Leaf, root.Leaf, client.Leaf, issue(t, root, "client61").Leaf, between.Leaf}
			if name == "SHA-256" { // with SHA-1, Go does not check who issued it
				others = append([]*x509.Certificate{namesake.Leaf}, others...)
			}
			checkKeystore(t, encode(t, client, root.Leaf, others...), password, "client60 between root")
		})
	}
}

// No file makes Load panic, or return credentials without a key and its certificate.
func FuzzKeystore(f *testing.F) {
	for _, name := range []string{"course", "keytool", "openssl"} {
		data, err := os.ReadFile(filepath.Join(testdata, name+".p12"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, password)
	}
	f.Fuzz(func(t *testing.T, data []byte, password string) {
		path := filepath.Join(t.TempDir(), KeystoreFile)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if client, err := readKeystore(path, password); err == nil && (client.PrivateKey == nil || client.Leaf == nil) {
			t.Error("a certificate without a key")
		}
	})
}
