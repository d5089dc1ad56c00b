package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/tlsconf"
)

const properties = "auth/client-ssl.properties"

type m = map[string]string

// findIn finds the settings of a command line in the folder dir of a temporary folder with these files. Among them is
// auth/ca.crt, unless "auth" is "no". It also returns what is on standard error.
func findIn(t *testing.T, dir, line string, env, files m) (found *Settings, warned string, err error) {
	t.Helper()
	root := t.TempDir()
	if files["auth"] == "no" {
		delete(files, "auth")
	} else {
		files["auth/"+tlsconf.CAFile] = ""
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
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
	stderr, err := os.Create(filepath.Join(root, "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	defer func(before *os.File) { os.Stderr = before }(os.Stderr)
	os.Stderr = stderr

	pflag.CommandLine = pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags := AddFlags()
	if err := pflag.CommandLine.Parse(strings.Fields(line)); err != nil {
		t.Fatal(err)
	}
	found, err = flags.Find()
	text, _ := os.ReadFile(stderr.Name())
	return found, filepath.ToSlash(string(text)), err
}

func TestFind(t *testing.T) {
	const folder, brokers, password = "auth", DefaultBrokers, DefaultPassword
	for name, test := range map[string]struct {
		dir, line                 string
		env, files                m
		folder, brokers, password string
	}{
		"defaults":          {".", "", nil, m{}, folder, brokers, password},
		"file":              {".", "", nil, m{properties: "bootstrap.servers=a:1, b:2\nssl.keystore.password=p"}, folder, "a:1,b:2", "p"},
		"variables":         {".", "", m{"KAFKA_BROKERS": "e:3", "KAFKA_KEYSTORE_PASSWORD": "q"}, m{properties: "bootstrap.servers=a:1\nssl.keystore.password=p"}, folder, "e:3", "q"},
		"flag":              {".", "-b f:4", m{"KAFKA_BROKERS": "e:3"}, m{}, folder, "f:4", password},
		"empty variables":   {".", "", m{"KAFKA_BROKERS": "", "KAFKA_AUTH": "", "KAFKA_KEYSTORE_PASSWORD": ""}, m{}, folder, brokers, ""},
		"KAFKA_AUTH":        {".", "", m{"KAFKA_AUTH": "other"}, m{"other/ca.crt": ""}, "other", brokers, password},
		"--auth":            {".", "--auth third", m{"KAFKA_AUTH": "other"}, m{"other/ca.crt": "", "third/ca.crt": ""}, "third", brokers, password},
		"above":             {"commitoffsets/consumer", "", nil, m{"commitoffsets/consumer/main.go": ""}, "../../auth", brokers, password},
		"the nearest":       {"a/b", "", nil, m{"a/auth/ca.crt": "", "a/b/auth/README.md": ""}, "../auth", brokers, password},
		"a file named auth": {"a/b", "", nil, m{"a/auth": "", "a/b/main.go": ""}, "../../auth", brokers, password},
		"IPv6":              {".", "-b [::1]:9", nil, m{}, folder, "[::1]:9", password},
	} {
		t.Run(name, func(t *testing.T) {
			s, warned, err := findIn(t, test.dir, test.line, test.env, test.files)
			if err != nil || warned != "" {
				t.Fatal(err, warned)
			}
			if filepath.ToSlash(s.Folder) != test.folder || !slices.Equal(s.Brokers, strings.Split(test.brokers, ",")) || s.Password != test.password {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// Java reads these lines in the same way, apart from blanks at the end. A line that is not understood is reported.
func TestProperties(t *testing.T) {
	for line, want := range map[string]string{
		"=p": "p", " = p ": "p", ":p": "p", " : p": "p", " p": "p", "==p:": "=p:", "=": "",
		`=p\u00e4ss\u00D6`: "päss\u00d6", "=pä": "pä", `=\=\:\#\!\ \\`: `=:#! \`, `=a\tb\qc\b\a`: "a\tbqcba", `="p"`: `"p"`,
		"=p\r": "p", `=p\`: "?", `=p\\\`: "?", `=p\\`: `p\`, "": "?", `=${x}`: "${x}",
	} {
		t.Run(line, func(t *testing.T) {
			text := "\ufeffbootstrap.servers=a\\:1\n# comment=1\n! too\nssl.keystore.password" + line + "\n"
			s, warned, err := findIn(t, ".", "", nil, m{properties: text})
			if err != nil || s.Brokers[0] != "a:1" {
				t.Fatal(s, err)
			}
			if wrong := strings.Contains(warned, properties+":4: "); wrong != (want == "?") || !wrong && (s.Password != want || warned != "") {
				t.Errorf("password %q, want %q; warned %q", s.Password, want, warned)
			}
		})
	}
}

func TestFindFails(t *testing.T) {
	const notAddress = " is not host:port (from --brokers) / a broker address is like localhost:19093"
	for name, test := range map[string]struct {
		line  string
		files m
		want  string
	}{
		"no folder":           {"", m{"auth": "no"}, "no credentials: no auth/ca.crt here or above / ...classroom/cluster"},
		"another folder":      {"--auth other", m{}, "no credentials: no ca.crt in other: file does not exist (from --auth) / "},
		"too deep":            {"", m{"auth": "no", "auth/a (1)/ca.crt": ""}, `no credentials: the files in auth/a (1) must be in auth / ...mv "auth/a (1)"/* "auth"; ...--auth "auth/a (1)"`},
		"much too deep":       {"", m{"auth": "no", "auth/a/a/ca.crt": ""}, "no credentials: the files in auth/a/a must be in auth / "},
		"a class":             {"--auth class", m{"class/admin/ca.crt": ""}, `no credentials: the files in class/admin must be in class (from --auth) / ...--auth "class/admin"`},
		"UTF-16":              {"", m{properties: "\xff\xfeb\x00o\x00"}, properties + ": not in UTF-8 / save it"},
		"ISO 8859-1":          {"", m{properties: "ssl.keystore.password=\xe4"}, properties + ": not in UTF-8 / save it"},
		"another protocol":    {"", m{properties: "\nsecurity.protocol=SASL_SSL"}, "security.protocol=SASL_SSL is not supported (from " + properties + ":2) / "},
		"no port in the file": {"", m{properties: "bootstrap.servers=a"}, `broker address "a" is not host:port (from ` + properties + ":1) / "},
		"none in the file":    {"", m{properties: "bootstrap.servers="}, `broker address "" is not host:port (from ` + properties + ":1) / "},
		"no port":             {"-b localhost", m{}, `broker address "localhost"` + notAddress},
		"no number":           {"-b localhost:x", m{}, `broker address "localhost:x"` + notAddress},
		"no host":             {"-b :9092", m{}, `broker address ":9092"` + notAddress},
		"a large port":        {"-b a:70000", m{}, `broker address "a:70000"` + notAddress},
		"an empty one":        {"-b a:1,", m{}, `broker address ""` + notAddress},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := findIn(t, ".", test.line, nil, test.files)
			expect(t, err, test.want)
		})
	}
}

func TestUnreadable(t *testing.T) {
	if runtime.GOOS == "windows" || os.Getuid() == 0 {
		t.Skip("this user can read every file")
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("auth", 0); err != nil {
		t.Fatal(err)
	}
	_, err := InFolder("auth")
	expect(t, err, "no credentials: ...permission denied / in a container")
}

// An error about a setting names where it comes from, and what is strange about a password.
func TestWithSource(t *testing.T) {
	const quoted = "; it begins or ends with a quote, a blank or a line end)"
	for name, test := range map[string]struct {
		line       string
		env, files m
		about      error
		want       string
	}{
		"flag":              {"-b a:1", m{"KAFKA_BROKERS": "b:2"}, m{}, ErrBrokers, "(from --brokers)"},
		"variable":          {"", m{"KAFKA_BROKERS": "b:2"}, m{properties: "bootstrap.servers=c:3"}, ErrBrokers, "(from KAFKA_BROKERS)"},
		"file":              {"", nil, m{properties: "#\nbootstrap.servers=c:3"}, ErrBrokers, "(from " + properties + ":2)"},
		"default":           {"", nil, m{properties: "bootstrap.server=c:3"}, ErrBrokers, "(from the default, because " + properties + " has no bootstrap.servers)"},
		"password":          {"", nil, m{}, tlsconf.ErrPassword, "(from the default, because " + properties + " has no ssl.keystore.password)"},
		"hidden":            {"", m{"KAFKA_KEYSTORE_PASSWORD": "p"}, m{properties: "ssl.keystore.password=p"}, tlsconf.ErrPassword, "(from KAFKA_KEYSTORE_PASSWORD)"},
		"in the file":       {"", nil, m{properties: "ssl.keystore.password=p"}, tlsconf.ErrPassword, "(from " + properties + ":1)"},
		"empty":             {"", m{"KAFKA_KEYSTORE_PASSWORD": ""}, m{}, tlsconf.ErrPassword, "(from KAFKA_KEYSTORE_PASSWORD; it is empty)"},
		"carriage return":   {"", m{"KAFKA_KEYSTORE_PASSWORD": "p\r"}, m{}, tlsconf.ErrPassword, "(from KAFKA_KEYSTORE_PASSWORD" + quoted},
		"quotes":            {"", nil, m{properties: "ssl.keystore.password='p'"}, tlsconf.ErrPassword, "(from " + properties + ":1" + quoted},
		"about neither one": {"", nil, m{}, os.ErrClosed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, _, err := findIn(t, ".", test.line, test.env, test.files)
			if err != nil {
				t.Fatal(err)
			}
			err = s.WithSource(fmt.Errorf("failed: %w", test.about))
			if got := filepath.ToSlash(err.Error()); got != strings.TrimSpace("failed: "+test.about.Error()+" "+test.want) || !errors.Is(err, test.about) {
				t.Errorf("got %s", got)
			}
		})
	}
}

// expect checks that an error with its hint, "text / hint", contains the parts of want, which ... separates.
func expect(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", want)
	}
	text := filepath.ToSlash(err.Error() + " / " + cli.HintOf(err))
	rest := text
	for part := range strings.SplitSeq(want, "...") {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("error\n%s\nwant\n%s", text, want)
		}
		rest = after
	}
}
