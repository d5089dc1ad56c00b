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
)

// dialing is how franz-go returns an error of the network.
func dialing(err error) error {
	return fmt.Errorf("unable to dial: %w", &net.OpError{Op: "dial", Net: "tcp", Err: err})
}

var refused = dialing(os.NewSyscallError("connect", syscall.ECONNREFUSED))

// firstRead returns the error of franz-go when a broker closes the connection instead of its first answer.
func firstRead(t *testing.T) error {
	client, err := kgo.NewClient(kgo.SeedBrokers("broker:1"), kgo.RequestRetries(0), kgo.Dialer(func(context.Context, string, string) (net.Conn, error) {
		conn, broker := net.Pipe()
		go func() {
			broker.Read(make([]byte, 1024))
			broker.Close()
		}()
		return conn, nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err = client.Ping(t.Context())
	if _, ok := errors.AsType[*kgo.ErrFirstReadEOF](err); !ok {
		t.Errorf("not ErrFirstReadEOF: %v", err)
	}
	return err
}

// The errors of real brokers on several JDKs, of embedded brokers, and of the network.
func TestDiagnose(t *testing.T) {
	const far = "kafka.example:19093"
	alert := func(text string) error { return errors.New("read: remote error: tls: " + text) }
	for _, test := range []struct {
		err                  error
		address, cause, hint string // the hint contains it
	}{
		{refused, far, "connection refused", "its port"},
		{refused, "localhost:1", "connection refused", "./classroom/cluster"},
		{refused, "[::1]:1", "connection refused", "--network host"},
		{dialing(&net.DNSError{Err: "no such host", IsNotFound: true}), far, "no such host", "spelling"},
		{fmt.Errorf("wrapped: %w", context.DeadlineExceeded), far, "no answer", "firewall"},
		{dialing(os.ErrDeadlineExceeded), far, "no answer", "firewall"},
		{dialing(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), far, "no route to host", ""},
		{fmt.Errorf("x: %w", tls.RecordHeaderError{}), far, "the program at this address does not use TLS", "19092"},
		{fmt.Errorf("x: %w", io.EOF), far, "the connection was closed at once", "19092"},
		{firstRead(t), far, "the connection was closed at once", "19092"},
		{errors.New("the broker connection has died and the request will be retried on a new connection"), far, "the connection was closed at once", "19092"},
		{fmt.Errorf("x: %w", io.EOF), "", "the connection was closed", ""},                                                           // while the program works
		{alert("bad certificate"), far, "the broker refuses our certificate (bad certificate)", "credentials folder"},                // Java 17
		{alert("unknown certificate"), far, "the broker refuses our certificate (unknown certificate)", "valid"},                     // a foreign one
		{alert("certificate required"), far, "the broker refuses our certificate (certificate required)", "valid"},                   // Java 21
		{alert("unknown certificate authority"), far, "the broker refuses our certificate (unknown certificate authority)", "valid"}, // Go
		{alert("expired certificate"), far, "the broker refuses our certificate (expired certificate)", "valid"},
		{dialing(cli.WithHint(errors.New("not issued by auth/ca.crt"), "use another")), far,
			"not issued by auth/ca.crt", "use another"},
		{errors.New("unable to dial: something new"), far, "something new", ""},
	} {
		cause, hint := diagnose(test.err, test.address)
		if cause != test.cause || !strings.Contains(hint, test.hint) || test.hint == "" && hint != "" {
			t.Errorf("%v: %s: %s", test.err, cause, hint)
		}
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err        error
		what, want string
	}{
		{kerr.GroupAuthorizationFailed, "group g", "no right to use group g"},
		{kerr.GroupAuthorizationFailed, "topic t", "no right to use the group"},
		{kerr.TopicAuthorizationFailed, "topic t", "no right to use topic t, or it was deleted"},
		{kerr.UnknownTopicID, "topic t", "topic t was deleted, or deleted and made again"},
		{fmt.Errorf("%w (uncompressed_bytes=7)", kerr.MessageTooLarge), "topic t", "too large for the client (batch.size) or for the topic (max.message.bytes)"},
		{kerr.IllegalGeneration, "group g", "group g continues without this member"},
		{kerr.InvalidRecord, "topic t", "topic t: This record has failed the validation on the broker and hence been rejected (INVALID_RECORD)"},
		{refused, "group g", "group g: connection refused"},
	} {
		if err := Explain(test.err, test.what); err.Error() != test.want || !errors.Is(err, test.err) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	for _, err := range []error{nil, context.Canceled} {
		if got := Explain(err, "topic t"); got != err {
			t.Errorf("%v is explained as %v", err, got)
		}
	}
}

// An error ends a consumer only if it does not go away with time. Messages come first, also after Ctrl-C.
func TestFatal(t *testing.T) {
	stopped, stop := context.WithCancel(t.Context())
	stop()
	fetched := func(err error, messages ...*kgo.Record) kgo.Fetches {
		return kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "t", Partitions: []kgo.FetchPartition{{Err: err, Records: messages}}}}}}
	}
	for _, test := range []struct {
		ctx     context.Context
		fetches kgo.Fetches
		want    error
	}{
		{t.Context(), nil, nil},
		{t.Context(), fetched(nil, &kgo.Record{}), nil},
		{t.Context(), fetched(kerr.NotLeaderForPartition), nil},
		{t.Context(), fetched(&kgo.ErrGroupSession{Err: refused}), nil}, // the Reporter prints it
		{t.Context(), fetched(kerr.UnknownTopicID), kerr.UnknownTopicID},
		{t.Context(), fetched(&kgo.ErrGroupSession{Err: kerr.GroupAuthorizationFailed}), kerr.GroupAuthorizationFailed},
		{stopped, nil, context.Canceled},
		{stopped, fetched(context.Canceled), context.Canceled},
		{stopped, fetched(nil, &kgo.Record{}), nil},
	} {
		if err := Fatal(test.ctx, test.fetches); !errors.Is(err, test.want) || test.want == nil && err != nil {
			t.Errorf("%v: %v, want %v", test.fetches.Errors(), err, test.want)
		}
	}
}
