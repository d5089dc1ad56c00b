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

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

var (
	overTLS   = &Cluster{settings: &settings.Settings{Folder: "auth"}, TLS: &tls.Config{}}
	plaintext = &Cluster{settings: &settings.Settings{Folder: "auth"}}
	checked   = &Cluster{settings: &settings.Settings{Folder: "auth"}, checked: true}
)

func dialing(err error) error {
	return fmt.Errorf("unable to dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err})
}

// The errors of real brokers on several JDKs, of embedded brokers, and of the network.
func TestDiagnose(t *testing.T) {
	for _, test := range []struct {
		name string
		c    *Cluster
		err  error
		want string
	}{
		{"refused", overTLS, dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)),
			"connection refused: does the cluster run, and is this its port?"},
		{"no such host", overTLS, dialing(&net.DNSError{Err: "no such host", IsNotFound: true}),
			"no such host: check the spelling of the name; does this machine know it?"},
		{"deadline", overTLS, fmt.Errorf("wrapped: %w", context.DeadlineExceeded),
			"no answer: check the address; does a firewall block it, or is a VPN missing?"},
		{"timeout of a dial", overTLS, dialing(os.ErrDeadlineExceeded),
			"no answer: check the address; does a firewall block it, or is a VPN missing?"},
		{"no route", overTLS, dialing(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "no route to host"},
		{"not TLS", overTLS, fmt.Errorf("x: %w", tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}),
			"the program at this address does not use TLS: is this the TLS port of a Kafka broker?"},
		{"closed at once", overTLS, fmt.Errorf("x: %w", io.EOF),
			"the connection was closed at once: is this the TLS port of a Kafka broker?"},
		{"a controller", overTLS, errController,
			"this is the port of a controller, which answers no client: clients use another port of this cluster: ask the staff, or try 19092, 29092 and 39092"},
		{"plaintext to a TLS port, Java", plaintext,
			errors.New("invalid large response size 352518912 > limit 104857600; the first three bytes received appear to be a tls alert record for TLS v1.2"),
			"the broker expects TLS, and this client uses plaintext: remove security.protocol=PLAINTEXT from auth/client-ssl.properties"},
		{"plaintext to a TLS port, Go", plaintext, fmt.Errorf("x: %w", &kgo.ErrFirstReadEOF{}),
			"the broker expects TLS, and this client uses plaintext: remove security.protocol=PLAINTEXT from auth/client-ssl.properties"},
		{"a plaintext broker that ends", checked, fmt.Errorf("x: %w", io.EOF), "the connection was closed at once"},
		{"our certificate, Java 17", overTLS, errors.New("remote error: tls: bad certificate"),
			"the broker refuses our certificate (bad certificate): is auth the folder for this cluster, and is its certificate still valid?"},
		{"our certificate, foreign", overTLS, errors.New("read: remote error: tls: unknown certificate"),
			"the broker refuses our certificate (unknown certificate): is auth the folder for this cluster, and is its certificate still valid?"},
		{"our certificate, Go", overTLS, errors.New("remote error: tls: unknown certificate authority"),
			"the broker refuses our certificate (unknown certificate authority): is auth the folder for this cluster, and is its certificate still valid?"},
		{"our certificate, none sent", overTLS, errors.New("remote error: tls: certificate required"),
			"the broker refuses our certificate (certificate required): is auth the folder for this cluster, and is its certificate still valid?"},
		{"our certificate, expired", overTLS, errors.New("remote error: tls: expired certificate"),
			"the broker refuses our certificate (expired certificate): is auth the folder for this cluster, and is its certificate still valid?"},
		{"the broker's certificate", overTLS, fmt.Errorf("unable to dial: %w", &tlsconf.BrokerError{Err: cli.WithHint(errors.New("the broker's certificate was not issued by auth/ca.crt"), "use another")}),
			"the broker's certificate was not issued by auth/ca.crt: use another"},
		{"something new", overTLS, errors.New("unable to dial: something new"), "something new"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := test.c.diagnose("kafka.example:19093", test.err)
			if got := strings.TrimSuffix(found.cause+": "+found.hint, ": "); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestHintRefused(t *testing.T) {
	for _, test := range []struct {
		address   string
		container bool
		want      string
	}{
		{"localhost:1", false, "./classroom/cluster"},
		{"127.0.0.1:1", false, "./classroom/cluster"},
		{"[::1]:1", true, "--network host"},
		{"kafka.example:1", true, "is this its port?"},
	} {
		if hint := hintRefused(test.address, test.container); !strings.Contains(hint, test.want) {
			t.Errorf("%+v: %s", test, hint)
		}
	}
}

// If nobody has named the addresses, the first hint is to name them.
func TestDefaultAddresses(t *testing.T) {
	byDefault := &Cluster{settings: &settings.Settings{Folder: "auth", Default: "there is no file"}}
	for err, want := range map[error]string{
		errors.New("no answer"):                                "name the brokers of your course: --brokers HOST:PORT,...",
		cli.WithHint(errors.New("refused"), "start a cluster"): "name the brokers of your course: --brokers HOST:PORT,...; or start a cluster",
	} {
		var hinted interface{ Hint() string }
		if got := byDefault.withSource(err); !errors.As(got, &hinted) || hinted.Hint() != want ||
			got.Error() != err.Error()+" (the default addresses: there is no file)" {
			t.Errorf("%v: %v, hint %v", err, got, hinted)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err  error
		what string
		want string
	}{
		{kerr.GroupAuthorizationFailed, "group g", "no right to use group g: a member needs the right to read its group: ask the staff"},
		{kerr.TopicAuthorizationFailed, "topic t", "no right to use topic t, or it was deleted: ask the staff for the right, or for the name of your topic"},
		{kerr.UnknownTopicOrPartition, "topic t", "topic t does not exist any more: has somebody deleted it?"},
		{fmt.Errorf("%w (uncompressed_bytes=7)", kerr.MessageTooLarge), "topic t", "larger than the broker allows: the limit is max.message.bytes of the topic, for all messages of a batch together"},
		{kerr.IllegalGeneration, "group g", "group g continues without this member"},
		{kerr.InvalidRecord, "topic t", "topic t: This record has failed the validation on the broker and hence been rejected (INVALID_RECORD)"},
		{errors.New("topic t lost messages"), "topic t", "topic t lost messages"},
		{dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "group g", "group g: connection refused: does the cluster run, and is this its port?"},
	} {
		err := overTLS.Explain(test.err, test.what)
		var hinted interface{ Hint() string }
		if errors.As(err, &hinted); strings.TrimSuffix(err.Error()+": "+hinted.Hint(), ": ") != test.want {
			t.Errorf("got  %s: %s\nwant %s", err, hinted.Hint(), test.want)
		}
		if !errors.Is(err, test.err) {
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
	}{{-1 << 31, true}, {1 << write, true}, {1 << 3, false}, {0, false}} {
		if got := Allows(test.operations, write); got != test.want {
			t.Errorf("Allows(%b) = %v", test.operations, got)
		}
	}
}
