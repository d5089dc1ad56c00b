package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/issuer"
)

// issuerName is the name of the authority. This program replaces only credentials of this name.
const issuerName = "tkafka classroom cluster"

// writeCredentials writes the credentials of a student, and returns their folder. It locks the folder until
// unlock is called, so that a second cluster does not replace the credentials of one that runs.
func writeCredentials(ca *issuer.CA, student string, brokers []string, auth string) (folder string, unlock func() error, err error) {
	if auth == "" {
		if auth, err = nearestAuth(); err != nil {
			return "", nil, err
		}
	}
	if err := os.MkdirAll(auth, 0o755); err != nil {
		return "", nil, err
	}
	taken := fmt.Errorf("%s: another cluster runs, and has its credentials in this folder", auth)
	held, err := lock(filepath.Join(auth, ".lock"), taken)
	if err == nil {
		err = ca.WriteFolder(auth, student, brokers)
	}
	if errors.Is(err, taken) || errors.Is(err, issuer.ErrForeign) {
		err = cli.WithHint(err, "name another folder: --auth OTHER")
	}
	return auth, held.Unlock, err
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
				return filepath.Rel(here, folder)
			}
		}
		if at == filepath.Dir(at) {
			return "auth", nil
		}
	}
}
