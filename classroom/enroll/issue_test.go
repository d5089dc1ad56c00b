package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tkafka/pkg/tlsconf"
)

// smallClass is a class of one student on one broker.
func smallClass(t *testing.T) *options {
	t.Helper()
	return &options{class: class(filepath.Join(t.TempDir(), "creds")), students: []string{"client1"},
		nodes: []string{"kafka-1"}, hosts: []string{"localhost", "::1"}, brokers: []string{"localhost:1"},
		lifetime: day, password: "cc2023"}
}

func issueAll(t *testing.T, o *options) {
	t.Helper()
	if err := o.issue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A broker and a student accept each other's certificates (ssl.client.auth=required).
func TestBrokerAcceptsStudent(t *testing.T) {
	o := smallClass(t)
	issueAll(t, o)
	broker, err := tlsconf.Load(o.class.broker("kafka-1"), o.password, nil)
	if err != nil {
		t.Fatal(err)
	}
	student, err := tlsconf.Load(o.class.student("client1"), o.password, nil)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := chainOf(broker)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"localhost", "::1", "kafka-1"} {
		if err := chain[0].VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	ca, err := o.authority()
	if err != nil {
		t.Fatal(err)
	}
	if !ca.Cert().NotAfter.After(chain[0].NotAfter) {
		t.Error("the authority ends before what it signed")
	}

	identity, err := broker.GetClientCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", ca.MutualTLS(*identity))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan string, 1)
	go func() {
		defer close(accepted)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		secured := conn.(*tls.Conn)
		if err := secured.Handshake(); err == nil {
			accepted <- secured.ConnectionState().PeerCertificates[0].Subject.CommonName
		}
	}()
	conn, err := tls.Dial("tcp", listener.Addr().String(), student)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if name := <-accepted; name != "client1" {
		t.Errorf("the broker sees %q", name)
	}
}

// Java and OpenSSL can read each store.
func TestToolsReadTheStores(t *testing.T) {
	o := smallClass(t)
	issueAll(t, o)
	for _, tool := range []struct{ command, keystore, truststore string }{
		{"keytool -list -storepass cc2023 -keystore", "PrivateKeyEntry", "trustedCertEntry"},
		{"openssl pkcs12 -info -nodes -passin pass:cc2023 -in", "BEGIN PRIVATE KEY", "BEGIN CERTIFICATE"},
	} {
		words := strings.Fields(tool.command)
		t.Run(words[0], func(t *testing.T) {
			if _, err := exec.LookPath(words[0]); err != nil {
				t.Skipf("%s is not installed", words[0])
			}
			for _, folder := range []string{o.class.broker("kafka-1"), o.class.admin(), o.class.student("client1")} {
				for file, want := range map[string]string{"kafka.keystore.pkcs12": tool.keystore, "kafka.truststore.pkcs12": tool.truststore} {
					path := filepath.Join(folder, file)
					output, err := exec.Command(words[0], append(words[1:], path)...).CombinedOutput()
					if err != nil || !strings.Contains(string(output), want) {
						t.Errorf("%s: %v, no %s in\n%s", path, err, want, output)
					}
				}
			}
		})
	}
}

// If issue was killed at any point, it can be run again. Then everything exists, and complete files have
// not changed.
func TestIssueAfterKill(t *testing.T) {
	unset(t)
	dir := filepath.Join(t.TempDir(), "creds")
	const students = 60
	issue := func() *exec.Cmd {
		return exec.Command("enroll", "issue", "--zip", "--out", dir, "--students", fmt.Sprint(students))
	}
	complete := make(map[string]string)
	for _, until := range []int{0, 1, 7, 20, 41} {
		cmd := issue()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		waitFor(t, func() bool {
			names, err := folders(class(dir).student(""))
			return err == nil && len(names) >= until
		})
		cmd.Process.Kill()
		<-ended
		files, err := look(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for path, before := range complete {
			if files[path] != before {
				t.Errorf("%s has changed", path)
			}
		}
		for path, now := range files {
			if !strings.HasPrefix(filepath.Base(path), ".") { // a file that was not complete yet
				complete[path] = now
			}
		}
	}
	if output, err := issue().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	files, err := look(dir)
	if err != nil {
		t.Fatal(err)
	}
	for path, before := range complete {
		// A zip file is made again if its folder was completed later.
		if files[path] != before && filepath.Ext(path) != ".zip" {
			t.Errorf("%s has changed", path)
		}
	}
	for path := range files {
		if name := filepath.Base(path); strings.HasPrefix(name, ".") && name != ".gitignore" && name != ".lock" {
			t.Errorf("left behind: %s", path)
		}
	}
	names, err := folders(class(dir).student(""))
	if err != nil || len(names) != students {
		t.Fatalf("%d students, %v", len(names), err)
	}
	for _, name := range names {
		if _, err := tlsconf.Load(class(dir).student(name), "cc2023", func(flaw error) { t.Error(flaw) }); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(class(dir).student(name) + ".zip"); err != nil {
			t.Error(err)
		}
	}
}

// If several people issue a class at once, all succeed.
func TestIssueAtOnce(t *testing.T) {
	unset(t)
	for range 5 {
		dir := filepath.Join(t.TempDir(), "creds")
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() {
				output, err := exec.Command("enroll", "issue", "--out", dir, "--students", "1").CombinedOutput()
				if err != nil {
					t.Errorf("%v\n%s", err, output)
				}
			})
		}
		running.Wait()
	}
}

// Only one works at a time. Another one waits, and then does what is missing.
func TestIssueWaits(t *testing.T) {
	unset(t)
	c := class(mkdir(t, filepath.Join(t.TempDir(), "creds")))
	unlock, err := c.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("enroll", "issue", "--out", string(c), "--students", "1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || !strings.HasSuffix(lines.Text(), "waiting for another enroll issue") {
		t.Errorf("got %q", lines.Text())
	}
	if exists(c.authority()) {
		t.Error("it has not waited")
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil || !exists(c.student("client1")) {
		t.Errorf("it has not made the class: %v", err)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); {
		if time.Now().After(end) {
			t.Fatal("nothing changed for a minute")
		}
		time.Sleep(100 * time.Microsecond) // there is no event for a new file
	}
}

func mkdir(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
