package settings_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"tkafka/pkg/settings"
)

// find resolves a command line in the folder dir of a temporary folder with these files. It fails
// after a warning.
func find(t *testing.T, dir, line string, env, files map[string]string) (*settings.Settings, error) {
	t.Helper()
	return findWarned(t, dir, line, env, files, func(flaw error) { t.Errorf("warned: %v", flaw) })
}

func findWarned(
	t *testing.T, dir, line string, env, files map[string]string, warn func(flaw error),
) (*settings.Settings, error) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(filepath.Join(root, dir))
	for _, name := range []string{"KAFKA_BROKERS", "KAFKA_AUTH", "KAFKA_KEYSTORE_PASSWORD"} {
		t.Setenv(name, "") // restores the variable at the end of the test
		os.Unsetenv(name)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags := settings.AddFlags(set)
	if err := set.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	return flags, flags.Find(warn)
}

func TestFind(t *testing.T) {
	const properties = "auth/client-ssl.properties"
	type m = map[string]string
	for _, test := range []struct {
		name       string
		dir, line  string
		env, files m

		folder, brokers, password string
	}{
		{"defaults", ".", "", nil, m{"auth/ca.crt": ""},
			"auth", settings.DefaultBrokers, "cc2023"},
		{"properties", ".", "", nil, m{"auth/ca.crt": "", properties: "bootstrap.servers=a:1, b:2\nssl.keystore.password=p"},
			"auth", "a:1,b:2", "p"},
		{"environment before properties", ".", "", m{"KAFKA_BROKERS": "e:3", "KAFKA_KEYSTORE_PASSWORD": "q"},
			m{"auth/ca.crt": "", properties: "bootstrap.servers=a:1\nssl.keystore.password=p"},
			"auth", "e:3", "q"},
		{"flag before environment", ".", "-b f:4", m{"KAFKA_BROKERS": "e:3"}, m{"auth/ca.crt": ""},
			"auth", "f:4", "cc2023"},
		{"empty password from the environment", ".", "", m{"KAFKA_KEYSTORE_PASSWORD": ""}, m{"auth/ca.crt": ""},
			"auth", settings.DefaultBrokers, ""},
		{"folder from the environment", ".", "", m{"KAFKA_AUTH": "other"}, m{"auth/ca.crt": "", "other/ca.crt": ""},
			"other", settings.DefaultBrokers, "cc2023"},
		{"folder from a flag", ".", "--auth third", m{"KAFKA_AUTH": "other"}, m{"other/ca.crt": "", "third/ca.crt": ""},
			"third", settings.DefaultBrokers, "cc2023"},
		{"from the folder of a program", "commitoffsets/consumer", "", nil,
			m{"auth/ca.crt": "", "commitoffsets/consumer/main.go": ""},
			"../../auth", settings.DefaultBrokers, "cc2023"},
		{"the nearest auth/ with a ca.crt", "a/b", "", nil, m{"auth/ca.crt": "", "a/auth/ca.crt": "", "a/b/auth/README.md": ""},
			"../auth", settings.DefaultBrokers, "cc2023"},
		{"a file named auth is not the folder", "a/b", "", nil, m{"auth/ca.crt": "", "a/auth": "", "a/b/main.go": ""},
			"../../auth", settings.DefaultBrokers, "cc2023"},
		{"a Java file", ".", "", nil, m{"auth/ca.crt": "",
			properties: "# comment\r\n! too\r\nbootstrap.servers : a:1,\\\r\n    b:2\r\nssl.keystore.password = ${x}\\=y\r\nsecurity.protocol=ssl\r\n"},
			"auth", "a:1,b:2", "${x}=y"},
		{"a UTF-8 file from Windows", ".", "", nil, m{"auth/ca.crt": "", properties: "\ufeffbootstrap.servers=a:1\r\n"},
			"auth", "a:1", "cc2023"},
		{"IPv6", ".", "-b [::1]:9", nil, m{"auth/ca.crt": ""},
			"auth", "[::1]:9", "cc2023"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := find(t, test.dir, test.line, test.env, test.files)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.ToSlash(s.Folder) != test.folder || !slices.Equal(s.Brokers, strings.Split(test.brokers, ",")) ||
				s.Password != test.password || !s.TLS {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestPlaintext(t *testing.T) {
	s, err := find(t, ".", "", nil, map[string]string{"auth/ca.crt": "", "auth/client-ssl.properties": "security.protocol=PLAINTEXT"})
	if err != nil || s.TLS {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestFindFails(t *testing.T) {
	type m = map[string]string
	const notAddress = " is not host:port / a broker address is like localhost:19093"
	for _, test := range []struct {
		name, line string
		files      m
		want       string
	}{
		{"no folder", "", nil,
			"no credentials: no auth/ca.crt here or above / start a cluster of your own: go run ./classroom/cluster"},
		{"a folder without a ca.crt", "", m{"auth/README.md": ""},
			"no credentials: no auth/ca.crt here or above / start a cluster of your own: go run ./classroom/cluster"},
		{"no ca.crt in the folder of the flag", "--auth other", m{"auth/ca.crt": ""},
			"no credentials: no ca.crt in other / use the folder from the staff, or from go run ./classroom/cluster"},
		{"a folder in auth/", "", m{"auth/README.md": "", "auth/client60/ca.crt": ""},
			"no credentials: the files in auth/client60 must be in auth / move them: mv auth/client60/* auth"},
		{"a folder in a folder", "", m{"auth/client60 (1)/client60/ca.crt": ""},
			`no credentials: the files in auth/client60 (1)/client60 must be in auth / move them: mv "auth/client60 (1)/client60"/* auth`},
		{"the folder of a class", "--auth creds", m{"creds/admin/ca.crt": "", "creds/clients/client1/ca.crt": ""},
			"no credentials: no ca.crt in creds / use --auth creds/admin"},
		{"a zip file", "", m{"auth/client60.zip": ""},
			"no credentials: auth/client60.zip is not unpacked / unpack it: unzip auth/client60.zip -d auth"},
		{"a ca.crt that the browser renamed", "", m{"auth/ca (1).crt": ""},
			`no credentials: no auth/ca.crt, but auth/ca (1).crt / rename it: mv "auth/ca (1).crt" auth/ca.crt`},
		{"a file of the folder", "--auth auth/ca.crt", m{"auth/ca.crt": ""},
			"no credentials: auth/ca.crt is a file, not a folder / use its folder: --auth auth"},
		{"a zip file as the folder", "--auth client60.ZIP", m{"client60.ZIP": ""},
			"no credentials: client60.ZIP is a file, not a folder / unpack it: unzip client60.ZIP -d auth; then use --auth auth"},
		{"another file as the folder", "--auth notes", m{"notes": ""},
			"no credentials: notes is a file, not a folder / use a folder with a ca.crt"},
		{"UTF-16", "", m{"auth/ca.crt": "", "auth/client-ssl.properties": "\xff\xfeb\x00o\x00"},
			"auth/client-ssl.properties: UTF-16, not UTF-8 / save it as UTF-8; Notepad asks for the encoding in Save As"},
		{"a file with a wrong address", "", m{"auth/ca.crt": "", "auth/client-ssl.properties": "bootstrap.servers=a"},
			`auth/client-ssl.properties: broker address "a"` + notAddress},
		{"no port", "-b localhost", m{"auth/ca.crt": ""}, `--brokers: broker address "localhost"` + notAddress},
		{"a port that is no number", "-b localhost:x", m{"auth/ca.crt": ""}, `--brokers: broker address "localhost:x"` + notAddress},
		{"no host", "-b :9092", m{"auth/ca.crt": ""}, `--brokers: broker address ":9092"` + notAddress},
		{"a port that is too large", "-b a:70000", m{"auth/ca.crt": ""}, `--brokers: broker address "a:70000"` + notAddress},
		{"commas only", "-b ,,", m{"auth/ca.crt": ""},
			`--brokers: no broker address in ",," / write the addresses as host:port,host:port`},
		{"another protocol", "", m{"auth/ca.crt": "", "auth/client-ssl.properties": "security.protocol=SASL_SSL"},
			"auth/client-ssl.properties: security.protocol=SASL_SSL is not supported / " +
				"these programs use SSL, with a client certificate (mutual TLS)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := find(t, ".", test.line, nil, test.files)
			if err == nil {
				t.Fatal("no error")
			}
			if got := describe(err); filepath.ToSlash(got) != test.want {
				t.Errorf("error\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// What has no effect by mistake is reported, and nothing else is.
func TestWarnings(t *testing.T) {
	const file = "auth/client-ssl.properties"
	for _, test := range []struct {
		name, file, text string
		want             []string
	}{
		{"every key of the staff's file", file, "security.protocol=SSL\nssl.truststore.location=kafka.truststore.pkcs12\n" +
			"ssl.truststore.password=cc2023\nssl.truststore.type=PKCS12\nssl.keystore.location=kafka.keystore.pkcs12\n" +
			"ssl.keystore.password=\nssl.keystore.type=PKCS12\nssl.endpoint.identification.algorithm=\n", nil},
		{"other keys of Kafka", file, "security.providers=a\nssl.protocol=TLSv1.3\nssl.provider=b\nssl.key.password=c\n" +
			"ssl.keystore.key=d\nssl.enabled.protocols=e\nclient.id=f\nbootstrap.controllers=g\n", nil},
		{"misspelt keys", file, "# one\n\nbootstrap.server=a:1\nssl.keystore.pasword=b\nSecurity.Protocol=SSL\nsecurtiy.protcol=SSL\n", []string{
			file + ":3: unknown setting bootstrap.server / do you mean bootstrap.servers?",
			file + ":4: unknown setting ssl.keystore.pasword / do you mean ssl.keystore.password?",
			file + ":5: unknown setting Security.Protocol / do you mean security.protocol?",
			file + ":6: unknown setting securtiy.protcol / do you mean security.protocol?",
		}},
		{"lines without a value", file, "ssl.keystore.type=\\\n  PKCS12\nbootstrap.servers=\nsecret\n", []string{
			file + ":3: a line without a value / write the line as KEY=VALUE",
			file + ":4: a line without a value / write the line as KEY=VALUE",
		}},
		{"another name", file + ".txt", "bootstrap.servers=a:1", []string{
			file + ": file does not exist, but " + file + ".txt does / rename it: mv " + file + ".txt " + file,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			warn := func(flaw error) { got = append(got, filepath.ToSlash(describe(flaw))) }
			s, err := findWarned(t, ".", "", nil, map[string]string{"auth/ca.crt": "", test.file: test.text}, warn)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("warned\n%q\nwant\n%q", got, test.want)
			}
			if err := s.Find(warn); err != nil || len(got) != len(test.want) {
				t.Errorf("warned again: %q, %v", got, err)
			}
		})
	}
}

func TestSource(t *testing.T) {
	type m = map[string]string
	const file = "auth/client-ssl.properties"
	for _, test := range []struct {
		line            string
		env, files      m
		source, missing string
	}{
		{"-b a:1", m{"KAFKA_BROKERS": "b:2"}, m{file: "bootstrap.servers=c:3"}, "--brokers", ""},
		{"", m{"KAFKA_BROKERS": "b:2"}, m{file: "bootstrap.servers=c:3"}, "KAFKA_BROKERS", ""},
		{"", nil, m{file: "bootstrap.servers=c:3"}, file, ""},
		{"", nil, m{file: "security.protocol=SSL"}, "", file + " has no bootstrap.servers"},
		{"", nil, m{}, "", "there is no " + file},
	} {
		test.files["auth/ca.crt"] = ""
		s, err := find(t, ".", test.line, test.env, test.files)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.ToSlash(s.Source) != test.source || filepath.ToSlash(s.Default) != test.missing {
			t.Errorf("%+v: source %q, default %q", test, s.Source, s.Default)
		}
	}
}

// describe returns an error and its hint: "text / hint".
func describe(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return err.Error() + " / " + hinted.Hint()
	}
	return err.Error()
}
