// Package settings finds the addresses of the cluster and the credentials of the student.
//
// Each setting has four sources, from left to right. The first one that has a value counts:
//
//	flag          environment               client-ssl.properties    otherwise
//	--brokers     KAFKA_BROKERS             bootstrap.servers        DefaultBrokers
//	--auth        KAFKA_AUTH                                         the nearest auth/ with a ca.crt
//	              KAFKA_KEYSTORE_PASSWORD   ssl.keystore.password    DefaultPassword
//	                                        security.protocol        SSL
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
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/tlsconf"
)

const (
	// DefaultBrokers are the listeners of a cluster on this machine.
	DefaultBrokers = "localhost:19093,localhost:29093,localhost:39093"
	// DefaultPassword is the password of the course's stores. It is in the tutorial, so it protects
	// nothing. The permissions of the keystore's file do.
	DefaultPassword = "cc2023"
	// PropertiesFile is the file of a credentials folder that Kafka's own tools read, too.
	PropertiesFile = "client-ssl.properties"
)

// Settings are the addresses of the cluster and the place of the credentials.
type Settings struct {
	Folder   string   // the credentials folder
	Brokers  []string // host:port of the brokers to start from; they name the others
	Password string   // of the keystore
	TLS      bool     // false only if security.protocol is PLAINTEXT
	Source   string   // where Brokers come from: --brokers, KAFKA_BROKERS, or a file with bootstrap.servers
	Default  string   // why Brokers are the DefaultBrokers, or empty if they have a Source

	brokers, auth *string // the flags
}

// AddFlags adds --brokers and --auth to a program. Find completes the settings.
func AddFlags(flags *pflag.FlagSet) *Settings {
	return &Settings{
		brokers: flags.StringP("brokers", "b", "",
			"`addresses` of the brokers, host:port,... (default: those in\nthe credentials folder, else "+DefaultBrokers+")"),
		auth: flags.String("auth", "",
			"`folder` with ca.crt and kafka.keystore.pkcs12\n(default: the nearest auth/, here or above)"),
	}
}

// Find looks for the settings, once, when the flags are parsed. It fails if there is no credentials folder,
// if security.protocol is neither SSL nor PLAINTEXT, and if an address is not host:port. It calls warn
// with each line of client-ssl.properties that has no effect by mistake.
func (s *Settings) Find(warn func(flaw error)) (err error) {
	if s.Folder != "" {
		return nil // found before
	}
	if s.Folder, err = findFolder(cmp.Or(*s.auth, os.Getenv("KAFKA_AUTH"))); err != nil {
		return err
	}
	if *s.brokers != "" {
		return s.read(*s.brokers, "--brokers", warn)
	}
	return s.read(os.Getenv("KAFKA_BROKERS"), "KAFKA_BROKERS", warn)
}

// InFolder returns the settings of a credentials folder. The addresses of the brokers come from the
// folder alone, not from the environment.
func InFolder(folder string) (s *Settings, err error) {
	s = new(Settings)
	if s.Folder, err = findFolder(folder); err != nil {
		return nil, err
	}
	return s, s.read("", "", func(error) {})
}

// read reads the properties of the folder. If there are brokers, from this source, they count more
// than those in the folder.
func (s *Settings) read(brokers, source string, warn func(flaw error)) error {
	path := filepath.Join(s.Folder, PropertiesFile)
	properties, err := readProperties(path, warn)
	if err != nil {
		return err
	}
	s.Password, s.TLS = DefaultPassword, true
	if password, ok := properties[keyPassword]; ok {
		s.Password = password
	}
	if password, ok := os.LookupEnv("KAFKA_KEYSTORE_PASSWORD"); ok {
		s.Password = password // an empty one counts: there are keystores with an empty password
	}
	switch protocol := properties[keyProtocol]; strings.ToUpper(protocol) {
	case "", "SSL":
	case "PLAINTEXT":
		s.TLS = false
	default:
		return cli.WithHint(fmt.Errorf("%s: security.protocol=%s is not supported", path, protocol),
			"these programs use SSL, with a client certificate (mutual TLS)")
	}
	if brokers == "" {
		brokers, source = properties[keyBrokers], path
	}
	switch {
	case brokers != "":
		s.Source = source
	case properties == nil:
		brokers, s.Default = DefaultBrokers, "there is no "+path
	default:
		brokers, s.Default = DefaultBrokers, path+" has no "+keyBrokers
	}
	if s.Brokers, err = ParseBrokers(brokers); err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	return nil
}

// ParseBrokers reads the addresses of brokers, host:port,host:port. Its errors name the part that is
// not an address.
func ParseBrokers(brokers string) ([]string, error) {
	var addresses []string
	for address := range strings.SplitSeq(brokers, ",") {
		address = strings.TrimSpace(address)
		if address == "" {
			continue
		}
		host, port, err := net.SplitHostPort(address)
		number, numberErr := strconv.Atoi(port)
		if err != nil || host == "" || numberErr != nil || number < 1 || number > 65535 {
			return nil, cli.WithHint(fmt.Errorf("broker address %q is not host:port", address), "a broker address is like localhost:19093")
		}
		addresses = append(addresses, address)
	}
	if len(addresses) == 0 {
		return nil, cli.WithHint(fmt.Errorf("no broker address in %q", brokers), "write the addresses as host:port,host:port")
	}
	return addresses, nil
}

// findFolder returns the folder that was asked for. If none was, it returns the first folder named
// auth with a ca.crt, in the working directory or above it.
func findFolder(asked string) (string, error) {
	if asked != "" {
		if err := checkFolder(asked); err != nil {
			return "", err
		}
		return asked, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("no credentials: cannot find the working directory: %w", err)
	}
	var misplaced error // the first one
	for at := here; ; at = filepath.Dir(at) {
		folder := filepath.Join(at, "auth")
		if near, err := filepath.Rel(here, folder); err == nil {
			folder = near
		}
		if _, err := os.Stat(filepath.Join(folder, tlsconf.CAFile)); err == nil {
			return folder, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, syscall.ENOTDIR) {
			return "", cli.WithHint(fmt.Errorf("no credentials: %w", err), "in a container, run as the owner: docker run --user \"$(id -u):$(id -g)\"")
		}
		if misplaced == nil {
			misplaced = findMisplaced(folder)
		}
		if at == filepath.Dir(at) {
			if misplaced != nil {
				return "", misplaced
			}
			hint := "start a cluster of your own: go run ./classroom/cluster"
			if os.Getpid() == 1 { // the only process of a container
				hint = `mount your folder: docker run -v "$(pwd)/auth":/usr/src/app/auth`
			}
			return "", cli.WithHint(fmt.Errorf("no credentials: no auth/%s here or above", tlsconf.CAFile), "%s", hint)
		}
	}
}

// checkFolder checks that a folder has a ca.crt.
func checkFolder(folder string) error {
	info, err := os.Stat(folder)
	if err == nil && !info.IsDir() {
		return notFolder(folder)
	}
	switch _, err = os.Stat(filepath.Join(folder, tlsconf.CAFile)); {
	case err == nil:
		return nil
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no credentials: %w", err)
	}
	err = fmt.Errorf("no credentials: no %s in %s", tlsconf.CAFile, folder)
	if deep := findDeep(folder); deep != "" {
		return cli.WithHint(err, "use --auth %s", quote(deep))
	}
	return cli.WithHint(err,
		"name the folder that the staff gave you, or the one that go run ./classroom/cluster wrote")
}

func notFolder(path string) error {
	err := fmt.Errorf("no credentials: %s is a file, not a folder", path)
	folder := filepath.Dir(path)
	switch {
	case strings.EqualFold(filepath.Ext(path), ".zip"):
		return cli.WithHint(err, "unpack it: unzip %s -d auth; then use --auth auth", quote(path))
	case find(folder, tlsconf.CAFile) != "": // such as auth/ca.crt itself
		return cli.WithHint(err, "use its folder: --auth %s", quote(folder))
	}
	return cli.WithHint(err, "use a folder with a %s", tlsconf.CAFile)
}

// findMisplaced returns an error if a folder auth/ without a ca.crt has one at the wrong place: a
// downloaded folder was copied into it, a zip file was not unpacked, or the browser changed the name.
func findMisplaced(folder string) error {
	if deep := findDeep(folder); deep != "" {
		return cli.WithHint(fmt.Errorf("no credentials: the files in %s must be in %s", deep, folder),
			"move them: mv %s/* %s", quote(deep), quote(folder))
	}
	if archive := find(folder, "*.[zZ][iI][pP]"); archive != "" {
		return cli.WithHint(fmt.Errorf("no credentials: %s is not unpacked", archive),
			"unpack it: unzip %s -d %s", quote(archive), quote(folder))
	}
	if renamed := find(folder, "ca?*.crt", tlsconf.CAFile+"?*", "ca*.pem"); renamed != "" {
		path := filepath.Join(folder, tlsconf.CAFile)
		return cli.WithHint(fmt.Errorf("no credentials: no %s, but %s", path, renamed),
			"rename it: mv %s %s", quote(renamed), quote(path))
	}
	return nil
}

// findDeep returns the first folder in this one that has a ca.crt. Windows unpacks client60.zip to
// client60, and a folder in it to client60/client60.
func findDeep(folder string) string {
	if path := find(folder, "*/"+tlsconf.CAFile, "*/*/"+tlsconf.CAFile); path != "" {
		return filepath.Dir(path)
	}
	return ""
}

// find returns the path of the first file in the folder that matches one of the patterns.
func find(folder string, patterns ...string) string {
	for _, pattern := range patterns {
		if names, _ := fs.Glob(os.DirFS(folder), pattern); len(names) > 0 {
			return filepath.Join(folder, names[0])
		}
	}
	return ""
}

// quote quotes a path for a shell, if it needs that.
func quote(path string) string {
	if strings.ContainsAny(path, " ()[]{}&;'$*?") {
		return `"` + path + `"`
	}
	return path
}
