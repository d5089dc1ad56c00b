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
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

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

// ErrBrokers is in an error about the addresses of the brokers, such as one of cluster.Check.
var ErrBrokers = errors.New("the addresses of the brokers")

// Settings say where the cluster and the credentials are.
type Settings struct {
	Folder   string   // the credentials folder
	Brokers  []string // host:port of the brokers to start from; they name the others
	Password string   // of the keystore

	brokersFrom, passwordFrom string // where the values come from
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

// Find finds the settings, when the command line is read. It prints a warning for each line of the
// properties that has no effect by mistake.
func (f *Flags) Find() (*Settings, error) {
	folder, _ := first(source{*f.auth, "--auth"}, source{os.Getenv("KAFKA_AUTH"), "KAFKA_AUTH"})
	return find(folder, source{*f.brokers, "--brokers"}, source{os.Getenv("KAFKA_BROKERS"), "KAFKA_BROKERS"})
}

// InFolder returns the settings in a credentials folder. Only the password may come from the environment.
func InFolder(folder string) (*Settings, error) { return find(folder) }

// A source is a value, and where it comes from.
type source struct{ value, from string }

// first returns the first source with a value.
func first(sources ...source) (value, from string) {
	for _, s := range sources {
		if s.value != "" {
			return s.value, s.from
		}
	}
	return "", ""
}

func find(folder string, brokers ...source) (*Settings, error) {
	folder, err := findFolder(folder)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(folder, PropertiesFile)
	properties, err := readProperties(path)
	if err != nil {
		return nil, err
	}
	if protocol := properties["security.protocol"]; protocol != "" && !strings.EqualFold(protocol, "SSL") {
		return nil, cli.WithHint(fmt.Errorf("%s: security.protocol=%s is not supported", path, protocol),
			"these programs use SSL, with a client certificate (mutual TLS)")
	}
	s := &Settings{Folder: folder}
	password, isSet := os.LookupEnv("KAFKA_KEYSTORE_PASSWORD")
	if s.Password, s.passwordFrom = password, "KAFKA_KEYSTORE_PASSWORD"; !isSet { // an empty password is one
		if s.Password, isSet = properties["ssl.keystore.password"]; isSet {
			s.passwordFrom = path
		} else {
			s.Password, s.passwordFrom = DefaultPassword, "the default, because "+path+" has no ssl.keystore.password"
		}
	}
	var addresses string
	addresses, s.brokersFrom = first(append(brokers, source{properties["bootstrap.servers"], path},
		source{DefaultBrokers, "the default, because " + path + " has no bootstrap.servers"})...)
	if s.Brokers, err = ParseBrokers(addresses); err != nil {
		return nil, fmt.Errorf("%w (from %s)", err, s.brokersFrom)
	}
	return s, nil
}

// WithSource adds to an error about the password or the addresses where the setting comes from: a flag, a
// variable, a file, or the default.
func (s *Settings) WithSource(err error) error {
	switch {
	case errors.Is(err, tlsconf.ErrPassword):
		note := ""
		if trimmed := strings.Trim(s.Password, " \t\r\n\"'"); s.Password == "" {
			note = ", and is empty"
		} else if trimmed != s.Password {
			note = ", and begins or ends with a quote or a blank"
		}
		return fmt.Errorf("%w (it is from %s%s)", err, s.passwordFrom, note)
	case errors.Is(err, ErrBrokers):
		return fmt.Errorf("%w (from %s)", err, s.brokersFrom)
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

// readProperties reads the lines KEY=VALUE of a file, if there is one. Java accepts more forms of a line, such
// as one that continues on the next line: a warning names each line that has none of the simple forms.
func readProperties(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the credentials folder: %w", err)
	}
	properties, number := make(map[string]string), 0
	for line := range strings.Lines(strings.TrimPrefix(string(text), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "!") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.Contains(line, `\`) {
			cli.Warn(cli.WithHint(fmt.Errorf("%s:%d: this line is not understood, and has no effect", path, number),
				`write it as KEY=VALUE, on one line, without \`))
			continue
		}
		properties[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	if properties["ssl.key.password"] != "" && properties["ssl.key.password"] != properties["ssl.keystore.password"] {
		cli.Say("%s: ssl.key.password has no effect: these programs use ssl.keystore.password for the key, too", path)
	}
	return properties, nil
}

// findFolder returns the folder that was asked for. If none was, it returns the first folder auth with a
// ca.crt, in the working directory or above it.
func findFolder(asked string) (string, error) {
	if asked != "" {
		return asked, checkFolder(asked)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("no credentials: %w", err)
	}
	var misplaced error // the first one
	for folder := "auth"; ; dir, folder = filepath.Dir(dir), filepath.Join("..", folder) {
		err := checkFolder(folder)
		if err == nil || errors.Is(err, fs.ErrPermission) {
			return folder, err
		}
		if misplaced == nil && !errors.Is(err, fs.ErrNotExist) {
			misplaced = err
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	switch {
	case misplaced != nil:
		return "", misplaced
	case os.Getpid() == 1: // the only process of a container
		return "", cli.WithHint(errors.New("no credentials: no auth/ca.crt"),
			`mount your folder: docker run -v "$(pwd)/auth":/usr/src/app/auth`)
	}
	return "", cli.WithHint(errors.New("no credentials: no auth/ca.crt here or above"),
		"copy the folder from the staff to auth, or start a cluster of your own: go run ./classroom/cluster")
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
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return cli.WithHint(fmt.Errorf("no credentials: %s is a file, not a folder", folder), "use a folder with a ca.crt")
	}
	if deep := glob(folder, "*/ca.crt", "*/*/ca.crt"); deep != "" {
		deep = filepath.Dir(deep)
		return cli.WithHint(fmt.Errorf("no credentials: the files in %s must be in %s", deep, folder),
			"move them: mv %q/* %q; or use them there: --auth %q", deep, folder, deep)
	}
	if archive := glob(folder, "*.zip"); archive != "" {
		return cli.WithHint(fmt.Errorf("no credentials: %s is not unpacked", archive), "unpack it: unzip %q -d %q", archive, folder)
	}
	return cli.WithHint(fmt.Errorf("no credentials: no ca.crt in %s: %w", folder, fs.ErrNotExist),
		"use the folder from the staff, or from go run ./classroom/cluster")
}

func glob(folder string, patterns ...string) string {
	for _, pattern := range patterns {
		if paths, _ := fs.Glob(os.DirFS(folder), pattern); len(paths) > 0 {
			return filepath.Join(folder, paths[0])
		}
	}
	return ""
}
