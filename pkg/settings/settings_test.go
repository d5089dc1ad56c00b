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

// find resolves a command line in the folder dir of a temporary folder with these files.
func find(t *testing.T, dir, line string, env, files map[string]string) (*settings.Settings, error) {
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
	return flags, flags.Find()
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
			"no credentials: no ca.crt in other / name the folder that the staff gave you, or the one that go run ./classroom/cluster wrote"},
		{"no port", "-b localhost", m{"auth/ca.crt": ""}, `broker address "localhost"` + notAddress},
		{"a port that is no number", "-b localhost:x", m{"auth/ca.crt": ""}, `broker address "localhost:x"` + notAddress},
		{"no host", "-b :9092", m{"auth/ca.crt": ""}, `broker address ":9092"` + notAddress},
		{"a port that is too large", "-b a:70000", m{"auth/ca.crt": ""}, `broker address "a:70000"` + notAddress},
		{"commas only", "-b ,,", m{"auth/ca.crt": ""},
			`no broker address in ",," / write the addresses as host:port,host:port`},
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

// describe returns an error and its hint: "text / hint".
func describe(err error) string {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		return err.Error() + " / " + hinted.Hint()
	}
	return err.Error()
}
