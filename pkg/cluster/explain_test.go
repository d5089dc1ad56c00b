package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

var (
	overTLS   = &Cluster{settings: &settings.Settings{Folder: "auth"}, tls: &tls.Config{}}
	plaintext = &Cluster{settings: &settings.Settings{Folder: "auth"}}
	checked   = &Cluster{settings: &settings.Settings{Folder: "auth"}, checked: true}
)

func dialing(err error) error {
	return fmt.Errorf("unable to dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err})
}

// What real brokers of several JDKs, embedded ones, and the network answer.
func TestDiagnose(t *testing.T) {
	for _, test := range []struct {
		name string
		c    *Cluster
		err  error
		want string
	}{
		{"refused", overTLS, dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
			"connection refused: is the cluster running, and is this its port?"},
		{"no such host", overTLS, dialing(&net.DNSError{Err: "no such host", IsNotFound: true}),
			"no such host: is the name spelled right, and known on this machine?"},
		{"deadline", overTLS, fmt.Errorf("wrapped: %w", context.DeadlineExceeded),
			"no answer: is the address right, and does a firewall let it through?"},
		{"timeout of a dial", overTLS, dialing(os.ErrDeadlineExceeded),
			"no answer: is the address right, and does a firewall let it through?"},
		{"no route", overTLS, dialing(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "no route to host"},
		{"not TLS", overTLS, fmt.Errorf("x: %w", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}),
			"what answers there does not speak TLS: is it the TLS port of a Kafka broker?"},
		{"closed at once", overTLS, fmt.Errorf("x: %w", io.EOF),
			"the connection was closed at once: is it the TLS port of a Kafka broker?"},
		{"plaintext to a TLS port, Java", plaintext,
			errors.New("invalid large response size 352518912 > limit 104857600; the first three bytes received appear to be a tls alert record for TLS v1.2"),
			"the broker wants TLS and we speak plaintext: take security.protocol=PLAINTEXT out of auth/client-ssl.properties"},
		{"plaintext to a TLS port, Go", plaintext, fmt.Errorf("x: %w", &kgo.ErrFirstReadEOF{}),
			"the broker wants TLS and we speak plaintext: take security.protocol=PLAINTEXT out of auth/client-ssl.properties"},
		{"a plaintext broker that ends", checked, fmt.Errorf("x: %w", io.EOF), "the connection was closed at once"},
		{"our certificate, Java 17", overTLS, errors.New("remote error: tls: bad certificate"),
			"the broker refuses our certificate (bad certificate): is auth the folder for this cluster, and has its certificate expired?"},
		{"our certificate, foreign", overTLS, errors.New("read: remote error: tls: unknown certificate"),
			"the broker refuses our certificate (unknown certificate): is auth the folder for this cluster, and has its certificate expired?"},
		{"our certificate, Go", overTLS, errors.New("remote error: tls: unknown certificate authority"),
			"the broker refuses our certificate (unknown certificate authority): is auth the folder for this cluster, and has its certificate expired?"},
		{"our certificate, none sent", overTLS, errors.New("remote error: tls: certificate required"),
			"the broker refuses our certificate (certificate required): is auth the folder for this cluster, and has its certificate expired?"},
		{"our certificate, expired", overTLS, errors.New("remote error: tls: expired certificate"),
			"the broker refuses our certificate (expired certificate): is auth the folder for this cluster, and has its certificate expired?"},
		{"the broker's certificate", overTLS, fmt.Errorf("unable to dial: %w", &tlsconf.BrokerError{Err: errors.New("the broker's certificate was not issued by auth/ca.crt")}),
			"the broker's certificate was not issued by auth/ca.crt"},
		{"something new", overTLS, errors.New("unable to dial: something new"), "something new"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.c.diagnose("kafka.example:19093", test.err).String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestRefusedOnThisMachine(t *testing.T) {
	for _, address := range []string{"localhost:1", "127.0.0.1:1", "[::1]:1"} {
		if mend := mendRefused(address); !strings.HasPrefix(mend, "is the cluster running? (") {
			t.Errorf("%s: %s", address, mend)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err  error
		what string
		want string
	}{
		{kerr.GroupAuthorizationFailed, "group g", "no right to use group g (a member needs the right to read its group: ask the staff)"},
		{kerr.TopicAuthorizationFailed, "topic t", "no right to use topic t, or it is gone (ask the staff for the right, or for the name of yours)"},
		{kerr.UnknownTopicOrPartition, "topic t", "topic t is not there any more: has it been deleted?"},
		{fmt.Errorf("%w (uncompressed_bytes=7)", kerr.MessageTooLarge), "topic t", "larger than the broker takes"},
		{kerr.IllegalGeneration, "group g", "group g has gone on without us"},
		{kerr.InvalidRecord, "topic t", "topic t: This record has failed the validation on the broker and hence been rejected (INVALID_RECORD)"},
		{dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "group g", "group g: connection refused: is the cluster running, and is this its port?"},
	} {
		err := overTLS.Explain(test.err, test.what)
		if err.Error() != test.want {
			t.Errorf("got  %s\nwant %s", err, test.want)
		}
		if !errors.Is(err, errors.Unwrap(err)) || errors.Unwrap(err) != test.err {
			t.Errorf("%s does not wrap its cause", err)
		}
	}
	if err := overTLS.Explain(nil, "topic t"); err != nil {
		t.Errorf("nothing is explained as %v", err)
	}
	if err := overTLS.Explain(context.Canceled, "topic t"); err != context.Canceled {
		t.Errorf("a cancellation is explained as %v", err)
	}
}

func TestAllows(t *testing.T) {
	const write = 4
	for _, test := range []struct {
		operations int32
		want       bool
	}{{notTold, true}, {1 << write, true}, {1 << 3, false}, {0, false}} {
		if got := allows(test.operations, write); got != test.want {
			t.Errorf("allows(%b) = %v", test.operations, got)
		}
	}
}
