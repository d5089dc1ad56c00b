package issuer

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"time"
)

// Pack puts the files of a folder into one zip file, ready to be unpacked as auth/, and tells whether
// there was need to: the same files make the same bytes, and an archive that holds them already is
// not touched. Like the keystore in it, the archive is readable to its owner alone.
func Pack(dir, path string) (bool, error) {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for _, name := range []string{caCertFile, propertiesFile, keystoreFile, truststoreFile} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return false, err
		}
		// Not compressed, for there is next to nothing to gain and a new release of Go may compress
		// otherwise. The date is the earliest that the format knows: a copied folder packs alike.
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
