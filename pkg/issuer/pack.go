package issuer

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"time"
)

// Pack packs the files of a credentials folder into a zip file, which a student unpacks as auth/. It
// returns false if the file has the same content already. Then it does not write the file. Only its
// owner may read the zip file, because it contains the keystore.
func Pack(dir, path string) (bool, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range []string{caCertFile, propertiesFile, keystoreFile, truststoreFile} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return false, err
		}
		// The same files must always give the same bytes. So they are not compressed, because another
		// release of Go may compress differently, and they have a fixed date, the first one of the format.
		earliest := time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)
		header := &zip.FileHeader{Name: name, Method: zip.Store, Modified: earliest}
		header.SetMode(0o644)
		if name == keystoreFile {
			header.SetMode(0o600)
		}
		entry, err := w.CreateHeader(header)
		if err != nil {
			return false, err
		}
		if _, err := entry.Write(content); err != nil {
			return false, err
		}
	}
	if err := w.Close(); err != nil {
		return false, err
	}
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, archive.Bytes()) {
		return false, nil
	}
	return true, writeFile(filepath.Dir(path), filepath.Base(path), archive.Bytes(), 0o600)
}
