package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/issuer"
	"tkafka/pkg/tlsconf"
)

const students = 12

// class is a folder in which enroll issues the credentials of a class.
type class struct {
	*arena
	f   *findings
	dir string
	key []byte // of the authority, since it exists
}

func (c *class) issue() *exec.Cmd {
	return c.command("", "classroom/enroll", "issue", "--zip", "--out", c.dir, "--students", fmt.Sprint(students))
}

// killed kills enroll at random moments. The next run must complete the class.
func killed(a *arena, f *findings) (string, error) {
	random := rand.New(rand.NewPCG(60, 1))
	whole := &class{arena: a, f: f, dir: filepath.Join(a.dir, a.name("creds"))}
	began := time.Now()
	if out, err := whole.issue().CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	took := time.Since(began)
	without, some, keys, pairs := 0, 0, 0, 0
	for i := range a.times(50, 10) {
		c := &class{arena: a, f: f, dir: filepath.Join(a.dir, a.name("creds"))}
		var running []*exec.Cmd
		for range 1 + i%2 { // every second time, two work at once
			issue := c.issue()
			if err := issue.Start(); err != nil {
				return "", err
			}
			running = append(running, issue)
		}
		time.Sleep(time.Duration(random.Int64N(int64(took) * int64(len(running)))))
		for _, issue := range running {
			issue.Process.Kill()
			issue.Wait()
		}
		f.happened(1)
		pairs += len(running) - 1
		made, _ := filepath.Glob(filepath.Join(c.dir, "clients", "*", tlsconf.KeystoreFile))
		if len(made) > 0 {
			some++
		} else {
			without++
		}
		keys += c.look()
		out, err := c.issue().CombinedOutput()
		c.complete(out, err)
		keys += c.look()
		os.RemoveAll(c.dir)
	}
	return fmt.Sprintf("%d kills, %d of two at once, %d before the first student and %d behind it: the class was complete after the next run; %s files with keys checked",
		f.times, pairs, without, some, cli.Count(keys)), nil
}

// look checks that nobody else can read a key, and that the authority's key does not change. It returns
// the number of files with keys.
func (c *class) look() (keys int) {
	err := filepath.WalkDir(c.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := entry.Name()
		if !bytes.Contains(data, []byte("PRIVATE KEY")) && !strings.Contains(name, "keystore") && filepath.Ext(name) != ".zip" {
			return nil
		}
		keys++
		if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			c.f.fail("%s: others can read this key (%v)", path, err)
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		c.f.fail("%v", err)
	}
	key, err := os.ReadFile(filepath.Join(c.dir, "ca", issuer.KeyFile))
	if c.key != nil && (err != nil || !bytes.Equal(key, c.key)) {
		c.f.fail("%s: the authority's key has changed", c.dir)
	}
	if err == nil {
		c.key = key
	}
	return keys
}

// complete checks that everybody has credentials, and that nothing is left behind.
func (c *class) complete(out []byte, err error) {
	if err != nil {
		c.f.fail("the next run: %v: %s", err, out)
		return
	}
	folders, _ := filepath.Glob(filepath.Join(c.dir, "*", "*", tlsconf.KeystoreFile))
	admin, _ := filepath.Glob(filepath.Join(c.dir, "*", tlsconf.KeystoreFile))
	folders = append(folders, admin...)
	if want := students + 3 + 1; len(folders) != want {
		c.f.fail("%d identities, want %d", len(folders), want)
	}
	for _, keystore := range folders {
		if _, err := tlsconf.Load(filepath.Dir(keystore), "cc2023", func(flaw error) { c.f.fail("%v", flaw) }); err != nil {
			c.f.fail("%v", err)
		}
	}
	if zips, _ := filepath.Glob(filepath.Join(c.dir, "clients", "*.zip")); len(zips) != students {
		c.f.fail("%d zip files, want %d", len(zips), students)
	}
	left, _ := filepath.Glob(filepath.Join(c.dir, issuer.Temporary+"*"))
	deeper, _ := filepath.Glob(filepath.Join(c.dir, "*", "*", issuer.Temporary+"*"))
	for _, path := range append(left, deeper...) {
		c.f.fail("left behind: %s", path)
	}
}

// classOnFullDisk issues a class on disks that are too small. It must fail with the reason. When the disk is
// larger, the next run must complete the class.
func classOnFullDisk(a *arena, f *findings) (string, error) {
	full := 0
	for _, size := range []int{8, 16, 24, 40, 64, 100} {
		disk, err := a.disk(size)
		if err != nil {
			return "", err
		}
		c := &class{arena: a, f: f, dir: filepath.Join(disk.dir, "creds")}
		out, err := c.issue().CombinedOutput()
		if err != nil && bytes.Contains(out, []byte("no space left on device")) {
			full++
		} else {
			f.fail("a disk of %d kB: %v: %s", size, err, out)
		}
		f.happened(1)
		c.look()
		if err := disk.resize(10_000); err != nil {
			return "", err
		}
		out, err = c.issue().CombinedOutput()
		c.complete(out, err)
		c.look()
	}
	return fmt.Sprintf("%d disks of 8 to 100 kB: %d times the error names the full disk, and the class was complete after the next run", f.times, full), nil
}

// disk is a small file system.
type disk struct{ dir string }

// disk mounts a file system of so many kB, until the end of the arena. Only root can do this.
func (a *arena) disk(size int) (*disk, error) {
	d := &disk{filepath.Join(a.dir, a.name("disk"))}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, fmt.Sprintf("size=%dk", size)); err != nil {
		return nil, notTried(fmt.Sprintf("cannot mount a small disk: %v", err))
	}
	a.disks = append(a.disks, d)
	return d, nil
}

func (d *disk) resize(size int) error {
	return syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%dk", size))
}
