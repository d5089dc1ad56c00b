package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

// issuerName is how this program recognises credentials it may replace.
const issuerName = "tkafka classroom cluster"

// lifetime outlasts any folder that --data keeps.
const lifetime = 10 * 365 * 24 * time.Hour

// check looks at what was asked for on the command line.
func check(topics []string, ports []int) error {
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
			return fmt.Errorf("there is no port %d", port)
		}
		for _, other := range ports[:i] {
			if port == other && port != 0 {
				return fmt.Errorf("port %d is for one broker, not for two", port)
			}
		}
	}
	return nil
}

// authority is the certificate authority of this cluster. With a data folder it is kept there, so
// that credentials stay good across a restart as the messages do.
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
		return nil, fmt.Errorf("--data %s is not for a cluster: %w", data, err)
	}
	return ca, nil
}

// handOut writes the credentials of a student and returns the folder they are in.
func handOut(ca *issuer.CA, student string, brokers []string, auth string) (folder string, err error) {
	if auth == "" {
		if auth, err = nearestAuth(); err != nil {
			return "", err
		}
	}
	err = ca.WriteFolder(auth, student, brokers)
	var foreign *issuer.ForeignError
	if errors.As(err, &foreign) {
		err = fmt.Errorf("%w: name another folder with --auth OTHER", err)
	}
	return auth, err
}

// nearestAuth is where the programs will look: the first folder named auth from here upwards that is
// for credentials, which its README.md or a ca.crt tells. Where there is none it is to be made here.
func nearestAuth() (string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for at := here; ; at = filepath.Dir(at) {
		folder := filepath.Join(at, "auth")
		for _, file := range []string{"README.md", "ca.crt"} {
			if _, err := os.Stat(filepath.Join(folder, file)); err == nil {
				return relative(here, folder), nil
			}
		}
		if at == filepath.Dir(at) {
			return "auth", nil
		}
	}
}

// relative names a folder as one would type it.
func relative(here, folder string) string {
	if path, err := filepath.Rel(here, folder); err == nil {
		return path
	}
	return folder
}
