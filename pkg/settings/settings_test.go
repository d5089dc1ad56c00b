package settings_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"tkafka/pkg/settings"
)

// find resolves a command line in a working directory with these files.
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
		t.Setenv(name, "") // restored by t.Setenv's own cleanup
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
		{"an empty password from the environment counts", ".", "", m{"KAFKA_KEYSTORE_PASSWORD": ""}, m{"auth/ca.crt": ""},
			"auth", settings.DefaultBrokers, ""},
		{"a folder of the environment's", ".", "", m{"KAFKA_AUTH": "other"}, m{"auth/ca.crt": "", "other/ca.crt": ""},
			"other", settings.DefaultBrokers, "cc2023"},
		{"a folder of the flag's", ".", "--auth third", m{"KAFKA_AUTH": "other"}, m{"other/ca.crt": "", "third/ca.crt": ""},
			"third", settings.DefaultBrokers, "cc2023"},
		{"from a program's own folder", "commitoffsets/consumer", "", nil,
			m{"auth/ca.crt": "", "commitoffsets/consumer/main.go": ""},
			"../../auth", settings.DefaultBrokers, "cc2023"},
		{"the nearest folder with a ca.crt", "a/b", "", nil, m{"auth/ca.crt": "", "a/auth/ca.crt": "", "a/b/auth/README.md": ""},
			"../auth", settings.DefaultBrokers, "cc2023"},
		{"past a file of that name", "a/b", "", nil, m{"auth/ca.crt": "", "a/auth": "", "a/b/main.go": ""},
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
	for _, test := range []struct {
		name, line string
		files      m
		want       string
	}{
		{"no folder", "", nil, "no credentials: no auth/ca.crt here or above (start a cluster of your own: go run ./classroom/cluster)"},
		{"a folder without a ca.crt", "", m{"auth/README.md": ""}, "no auth/ca.crt here or above"},
		{"the folder that was asked for", "--auth other", m{"auth/ca.crt": ""}, "no credentials: no ca.crt in other"},
		{"no port", "-b localhost", m{"auth/ca.crt": ""}, `the broker address "localhost" is not host:port, as in localhost:19093`},
		{"no number", "-b localhost:x", m{"auth/ca.crt": ""}, `"localhost:x" is not host:port`},
		{"no host", "-b :9092", m{"auth/ca.crt": ""}, `":9092" is not host:port`},
		{"out of range", "-b a:70000", m{"auth/ca.crt": ""}, `"a:70000" is not host:port`},
		{"commas only", "-b ,,", m{"auth/ca.crt": ""}, `no broker address in ",,"`},
		{"another protocol", "", m{"auth/ca.crt": "", "auth/client-ssl.properties": "security.protocol=SASL_SSL"},
			"auth/client-ssl.properties: security.protocol=SASL_SSL is not for these programs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := find(t, ".", test.line, nil, test.files)
			if err == nil || !strings.Contains(filepath.ToSlash(err.Error()), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
