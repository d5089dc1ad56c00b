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
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
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
			"`addresses` of the brokers, host:port,... (default: those in the credentials folder, else "+DefaultBrokers+")"),
		auth: flags.String("auth", "",
			"`folder` with ca.crt and kafka.keystore.pkcs12 (default: the nearest auth/, here or above)"),
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
