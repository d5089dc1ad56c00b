package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// diagnose explains an error of the network, of TLS or of the first exchange with a broker, and says what the
// user can do. Address may be empty. It looks for the texts of franz-go and of crypto/tls, which describes an
// alert only in words. Brokers in Java and in Go send different alerts for the same refusal.
func diagnose(err error, address string) (cause, hint string) {
	text := err.Error()
	var (
		refused cli.Hinted // by tlsconf
		timeout net.Error
		system  syscall.Errno
	)
	const tlsPort = "is this the port for clients with TLS? Ask the staff: it is often 19093, or 19092"
	switch {
	case errors.As(err, &refused):
		return refused.Error(), refused.Hint()
	case strings.Contains(text, "remote error: tls: ") && strings.Contains(text, "certificate"):
		_, alert, _ := strings.Cut(text, "remote error: tls: ")
		return "the broker refuses our certificate (" + alert + ")",
			"is this the credentials folder for this cluster, and is its certificate still valid?"
	case errors.As(err, new(tls.RecordHeaderError)):
		return "the program at this address does not use TLS", tlsPort
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		strings.Contains(text, "broker connection has died"):
		if address == "" { // not the first request
			return "the connection was closed", ""
		}
		return "the connection was closed at once", tlsPort
	case errors.Is(err, syscall.ECONNREFUSED):
		host, _, _ := net.SplitHostPort(address)
		if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
			return "connection refused", "start a cluster with go run ./classroom/cluster, or name the brokers of your course " +
				"with --brokers HOST:PORT,...; a container needs docker run --network host"
		}
		return "connection refused", "does the cluster run, and is this its port?"
	case errors.As(err, new(*net.DNSError)):
		return "no such host", "check the spelling of the name; does this machine know it?"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer", "check the address; does a firewall block it, or is a VPN missing?"
	case errors.As(err, &system):
		return system.Error(), ""
	}
	return strings.TrimPrefix(text, "unable to dial: "), ""
}

// Explain explains an error of work on what, such as "topic client60" or "group g": an error code of Kafka, or
// a problem with the connection. The result contains err.
func Explain(err error, what string) error {
	var text, hint string
	var kafka *kerr.Error
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		text, hint = "no right to use "+what+", or it was deleted", "ask the staff for the right, or for the name of your topic"
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		if !strings.HasPrefix(what, "group ") {
			what = "the group"
		}
		text, hint = "no right to use "+what, "a member needs the right to read its group: ask the staff"
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		text, hint = what+" was deleted, or deleted and made again", "if it exists, start this program again"
	case errors.Is(err, kerr.MessageTooLarge):
		text, hint = "too large for the client (batch.size) or for the topic (max.message.bytes)", "send it in parts"
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		text = what + " has another type (share group, group.protocol), or members with another partition.assignment.strategy"
		hint = "choose another group name"
	case errors.Is(err, kgo.ErrRecordTimeout):
		text = "no broker has stored it in time (delivery.timeout.ms)"
	case IsOut(err):
		text = what + " continues without this member"
	case errors.As(err, &kafka):
		text = fmt.Sprintf("%s: %s (%s)", what, strings.TrimSuffix(kafka.Description, "."), kafka.Message)
	default:
		text, hint = diagnose(err, "")
		text = what + ": " + text
	}
	return cli.WithHint(&explained{text, err}, "%s", hint)
}

// IsOut reports whether the error means that this client is not a member of its group any more, or that the
// group assigns its partitions again.
func IsOut(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.FencedInstanceID)
}

// explained has a text of ours, and contains the error that it explains.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }
