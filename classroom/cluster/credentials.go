package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

// issuerName is the name of the authority. This program replaces only credentials of this name.
const issuerName = "tkafka classroom cluster"

// lifetime is longer than anybody keeps a --data folder.
const lifetime = 10 * 365 * 24 * time.Hour

// checkFlags returns an error if no cluster can have these topics and ports.
func checkFlags(topics []string, ports []int) error {
	if len(topics) == 0 {
		return errors.New("--topics names no topic")
	}
	for _, topic := range topics {
		if err := embedded.CheckTopic(topic); err != nil {
			return err
		}
	}
	if len(ports) == 0 {
		return errors.New("--ports names no port")
	}
	for i, port := range ports {
		if port < 0 || port > 65535 {
			return fmt.Errorf("port %d is not between 0 and 65535", port)
		}
		for _, other := range ports[:i] {
			if port == other && port != 0 {
				return fmt.Errorf("two brokers cannot have the same port %d", port)
			}
		}
	}
	return nil
}

// authority returns the certificate authority of the cluster. A data folder keeps the authority, too, so
// the credentials are still valid after a restart.
func authority(data string) (*issuer.CA, error) {
	if data == "" {
		return issuer.New(issuerName, lifetime)
	}
	ca, err := issuer.Load(data)
	if !errors.Is(err, os.ErrNotExist) {
		return ca, err
	}
	if ca, err = issuer.New(issuerName, lifetime); err != nil {
		return nil, err
	}
	if err := ca.Save(data); err != nil {
		return nil, cli.WithHint(fmt.Errorf("--data %s: not the folder of a cluster: %w", data, err), "name an empty folder")
	}
	return ca, nil
}

// writeCredentials writes the credentials of a student, and returns their folder.
func writeCredentials(ca *issuer.CA, student string, brokers []string, auth string) (folder string, err error) {
	if auth == "" {
		if auth, err = nearestAuth(); err != nil {
			return "", err
		}
	}
	err = ca.WriteFolder(auth, student, brokers)
	var foreign *issuer.ForeignError
	if errors.As(err, &foreign) {
		err = cli.WithHint(err, "name another folder with --auth OTHER")
	}
	return auth, err
}

// nearestAuth returns the folder in which the programs will look for credentials: the first folder named
// auth with a README.md or a ca.crt, here or above. If there is none, it returns auth.
func nearestAuth() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := here; ; at = filepath.Dir(at) {
		folder := filepath.Join(at, "auth")
		for _, file := range []string{"README.md", "ca.crt"} {
			if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
				if near, err := filepath.Rel(here, folder); err == nil {
					folder = near
				}
				return folder, nil
			}
		}
		if at == filepath.Dir(at) {
			return "auth", nil
		}
	}
}
