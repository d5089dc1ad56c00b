package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"

	"tkafka/pkg/issuer"
	"tkafka/pkg/process"
)

const notOurs = "certificate was not issued by"

// authority puts a server in the place of the brokers, which has a certificate of another authority or
// speaks only TLS 1.1.
func authority(a *arena, f *findings) (string, error) {
	var servers []server
	for _, name := range []string{"another authority", "attack"} { // the second one has the name of the right one
		ca, err := issuer.New(name, time.Hour)
		if err != nil {
			return "", err
		}
		identity, err := ca.Broker("localhost", "localhost")
		if err != nil {
			return "", err
		}
		servers = append(servers, server{"a certificate of " + name, &tls.Config{Certificates: []tls.Certificate{identity}}, notOurs})
	}
	ours, err := a.ca.Broker("localhost", "localhost")
	if err != nil {
		return "", err
	}
	old := &tls.Config{Certificates: []tls.Certificate{ours}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	servers = append(servers, server{"TLS 1.1", old, "protocol version"})

	refused := 0
	for _, s := range servers {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		defer listener.Close()
		go s.serve(listener)
		auth := a.dir + "/" + a.name("auth")
		if err := a.ca.WriteFolder(auth, "attack", []string{listener.Addr().String()}); err != nil {
			return "", err
		}
		for folder, arguments := range a.clients("topic") {
			var stderr bytes.Buffer
			command := a.command(auth, folder, arguments...)
			command.Stderr = &stderr
			command.Run()
			f.happened(1)
			if command.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), s.reported) {
				f.fail("%s, %s: status %d: %s", folder, s.name, command.ProcessState.ExitCode(), &stderr)
			} else {
				refused++
			}
		}
	}
	replaced, err := a.brokersReplaced(f, servers[1])
	if err != nil {
		return "", err
	}
	// No program resumes a session. A test of the package does so, in place of a program that would.
	out, err := exec.CommandContext(a.ctx, "go", "test", "-count=1", "-v", "-run", "^(TestBroker|TestMinVersion)$", "./pkg/tlsconf").CombinedOutput()
	if err != nil {
		f.fail("./pkg/tlsconf: %s", out)
	}
	resumed := bytes.Count(out, []byte("--- PASS: TestBroker/"))
	f.happened(resumed)
	return fmt.Sprintf("%d connections of 7 programs at their start, and %d of running ones, refused with the reason; %d kinds of certificates and versions of TLS as expected, also with a resumed session",
		refused, replaced, resumed), nil
}

// clients are all programs of the tutorial with their arguments.
func (a *arena) clients(topic string) map[string][]string {
	all := make(map[string][]string)
	for _, folder := range producers {
		all[folder] = []string{topic}
	}
	for _, r := range readers {
		all[r.folder] = r.arguments(topic, a.name("group"))
	}
	return all
}

// server is in the place of a broker.
type server struct {
	name     string
	config   *tls.Config
	reported string // what a client must print
}

func (s server) serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			tls.Server(conn, s.config).Handshake()
		}()
	}
}

// brokersReplaced puts the server in the place of brokers that the programs have used.
func (a *arena) brokersReplaced(f *findings, s server) (refused int, err error) {
	b, err := a.brokers()
	if err != nil {
		return 0, err
	}
	defer b.close()
	running, err := b.startAll()
	if err != nil {
		return 0, err
	}
	for number, address := range b.Brokers() {
		if err := b.Kill(int32(number)); err != nil {
			return 0, err
		}
		listener, err := net.Listen("tcp", strings.Replace(address, "localhost", "127.0.0.1", 1))
		if err != nil {
			return 0, err
		}
		defer listener.Close()
		go s.serve(listener)
	}
	for folder, p := range running {
		p.Type("a line\n")
		f.happened(1)
		if _, err := p.Await(&p.Stderr, regexp.MustCompile(s.reported), limit); err != nil {
			f.fail("%s, running: %v: %s", folder, err, p.Stderr.String())
		} else {
			refused++
		}
		p.Signal(syscall.SIGTERM)
		if _, err := p.Wait(limit); err != nil {
			p.Kill()
		}
	}
	return refused, nil
}

// startAll starts all programs. Each has sent or received a message when startAll returns.
func (b *brokers) startAll() (map[string]*process.Process, error) {
	running := make(map[string]*process.Process)
	topic, err := b.topic(1)
	if err != nil {
		return nil, err
	}
	for folder, arguments := range b.arena.clients(topic) {
		p, err := b.start(folder, arguments...)
		if err != nil {
			return nil, err
		}
		running[folder] = p
	}
	for _, r := range readers {
		p := running[r.folder]
		if _, err := p.Await(&p.Stderr, ready, limit); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", r.folder, err, p.Stderr.String())
		}
	}
	for i, folder := range producers {
		running[folder].Type("first\n")
		if err := b.arena.until("a line is delivered", func() bool { return b.ends(topic) == int64(i+1) }); err != nil {
			return nil, err
		}
	}
	for _, r := range readers {
		p := running[r.folder]
		if _, err := p.Await(&p.Stdout, regexp.MustCompile("first"), limit); err != nil {
			return nil, fmt.Errorf("%s: %w: %s", r.folder, err, p.Stderr.String())
		}
	}
	return running, nil
}
