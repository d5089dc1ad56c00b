package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/issuer"
	"tkafka/pkg/tlsconf"
)

// peer is a client that a cluster must survive. It never closes its connection.
type peer struct {
	name  string
	share int // of the connections
	send  func(p *peers, conn net.Conn)
}

var kinds = []peer{
	{"garbage", 1, func(p *peers, conn net.Conn) { conn.Write(noise(4 << 10)) }},
	{"plain HTTP", 1, func(_ *peers, conn net.Conn) { io.WriteString(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n") }},
	{"no certificate", 1, func(p *peers, conn net.Conn) { tls.Client(conn, p.stranger(nil)).Handshake() }},
	{"a foreign certificate", 1, func(p *peers, conn net.Conn) { tls.Client(conn, p.stranger(&p.foreign)).Handshake() }},
	{"slow", 3, (*peers).slow},
	{"silent", 2, func(*peers, net.Conn) {}},
	{"huge", 1, func(p *peers, conn net.Conn) {
		secured := tls.Client(conn, p.ours)
		secured.Write(frame(100<<20, kmsg.Produce.Int16())) // as large as a request may be
		for range 3 {
			secured.Write(noise(1 << 20))
		}
	}},
	{"garbage behind a certificate", 1, func(p *peers, conn net.Conn) {
		secured := tls.Client(conn, p.ours)
		secured.Write(append(frame(4<<10+10, int16(mrand.IntN(90))), noise(4<<10)...))
	}},
}

func noise(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}

// frame is the beginning of a request.
func frame(size uint32, key int16) []byte {
	b := binary.BigEndian.AppendUint32(nil, size)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	return append(b, 0, 9, 0, 0, 0, 1, 0xff, 0xff)
}

type peers struct {
	ctx     context.Context
	ours    *tls.Config
	foreign tls.Certificate
}

// stranger is a client that trusts every broker.
func (p *peers) stranger(certificate *tls.Certificate) *tls.Config {
	config := &tls.Config{InsecureSkipVerify: true}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	return config
}

// slow sends a byte of a handshake now and then, until the broker closes the connection.
func (p *peers) slow(conn net.Conn) {
	hello := append([]byte{22, 3, 1, 2, 0, 1}, noise(500)...)
	for _, b := range hello {
		if _, err := conn.Write([]byte{b}); err != nil || !cli.Pause(p.ctx, 500*time.Millisecond) {
			return
		}
	}
}

// hostilePeers connects to a cluster in every wrong way, while an honest client sends messages.
func hostilePeers(a *arena, f *findings) (string, error) {
	k := a.kept("")
	if err := k.start(); err != nil {
		return "", err
	}
	defer func() { k.end(syscall.SIGTERM) }()
	used := peakMemory(k.process.Pid(), k.process.Ended())
	ctx, stop := context.WithCancel(a.ctx)
	defer stop()
	p := &peers{ctx: ctx}
	var err error
	if p.ours, err = tlsconf.Load(k.auth, "cc2023", nil); err != nil {
		return "", err
	}
	stranger, err := issuer.New("stranger", time.Hour)
	if err != nil {
		return "", err
	}
	if p.foreign, err = stranger.Client(keptTopic); err != nil {
		return "", err
	}

	// An honest client sends all the time, and a new one connects before each message.
	var slowest atomic.Int64
	honest, sent := make(chan error, 1), 0
	exchange := func() error {
		began := time.Now()
		client, err := kgo.NewClient(kgo.SeedBrokers(k.address), kgo.DialTLSConfig(p.ours))
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(a.ctx, 20*time.Second)
		defer cancel()
		sent++
		for _, by := range []*kgo.Client{client, k.client} {
			if err := by.ProduceSync(ctx, &kgo.Record{Topic: keptTopic, Value: []byte("honest")}).FirstErr(); err != nil {
				return err
			}
		}
		slowest.Store(max(slowest.Load(), int64(time.Since(began))))
		return nil
	}
	go func() {
		var err error
		for err == nil && cli.Pause(ctx, 20*time.Millisecond) {
			err = exchange()
		}
		honest <- err
	}()

	connections := a.times(2000, 400)
	open := make([]net.Conn, connections)
	for i := range open {
		if open[i], err = net.Dial("tcp", k.address); err != nil {
			return "", err
		}
	}
	var busy sync.WaitGroup
	lanes := make(chan struct{}, 50)
	for i, conn := range open {
		kind := kindOf(i)
		conn.SetDeadline(time.Now().Add(limit))
		if kind.name == "slow" { // it takes no lane
			go kind.send(p, conn)
			continue
		}
		lanes <- struct{}{}
		busy.Go(func() {
			defer func() { <-lanes }()
			kind.send(p, conn)
		})
	}
	busy.Wait()
	f.happened(connections)
	stop()
	if err := <-honest; err != nil {
		f.fail("an honest client: %v", err)
	}
	for _, conn := range open {
		conn.Close()
	}
	if err := exchange(); err != nil {
		f.fail("an honest client at the end: %v", err)
	}
	if status := k.end(syscall.SIGTERM); status != 0 {
		f.fail("the cluster ended with status %d: %s", status, k.process.Stderr.String())
	}
	most := <-used
	const mostMemory = 640 // MiB: incomplete requests may use 128, and the heap of Go twice as much
	if most > mostMemory {
		f.fail("%d MiB of memory", most)
	}
	return fmt.Sprintf("%s connections at the same time, of %d kinds: %d of %d messages of honest clients delivered, the slowest after %.1f s; at most %d MiB of memory",
		cli.Count(connections), len(kinds), 2*sent, 2*sent, time.Duration(slowest.Load()).Seconds(), most), nil
}

func kindOf(number int) peer {
	sum := 0
	for _, kind := range kinds {
		sum += kind.share
	}
	at := number % sum
	for _, kind := range kinds {
		if at -= kind.share; at < 0 {
			return kind
		}
	}
	panic("unreachable")
}
