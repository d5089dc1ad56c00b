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
// if security.protocol is neither SSL nor PLAINTEXT, and if an address is not host:port.
func (s *Settings) Find() (err error) {
	if s.Folder != "" {
		return nil // found before
	}
	if s.Folder, err = findFolder(first(*s.auth, os.Getenv("KAFKA_AUTH"))); err != nil {
		return err
	}
	return s.read(first(*s.brokers, os.Getenv("KAFKA_BROKERS")))
}

// InFolder returns the settings of a credentials folder. The addresses of the brokers come from the
// folder alone, not from the environment.
func InFolder(folder string) (s *Settings, err error) {
	s = new(Settings)
	if s.Folder, err = findFolder(folder); err != nil {
		return nil, err
	}
	return s, s.read("")
}

// read reads the properties of the folder. The addresses of the brokers count more than those in it.
func (s *Settings) read(brokers string) error {
	path := filepath.Join(s.Folder, PropertiesFile)
	properties, err := readProperties(path)
	if err != nil {
		return err
	}
	s.Password, s.TLS = DefaultPassword, true
	if password, ok := properties["ssl.keystore.password"]; ok {
		s.Password = password
	}
	if password, ok := os.LookupEnv("KAFKA_KEYSTORE_PASSWORD"); ok {
		s.Password = password // an empty one counts: there are keystores with an empty password
	}
	switch protocol := properties["security.protocol"]; strings.ToUpper(protocol) {
	case "", "SSL":
	case "PLAINTEXT":
		s.TLS = false
	default:
		return cli.WithHint(fmt.Errorf("%s: security.protocol=%s is not supported", path, protocol),
			"these programs use SSL, with a client certificate (mutual TLS)")
	}
	s.Brokers, err = ParseBrokers(first(brokers, properties["bootstrap.servers"], DefaultBrokers))
	return err
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
		switch _, err := os.Stat(filepath.Join(asked, tlsconf.CAFile)); {
		case errors.Is(err, fs.ErrNotExist):
			return "", cli.WithHint(fmt.Errorf("no credentials: no %s in %s", tlsconf.CAFile, asked),
				"name the folder that the staff gave you, or the one that go run ./classroom/cluster wrote")
		case err != nil:
			return "", fmt.Errorf("no credentials: %w", err)
		}
		return asked, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("no credentials: cannot find the working directory: %w", err)
	}
	for at := here; ; at = filepath.Dir(at) {
		folder := filepath.Join(at, "auth")
		if _, err := os.Stat(filepath.Join(folder, tlsconf.CAFile)); err == nil {
			if near, err := filepath.Rel(here, folder); err == nil {
				return near, nil
			}
			return folder, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, syscall.ENOTDIR) {
			return "", cli.WithHint(fmt.Errorf("no credentials: %w", err), "in a container, run as the owner: docker run --user \"$(id -u):$(id -g)\"")
		}
		if at == filepath.Dir(at) {
			hint := "start a cluster of your own: go run ./classroom/cluster"
			if os.Getpid() == 1 { // the only process of a container
				hint = `mount your folder: docker run -v "$(pwd)/auth":/usr/src/app/auth`
			}
			return "", cli.WithHint(fmt.Errorf("no credentials: no auth/%s here or above", tlsconf.CAFile), "%s", hint)
		}
	}
}

func first(values ...string) string {
	for _, value := range values {
		if value != "" {
			return value
		}
	}
	return ""
}
