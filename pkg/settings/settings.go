// Package settings finds out where the cluster is and who the student is.
//
// Each setting has four sources. The first that speaks wins:
//
//	flag          environment               client-ssl.properties    otherwise
//	--brokers     KAFKA_BROKERS             bootstrap.servers        DefaultBrokers
//	--auth        KAFKA_AUTH                                         the nearest auth/ with a ca.crt
//	              KAFKA_KEYSTORE_PASSWORD   ssl.keystore.password    DefaultPassword
//	                                        security.protocol        SSL
//
// A password is never a flag: other users of the machine can read a command line.
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

	"tkafka/pkg/tlsconf"
)

const (
	// DefaultBrokers are the listeners of a cluster on this machine.
	DefaultBrokers = "localhost:19093,localhost:29093,localhost:39093"
	// DefaultPassword protects the stores of the course. It is in the tutorial, so it keeps nothing
	// secret: the keystore's file permissions do.
	DefaultPassword = "cc2023"
	// PropertiesFile is the file of a credentials folder that Kafka's own tools read.
	PropertiesFile = "client-ssl.properties"
)

// Flags are the settings given on the command line.
type Flags struct{ brokers, auth *string }

// AddFlags adds --brokers and --auth to a program.
func AddFlags(flags *pflag.FlagSet) *Flags {
	return &Flags{
		brokers: flags.StringP("brokers", "b", "",
			"`addresses` to start from, host:port,... (default: what the\ncredentials folder says, else "+DefaultBrokers+")"),
		auth: flags.String("auth", "",
			"`folder` with ca.crt and kafka.keystore.pkcs12\n(default: the nearest auth/ from here upwards)"),
	}
}

// Settings say where the cluster is and who we are.
type Settings struct {
	Folder   string   // the credentials folder
	Brokers  []string // host:port of the brokers to start from; they name the others
	Password string   // of the keystore
	TLS      bool     // false only where security.protocol is PLAINTEXT
}

// Find resolves the settings. It fails where there is no credentials folder, where its properties
// ask for what these programs do not do (security.protocol other than SSL and PLAINTEXT), and
// where an address is not host:port.
func (f *Flags) Find() (*Settings, error) {
	folder, err := findFolder(first(*f.auth, os.Getenv("KAFKA_AUTH")))
	if err != nil {
		return nil, err
	}
	return resolve(folder, first(*f.brokers, os.Getenv("KAFKA_BROKERS")))
}

// InFolder resolves the settings for a credentials folder without asking flags or environment for
// the brokers.
func InFolder(folder string) (*Settings, error) {
	folder, err := findFolder(folder)
	if err != nil {
		return nil, err
	}
	return resolve(folder, "")
}

func resolve(folder, brokers string) (*Settings, error) {
	path := filepath.Join(folder, PropertiesFile)
	properties, err := readProperties(path)
	if err != nil {
		return nil, err
	}
	s := &Settings{
		Folder:   folder,
		Password: DefaultPassword,
		TLS:      true,
	}
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
		return nil, fmt.Errorf("%s: security.protocol=%s is not for these programs: they speak SSL (mutual TLS)", path, protocol)
	}
	s.Brokers, err = ParseBrokers(first(brokers, properties["bootstrap.servers"], DefaultBrokers))
	return s, err
}

// ParseBrokers reads the addresses of brokers, host:port,host:port. Its errors name what is neither.
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
			return nil, fmt.Errorf("the broker address %q is not host:port, as in localhost:19093", address)
		}
		addresses = append(addresses, address)
	}
	if len(addresses) == 0 {
		return nil, fmt.Errorf("no broker address in %q: they are written host:port,host:port", brokers)
	}
	return addresses, nil
}

// findFolder returns the folder that was asked for or, where none was, the first folder named auth
// with a ca.crt in the working directory or above it.
func findFolder(asked string) (string, error) {
	if asked != "" {
		switch _, err := os.Stat(filepath.Join(asked, tlsconf.CAFile)); {
		case errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("no credentials: no %s in %s (the folder that the staff handed out, or that go run ./classroom/cluster wrote, has one)", tlsconf.CAFile, asked)
		case err != nil:
			return "", fmt.Errorf("no credentials: %w", err)
		}
		return asked, nil
	}
	here, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("no credentials: cannot tell the working directory: %w", err)
	}
	for at := here; ; at = filepath.Dir(at) {
		folder := filepath.Join(at, "auth")
		if _, err := os.Stat(filepath.Join(folder, tlsconf.CAFile)); err == nil {
			if near, err := filepath.Rel(here, folder); err == nil {
				return near, nil
			}
			return folder, nil
		} else if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, syscall.ENOTDIR) {
			return "", fmt.Errorf("no credentials: %w (inside a container: docker run --user \"$(id -u):$(id -g)\")", err)
		}
		if at == filepath.Dir(at) {
			mend := "start a cluster of your own: go run ./classroom/cluster"
			if os.Getpid() == 1 { // we are all there is in a container
				mend = `docker run -v "$(pwd)/auth":/usr/src/app/auth brings yours in`
			}
			return "", fmt.Errorf("no credentials: no auth/%s here or above (%s)", tlsconf.CAFile, mend)
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
