package tlsconf

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"
)

var update = flag.Bool("update", false, "replace the keystores in testdata by new ones")

// pki makes an authority, and a key and a certificate of each kind. As in the course, the
// certificates have no extensions, so they are of X.509 version 1.
var pki = `
	openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=course -days 36500 -out ca.crt
	` + keyPair("rsa", "RSA -pkeyopt rsa_keygen_bits:2048") + `
	` + keyPair("ec", "EC -pkeyopt ec_paramgen_curve:P-256") + `
	` + keyPair("ed25519", "ED25519")

func keyPair(name, algorithm string) string {
	return strings.NewReplacer("NAME", name, "ALGORITHM", algorithm).Replace(`
	openssl genpkey -algorithm ALGORITHM -out NAME.key
	openssl req -new -key NAME.key -subj /CN=client60 -out NAME.csr
	openssl x509 -req -in NAME.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 36500 -out NAME.crt`)
}

// keystores are the keystores that people make, on purpose or by mistake. The commands write STORE.p12.
var keystores = []struct {
	name     string
	password string
	commands string
	want     string // the text and hint of decode's error, or empty if it must load
	chain    string // the names in the chain, if it loads
}{
	{
		name: "openssl", password: password, chain: "client60",
		commands: `openssl pkcs12 -export -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`,
	}, {
		name: "openssl-rsa", password: password, chain: "client60",
		commands: `openssl pkcs12 -export -in rsa.crt -inkey rsa.key -out STORE.p12 -passout pass:cc2023`,
	}, {
		name: "openssl-ed25519", password: password, chain: "client60",
		commands: `openssl pkcs12 -export -in ed25519.crt -inkey ed25519.key -out STORE.p12 -passout pass:cc2023`,
	}, {
		name: "openssl-legacy", password: password, chain: "client60",
		commands: `openssl pkcs12 -export -legacy -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`,
	}, {
		name: "empty-password", password: "", chain: "client60",
		commands: `openssl pkcs12 -export -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:`,
	}, {
		name: "keytool", password: password, chain: "client60",
		commands: `keytool -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storepass cc2023`,
	}, {
		name: "keytool-legacy", password: password, chain: "client60",
		commands: `keytool -J-Dkeystore.pkcs12.legacy -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storepass cc2023`,
	}, {
		name: "course", password: password, chain: "client60 course",
		commands: `
			openssl pkcs12 -export -chain -CAfile ca.crt -in rsa.crt -inkey rsa.key -name client60 -out STORE.tmp -passout pass:cc2023
			keytool -importkeystore -srckeystore STORE.tmp -srcstoretype PKCS12 -srcstorepass cc2023 -destkeystore STORE.p12 -deststoretype PKCS12 -deststorepass cc2023`,
	}, {
		name: "ca-first", password: password, chain: "client60 course",
		commands: `
			openssl pkcs12 -export -chain -CAfile ca.crt -in ec.crt -inkey ec.key -name client60 -out STORE.tmp -passout pass:cc2023
			keytool -importcert -noprompt -alias ca -file ca.crt -keystore STORE.p12 -storepass cc2023
			keytool -importkeystore -srckeystore STORE.tmp -srcstorepass cc2023 -destkeystore STORE.p12 -deststorepass cc2023`,
	}, {
		name: "truststore", password: password,
		want:     "no private key in it / is this the truststore? Copy the keystore there",
		commands: `keytool -importcert -noprompt -alias ca -file ca.crt -keystore STORE.p12 -storepass cc2023`,
	}, {
		name: "no-certificate", password: password,
		want:     "no certificate in it / copy the original file there; if this is the original, ask the staff for a new one",
		commands: `openssl pkcs12 -export -nocerts -inkey ec.key -out STORE.p12 -passout pass:cc2023`,
	}, {
		name: "two-keys", password: password,
		want: "more than one private key in it / remove the others with keytool -delete -alias <name>",
		commands: `
			keytool -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storepass cc2023
			keytool -genkeypair -alias you -keyalg EC -dname CN=client61 -validity 36500 -keystore STORE.p12 -storepass cc2023`,
	}, {
		name: "no-mac", password: password,
		want:     "no checksum (MAC) in it, so nothing can check its password / copy the original file there; if this is the original, ask the staff for a new one",
		commands: `openssl pkcs12 -export -nomac -in ec.crt -inkey ec.key -out STORE.p12 -passout pass:cc2023`,
	}, {
		name: "jks", password: password,
		want:     "a Java keystore (JKS), not PKCS#12 / convert it with keytool -importkeystore -deststoretype PKCS12",
		commands: `keytool -genkeypair -alias me -keyalg EC -dname CN=client60 -validity 36500 -keystore STORE.p12 -storetype JKS -storepass cc2023 -keypass cc2023`,
	},
}

// Every machine reads every kind of keystore, because the keystores are in testdata.
func TestKeystores(t *testing.T) {
	for _, store := range keystores {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			checkKeystore(t, read(t, sample(store.name)), store.password, store.want, store.chain)
		})
	}
}

func sample(name string) string { return filepath.Join(testdata, name+".p12") }

// The OpenSSL and the Java of this machine make keystores that can be read, too.
func TestFreshKeystores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run(t, dir, pki)
	if *update {
		write(t, filepath.Join(testdata, CAFile), read(t, filepath.Join(dir, CAFile)))
	}
	for _, store := range keystores {
		t.Run(store.name, func(t *testing.T) {
			t.Parallel()
			run(t, dir, strings.ReplaceAll(store.commands, "STORE", store.name))
			data := read(t, filepath.Join(dir, store.name+".p12"))
			if *update {
				write(t, sample(store.name), data)
			}
			checkKeystore(t, data, store.password, store.want, store.chain)
		})
	}
}

// run runs the commands, one on each line, in dir. It skips the test if a command is not installed.
func run(t *testing.T, dir, commands string) {
	t.Helper()
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if _, err := exec.LookPath(words[0]); err != nil {
			t.Skipf("%s is not installed", words[0])
		}
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "JAVA_TOOL_OPTIONS=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC") // Java starts in half the time
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.TrimSpace(line), err, out)
		}
	}
}

func checkKeystore(t *testing.T, data []byte, password, want, chain string) {
	t.Helper()
	id, err := decode(data, password)
	if want != "" {
		checkDecodeError(t, err, want)
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	checkIdentity(t, id)
	var names []string
	for _, cert := range id.chain {
		names = append(names, cert.Subject.CommonName)
	}
	if got := strings.Join(names, " "); got != chain {
		t.Errorf("the chain is %s, want %s", got, chain)
	}
}

func checkDecodeError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	if got := describe(t, err); got != want {
		t.Errorf("error\n%s\nwant\n%s", got, want)
	}
	if errors.Is(err, ErrPassword) != strings.HasPrefix(want, "wrong password") {
		t.Errorf("errors.Is(%q, ErrPassword) is wrong", err)
	}
}

// checkIdentity checks that the certificate belongs to the key, in another way than the code does.
func checkIdentity(t *testing.T, id *identity) {
	t.Helper()
	key, err := x509.MarshalPKIXPublicKey(id.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.MarshalPKIXPublicKey(id.chain[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(key, cert) {
		t.Errorf("the certificate of %s does not belong to the key", id.chain[0].Subject)
	}
}

// The library, like Java, takes the first certificate for the client's. If it stops doing so, the
// sample ca-first tests nothing.
func TestSampleBeginsWithAuthority(t *testing.T) {
	_, first, _, err := pkcs12.DecodeChain(read(t, sample("ca-first")), password)
	if err != nil {
		t.Fatal(err)
	}
	if name := first.Subject.CommonName; name != "course" {
		t.Errorf("the first certificate is of %s", name)
	}
}

func TestDecode(t *testing.T) {
	good := read(t, sample("openssl"))
	ca := issue(t, nil, "course", isAuthority)
	client := issue(t, ca, "client60")
	unrelated, err := pkcs12.Modern2023.Encode(client.PrivateKey, ca.Leaf, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	const emoji = "its password has a character outside UCS-2, such as an emoji / change the password with keytool -storepasswd"
	const wrong = "wrong password / set KAFKA_KEYSTORE_PASSWORD, or ssl.keystore.password in client-ssl.properties"
	const cut = "cut short or damaged / copy it again, as a binary file"
	const other = "not a PKCS#12 file / copy the original file there"

	tests := []struct {
		name     string
		data     []byte
		password string
		want     string
	}{
		{"another password", good, "changeit", wrong},
		{"no password", good, "", wrong},
		{"a newline after it", append(slices.Clone(good), "\r\n"...), password, ""},
		{"other bytes after it", append(slices.Clone(good), "abc"...), password, "3 bytes too long / copy it again, as a binary file"},
		{"cut short", good[:len(good)-1], password, cut},
		{"only the beginning", good[:1], password, cut},
		{"PEM", pemOf(client), password, "PEM text, not PKCS#12 / make a keystore of the certificate and its key with openssl pkcs12 -export"},
		{"DER certificate", client.Leaf.Raw, password, other},
		{"random bytes", []byte("\x8f\x00\x12 any"), password, other},
		{"text", []byte("MIIJ"), password, other},
		{"emoji in the password", good, "cc2023😀", emoji},
		{"no certificate for the key", unrelated, password, "none of its certificates belongs to its private key / import the certificate that was issued for this key"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			checkKeystore(t, test.data, test.password, test.want, "client60")
		})
	}
}

// A keystore has its certificates in any order, with unrelated ones and copies among them. The client
// presents its chain in order and without those, as TLS 1.2 demands.
func TestChain(t *testing.T) {
	root := issue(t, nil, "root", isAuthority)
	between := issue(t, root, "between", isAuthority)
	client := issue(t, between, "client60")
	namesake := issue(t, nil, "between", isAuthority)
	data, err := pkcs12.Modern2023.Encode(client.PrivateKey, namesake.Leaf, []*x509.Certificate{
		root.Leaf, root.Leaf, client.Leaf, issue(t, root, "client61").Leaf, between.Leaf,
	}, password)
	if err != nil {
		t.Fatal(err)
	}
	checkKeystore(t, data, password, "", "client60 between root")
	id, err := decode(data, password)
	if err != nil {
		t.Fatal(err)
	}
	if got := id.certificate(); !slices.EqualFunc(got.Certificate, client.Certificate, bytes.Equal) {
		t.Error("the client does not present its own chain")
	}
}

// This keystore takes more than ten seconds to decode. It must end at some time, because the decoding
// continues during the other tests.
func TestDecodingIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, KeystoreFile)
	write(t, filepath.Join(dir, CAFile), read(t, filepath.Join(testdata, CAFile)))
	write(t, path, withIterations(t, read(t, sample("openssl")), 100_000_000))

	start := time.Now()
	_, err := Load(dir, password, nil)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("Load took %v", took)
	}
	want := path + ": not decoded after 3s: its iteration count is too high / copy the original file there; if this is the original, ask the staff for a new one"
	checkDecodeError(t, err, want)
}

// withIterations sets how many times the password is hashed for the MAC of a keystore (RFC 7292, PFX).
func withIterations(t *testing.T, data []byte, count int) []byte {
	t.Helper()
	var pfx struct {
		Version  int
		AuthSafe asn1.RawValue
		MacData  struct {
			Mac, Salt  asn1.RawValue
			Iterations int
		}
	}
	if _, err := asn1.Unmarshal(data, &pfx); err != nil {
		t.Fatal(err)
	}
	pfx.MacData.Iterations = count
	data, err := asn1.Marshal(pfx)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// FuzzKeystore looks for a keystore that ends the program, or whose certificate does not belong to its
// key. With -fuzzminimizetime 10x the fuzzer does not spend its time on shortening slow input.
func FuzzKeystore(f *testing.F) {
	for _, store := range keystores {
		f.Add(read(f, sample(store.name)), store.password)
	}
	// In the keystores above, the MAC detects every change. The next one has no MAC, so the fuzzer
	// reaches the code behind it.
	id, err := decode(read(f, sample("ca-first")), password)
	if err != nil {
		f.Fatal(err)
	}
	open, err := pkcs12.Passwordless.Encode(id.key, id.chain[1], id.chain[:1], "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(open, "")

	f.Fuzz(func(t *testing.T, data []byte, password string) {
		id, err := decodeWithin(time.Second, data, password)
		if err != nil {
			describe(t, err)
			return
		}
		checkIdentity(t, id)
	})
}
