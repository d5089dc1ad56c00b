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

// mostPartitions is more than a lesson needs, and no problem for the brokers.
const mostPartitions = 256

// checkFlags returns an error if no cluster can have these topics, partitions and ports.
func checkFlags(topics []string, partitions int, ports []int) error {
	if len(topics) == 0 {
		return errors.New("--topics names no topic")
	}
	for _, topic := range topics {
		if err := embedded.CheckTopic(topic); err != nil {
			return err
		}
	}
	if partitions < 1 || partitions > mostPartitions {
		return fmt.Errorf("--partitions %d is not between 1 and %d", partitions, mostPartitions)
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

// authority returns the certificate authority of the cluster. It is kept in the data folder or, without
// one, in a folder of the user. So the credentials are still valid after a restart.
func authority(data string) (*issuer.CA, error) {
	if data == "" {
		return userAuthority()
	}
	if err := prepareData(data); err != nil {
		return nil, err
	}
	ca, err := issuer.Load(data)
	if !errors.Is(err, os.ErrNotExist) {
		return ca, err
	}
	if ca, err = issuer.New(issuerName, lifetime); err != nil {
		return nil, err
	}
	return ca, ca.Save(data)
}

// prepareData creates the data folder, or checks it: another user who made it would know the key of the
// authority in it. Other programs may need the files in it.
func prepareData(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if !ownFolder(dir) {
		return cli.WithHint(fmt.Errorf("--data %s: the folder belongs to another user", dir),
			"name a folder of your own: --data ~/kafka-data")
	}
	if _, err := os.Lstat(filepath.Join(dir, embedded.LockFile)); err == nil {
		return nil
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("--data: %w", err)
	}
	if len(files) > 0 {
		return cli.WithHint(fmt.Errorf("--data %s: not the folder of a cluster: it has %s", dir, files[0].Name()),
			"name an empty folder")
	}
	return nil
}

// userAuthority returns the authority of this user. If it cannot be kept, it is a new one.
func userAuthority() (*issuer.CA, error) {
	dir, err := userFolder()
	if err != nil {
		return issuer.New(issuerName, lifetime)
	}
	ca, err := issuer.Load(dir)
	if errors.Is(err, os.ErrNotExist) {
		ca, err = newUserAuthority(dir)
	}
	if err != nil {
		err = cli.WithHint(err, "to get a new authority, delete the folder: rm -r '%s'", dir)
	}
	return ca, err
}

// newUserAuthority makes an authority and keeps it in dir. If another cluster has just done the same, it
// returns the authority of that cluster.
func newUserAuthority(dir string) (*issuer.CA, error) {
	ca, err := issuer.New(issuerName, lifetime)
	if err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), "new-")
	if err != nil {
		return ca, nil
	}
	defer os.RemoveAll(temporary)
	if err := ca.Save(temporary); err != nil {
		return ca, nil
	}
	if os.Rename(temporary, dir) != nil { // it fails if dir exists
		return issuer.Load(dir)
	}
	return ca, nil
}

// userFolder returns the folder of the user's authority, and makes the folder around it. It is an error if
// the home directory does not exist or belongs to another user, as with sudo.
func userFolder() (string, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	if !ownFolder(home) {
		return "", fmt.Errorf("%s: not a folder of this user", home)
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return "", err
	}
	around := filepath.Join(config, "tkafka")
	return filepath.Join(around, "cluster"), os.MkdirAll(around, 0o700)
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
