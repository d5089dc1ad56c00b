// Package settings finds the addresses of the cluster and the credentials of the student.
//
// Each setting has these sources, from left to right. The first one that has a value counts:
//
//	flag          environment               client-ssl.properties    otherwise
//	--auth        KAFKA_AUTH                                         the nearest auth/ with a ca.crt
//	--brokers     KAFKA_BROKERS             bootstrap.servers        DefaultBrokers
//	              KAFKA_KEYSTORE_PASSWORD   ssl.keystore.password    DefaultPassword
//
// A password is never a flag, because other users of the machine can read a command line.
package settings

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/tlsconf"
)

const (
	// DefaultBrokers are those of a cluster on this machine.
	DefaultBrokers = "localhost:19093,localhost:29093,localhost:39093"
	// DefaultPassword is the password of the course's keystores. It protects nothing: the mode of the file does.
	DefaultPassword = "cc2023"
	// PropertiesFile is the file of a credentials folder that Kafka's own tools read, too.
	PropertiesFile = "client-ssl.properties"
)

// ErrBrokers begins an error about the addresses of the brokers, such as one of cluster.Check.
var ErrBrokers = errors.New("cannot connect")

// Settings say where the cluster and the credentials are.
type Settings struct {
	Folder   string   // the credentials folder
	Brokers  []string // host:port of the brokers to start from; they name the others
	Password string   // of the keystore

	brokers, password source // the same, and where they come from
}

// Flags are the flags --brokers and --auth of a program.
type Flags struct{ brokers, auth *string }

// AddFlags adds the flags to the command line of a program.
func AddFlags() *Flags {
	return &Flags{
		brokers: pflag.StringP("brokers", "b", "",
			"`addresses` of the brokers, host:port,... (otherwise those in the credentials folder, or "+DefaultBrokers+")"),
		auth: pflag.String("auth", "",
			"`folder` with ca.crt and kafka.keystore.pkcs12 (otherwise the nearest auth/, here or above)"),
	}
}

// Find finds the settings. Call it after the command line is parsed, as cli.Run does. It prints a warning for each
// line of the properties that it does not understand.
func (f *Flags) Find() (*Settings, error) {
	folder := cmp.Or(from(*f.auth, "--auth"), from(os.Getenv("KAFKA_AUTH"), "KAFKA_AUTH"))
	return find(folder, from(*f.brokers, "--brokers"), from(os.Getenv("KAFKA_BROKERS"), "KAFKA_BROKERS"))
}

// InFolder returns the settings in a credentials folder. Only the password may come from the environment.
func InFolder(folder string) (*Settings, error) { return find(source{folder, ""}) }

// A source is a value, and where it comes from.
type source struct{ value, name string }

// from returns no source if the value is empty.
func from(value, name string) source {
	if value == "" {
		return source{}
	}
	return source{value, name}
}

// explain adds to an error where the value comes from.
func (s source) explain(err error) error {
	if err == nil || s.name == "" {
		return err
	}
	return fmt.Errorf("%w (from %s)", err, s.name)
}

func find(auth source, brokers ...source) (*Settings, error) {
	folder, err := findFolder(auth.value)
	if err != nil {
		return nil, auth.explain(err)
	}
	path := filepath.Join(folder, PropertiesFile)
	properties, err := readProperties(path)
	if err != nil {
		return nil, err
	}
	property := func(key, otherwise string) source {
		return cmp.Or(properties[key], source{otherwise, "the default, because " + path + " has no " + key})
	}
	if protocol := property("security.protocol", "SSL"); !strings.EqualFold(protocol.value, "SSL") {
		return nil, protocol.explain(cli.WithHint(fmt.Errorf("security.protocol=%s is not supported", protocol.value),
			"these programs use SSL, with a client certificate (mutual TLS)"))
	}
	password := property("ssl.keystore.password", DefaultPassword)
	if value, inEnvironment := os.LookupEnv("KAFKA_KEYSTORE_PASSWORD"); inEnvironment { // it may be empty
		password = source{value, "KAFKA_KEYSTORE_PASSWORD"}
	}
	if password.value == "" {
		password.name += "; it is empty"
	} else if strings.Trim(password.value, " \t\r\n\"'") != password.value {
		password.name += "; it begins or ends with a quote, a blank or a line end"
	}
	addresses := cmp.Or(append(brokers, property("bootstrap.servers", DefaultBrokers))...)
	list, err := ParseBrokers(addresses.value)
	return &Settings{folder, list, password.value, addresses, password}, addresses.explain(err)
}

// WithSource adds to an error about the password or the addresses where the setting comes from: a flag, a
// variable, a line of a file, or the default.
func (s *Settings) WithSource(err error) error {
	switch {
	case errors.Is(err, tlsconf.ErrPassword):
		return s.password.explain(err)
	case errors.Is(err, ErrBrokers):
		return s.brokers.explain(err)
	}
	return err
}

// ParseBrokers reads addresses, host:port,host:port.
func ParseBrokers(text string) (addresses []string, err error) {
	for address := range strings.SplitSeq(text, ",") {
		address = strings.TrimSpace(address)
		host, port, err := net.SplitHostPort(address)
		if number, wrong := strconv.ParseUint(port, 10, 16); err != nil || host == "" || wrong != nil || number == 0 {
			return nil, cli.WithHint(fmt.Errorf("broker address %q is not host:port", address),
				"a broker address is like localhost:19093")
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

var (
	property = regexp.MustCompile(`^([^=:\s]+)(?:\s*[=:]\s*|\s+)(.*)$`)
	escape   = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
)

// readProperties reads a Java properties file, if there is one. It prints a warning for each line that it does
// not understand, such as one that continues on the next line.
func readProperties(path string) (map[string]source, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the credentials folder: %w", err)
	}
	if !utf8.Valid(text) { // ISO 8859-1, or what Notepad calls Unicode
		return nil, cli.WithHint(fmt.Errorf("%s: not in UTF-8", path), "save it as UTF-8")
	}
	properties := make(map[string]source)
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		name, parts := fmt.Sprintf("%s:%d", path, i+1), property.FindStringSubmatch(line)
		if parts == nil || strings.HasSuffix(escape.ReplaceAllString(line, ""), `\`) {
			cli.Warn(cli.WithHint(fmt.Errorf("%s: this line is not understood, and has no effect", name),
				"write KEY=VALUE on one line"))
			continue
		}
		properties[parts[1]] = source{escape.ReplaceAllStringFunc(parts[2], unescape), name}
	}
	return properties, nil
}

// unescape returns the character for \u00e4 or \t, and x for \x.
func unescape(sequence string) string {
	char, err := strconv.Unquote(`"` + sequence + `"`)
	if err != nil || strings.IndexByte("abv", sequence[1]) >= 0 { // these mean something in Go only
		return sequence[1:]
	}
	return char
}

// findFolder returns the folder that was asked for. If none was, it returns the first folder auth with a
// ca.crt, in the working directory or above it.
func findFolder(asked string) (string, error) {
	if asked != "" {
		return asked, checkFolder(asked)
	}
	none := cli.WithHint(errors.New("no credentials: no auth/ca.crt here or above"),
		"copy the folder from the staff to auth, or start a cluster of your own: go run ./classroom/cluster")
	if os.Getpid() == 1 { // the only process of a container
		none = cli.WithHint(errors.New("no credentials: no auth/ca.crt"),
			`mount your folder: docker run -v "$(pwd)/auth":/usr/src/app/auth`)
	}
	dir, _ := os.Getwd()
	folder, failed := "auth", none
	for range 1 + strings.Count(dir, string(filepath.Separator)) {
		err := checkFolder(folder)
		if err == nil || errors.Is(err, fs.ErrPermission) {
			return folder, err
		}
		if failed == none && !errors.Is(err, fs.ErrNotExist) {
			failed = err // such as a folder that is too deep
		}
		folder = filepath.Join("..", folder)
	}
	return "", failed
}

// checkFolder checks that a folder has a ca.crt. Its error contains fs.ErrNotExist if it has nothing like that.
func checkFolder(folder string) error {
	_, err := os.Stat(filepath.Join(folder, tlsconf.CAFile))
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return cli.WithHint(fmt.Errorf("no credentials: %w", err),
			`in a container, run as the owner: docker run --user "$(id -u):$(id -g)"`)
	}
	for _, pattern := range []string{"*/ca.crt", "*/*/ca.crt"} {
		if found, _ := filepath.Glob(filepath.Join(folder, pattern)); len(found) > 0 {
			deep := filepath.Dir(found[0])
			return cli.WithHint(fmt.Errorf("no credentials: the files in %s must be in %s", deep, folder),
				"move them: mv %q/* %q; or use them there: --auth %q", deep, folder, deep)
		}
	}
	return cli.WithHint(fmt.Errorf("no credentials: no ca.crt in %s: %w", folder, fs.ErrNotExist),
		"use the folder from the staff, or from go run ./classroom/cluster")
}
