package issuer

import (
	"archive/zip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"tkafka/pkg/settings"
)

// Complete writes the files that a stopped Write did not write, and changes no other file.
func TestComplete(t *testing.T) {
	ca := newCA(t, "test")
	all := []string{caCertFile, keystoreFile, truststoreFile, propertiesFile}
	for existing := range len(all) + 1 {
		dir := t.TempDir()
		first := newFolder(t, ca, "client60")
		if err := first.Write(dir); err != nil {
			t.Fatal(err)
		}
		for _, name := range all[existing:] {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		before := contents(t, dir)

		added, err := newFolder(t, ca, "client60").Complete(dir)
		if err != nil || added != len(all)-existing {
			t.Errorf("%d files existed: %d added, %v", existing, added, err)
		}
		after := contents(t, dir)
		for _, name := range all {
			if before[name] != "" && before[name] != after[name] {
				t.Errorf("%d files existed: %s was changed", existing, name)
			}
		}
		if len(after) != len(all) {
			t.Errorf("%d files existed: now %d exist", existing, len(after))
		}
		checkMode(t, filepath.Join(dir, keystoreFile), 0o600)
		if _, _, _, err := pkcs12.DecodeChain([]byte(after[keystoreFile]), settings.DefaultPassword); err != nil {
			t.Error(err)
		}
	}
}

func TestCompleteWithoutBrokers(t *testing.T) {
	folder := newFolder(t, newCA(t, "test"), "kafka-1")
	folder.Brokers = nil
	dir := t.TempDir()
	for _, want := range []int{3, 0} {
		if added, err := folder.Complete(dir); added != want || err != nil {
			t.Errorf("%d added, %v", added, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, propertiesFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder has %s: %v", propertiesFile, err)
	}
}

// Complete adds no file to the credentials of another authority, even if it has the same name.
func TestCompleteRefuses(t *testing.T) {
	for name, prepare := range map[string]func(dir string) error{
		"all files of another authority": newFolder(t, newCA(t, "test"), "client60").Write,
		"only the settings": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, propertiesFile), []byte("theirs"), 0o600)
		},
		"some files of another authority": func(dir string) error {
			err := newFolder(t, newCA(t, "test"), "client60").Write(dir)
			return errors.Join(err, os.Remove(filepath.Join(dir, keystoreFile)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := prepare(dir); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, dir)
			_, err := newFolder(t, newCA(t, "test"), "client60").Complete(dir)
			var foreign *ForeignError
			if !errors.As(err, &foreign) || foreign.File == "" {
				t.Errorf("got %v, want a ForeignError with a file", err)
			}
			if snapshot(t, dir) != before {
				t.Error("the folder was changed")
			}
		})
	}

	t.Run("a keystore with another password", func(t *testing.T) {
		dir := t.TempDir()
		folder := newFolder(t, newCA(t, "test"), "client60")
		if err := errors.Join(folder.Write(dir), os.Remove(filepath.Join(dir, propertiesFile))); err != nil {
			t.Fatal(err)
		}
		folder.Password = "another"
		if _, err := folder.Complete(dir); !errors.Is(err, pkcs12.ErrIncorrectPassword) || !strings.Contains(err.Error(), keystoreFile) {
			t.Error(err)
		}
	})
}

func TestLasting(t *testing.T) {
	ca := newCA(t, "test") // for an hour
	short, err := ca.Lasting(time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	client, err := short.Client("client60")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(client.Leaf.NotAfter); left > time.Minute || left < 50*time.Second {
		t.Errorf("the certificate is valid for %v, want a minute", left)
	}
	if err := client.Leaf.CheckSignatureFrom(ca.Cert()); err != nil {
		t.Error(err)
	}
	if _, err := ca.Lasting(2 * time.Hour); err == nil || !strings.Contains(err.Error(), ca.Cert().NotAfter.Format(time.DateOnly)) {
		t.Errorf("a certificate that ends after its authority: %v", err)
	}
}

func TestPack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "client60")
	if err := newFolder(t, newCA(t, "test"), "client60").Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("private"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := dir + ".zip"
	for _, want := range []bool{true, false} {
		if wrote, err := Pack(dir, path); wrote != want || err != nil {
			t.Errorf("wrote: %v, %v", wrote, err)
		}
	}
	checkMode(t, path, 0o600)

	// The same files in another folder give the same zip file.
	copied := filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(copied, copied+".zip"); err != nil {
		t.Fatal(err)
	}
	one, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := os.ReadFile(copied + ".zip"); err != nil || string(one) != string(other) {
		t.Errorf("a copy gives another zip file (%v)", err)
	}

	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	have := contents(t, dir)
	var names []string
	for _, file := range archive.File {
		names = append(names, file.Name)
		reader, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil || string(content) != have[file.Name] {
			t.Errorf("%s differs from the file in the folder (%v)", file.Name, err)
		}
		if want := map[bool]os.FileMode{true: 0o600, false: 0o644}[file.Name == keystoreFile]; file.Mode() != want {
			t.Errorf("%s unpacks with mode %v", file.Name, file.Mode())
		}
	}
	if got, want := strings.Join(names, " "), "ca.crt client-ssl.properties kafka.keystore.pkcs12 kafka.truststore.pkcs12"; got != want {
		t.Errorf("the zip file has %s, want %s", got, want)
	}

	if err := os.Remove(filepath.Join(dir, keystoreFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Pack(dir, path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a folder without a keystore: %v", err)
	}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = string(data)
	}
	return files
}

// A private key in ca.crt does not make the certificate unreadable.
func TestLoadSkipsKey(t *testing.T) {
	dir := t.TempDir()
	ca := newCA(t, "test")
	if err := ca.Save(dir); err != nil {
		t.Fatal(err)
	}
	have := contents(t, dir)
	if err := os.WriteFile(filepath.Join(dir, caCertFile), []byte(have[KeyFile]+have[caCertFile]), 0o600); err != nil {
		t.Fatal(err)
	}
	if loaded, err := Load(dir); err != nil || !loaded.Cert().Equal(ca.Cert()) {
		t.Errorf("got %v", err)
	}
}
