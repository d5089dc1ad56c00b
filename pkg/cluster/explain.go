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

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/tlsconf"
)

// problem is why a broker cannot be used, and what the user can do about it.
type problem struct{ cause, hint string }

// diagnose explains an error of the network, of TLS or of the first exchange with a broker. It looks
// for the texts of franz-go and of Go's crypto/tls, which describes a received alert only in words.
// Java brokers and kfake send different alerts for the same refusal.
func (c *Cluster) diagnose(address string, err error) problem {
	text := err.Error()
	var (
		refused *tlsconf.BrokerError
		notTLS  tls.RecordHeaderError
		noName  *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &refused) && cli.HintOf(refused.Err) != "":
		return problem{refused.Error(), cli.HintOf(refused.Err)}
	case strings.Contains(text, "remote error: tls: ") && strings.Contains(text, "certificate"):
		_, alert, _ := strings.Cut(text, "remote error: tls: ")
		return problem{"the broker refuses our certificate (" + alert + ")",
			fmt.Sprintf("is %s the folder for this cluster, and is its certificate still valid?", c.settings.Folder)}
	case errors.As(err, &notTLS):
		return problem{"the program at this address does not use TLS", isItTheTLSPort}
	case strings.Contains(text, "appear to be a tls alert"):
		return c.plaintextToTLS()
	case errors.Is(err, errController):
		return problem{err.Error(), "clients use another port of this cluster: ask the staff, or try 19092, 29092 and 39092"}
	case closedAtOnce(err):
		switch {
		case c.checked: // a broker that stops
			return problem{cause: "the connection was closed at once"}
		case c.TLS == nil:
			return c.plaintextToTLS()
		}
		return problem{"the connection was closed at once", isItTheTLSPort}
	case errors.Is(err, syscall.ECONNREFUSED):
		return problem{"connection refused", hintRefused(address, inContainer())}
	case errors.As(err, &noName):
		return problem{"no such host", "check the spelling of the name; does this machine know it?"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return problem{"no answer", "check the address; does a firewall block it, or is a VPN missing?"}
	}
	var system syscall.Errno
	if errors.As(err, &system) {
		return problem{cause: system.Error()}
	}
	return problem{cause: strings.TrimPrefix(text, "unable to dial: ")}
}

// errController is the error of a port that is not for clients.
var errController = errors.New("this is the port of a controller, which answers no client")

// closedAtOnce reports whether the other side has closed the connection instead of an answer.
func closedAtOnce(err error) bool {
	var first *kgo.ErrFirstReadEOF
	return errors.As(err, &first) || errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

const isItTheTLSPort = "is this the TLS port of a Kafka broker?"

func (c *Cluster) plaintextToTLS() problem {
	return problem{"the broker expects TLS, and this client uses plaintext",
		fmt.Sprintf("remove security.protocol=PLAINTEXT from %s/client-ssl.properties", c.settings.Folder)}
}

// hintRefused is a hint for an address where nobody listens. Inside a container, localhost is the
// container.
func hintRefused(address string, container bool) string {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case local && container:
		return "in a container, localhost is the container itself: use docker run --network host"
	case local:
		return "start a cluster with go run ./classroom/cluster"
	}
	return "does the cluster run, and is this its port?"
}

// inContainer reports whether this process runs in Docker or Podman: both make a file at the root.
func inContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return false
}

// Explain explains an error of work on what, such as "topic client60" or "group g": an error code of
// Kafka's, or a problem with the connection. The result wraps err.
func (c *Cluster) Explain(err error, what string) error {
	var text, hint string
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		text = "no right to use " + what + ", or it was deleted"
		hint = "ask the staff for the right, or for the name of your topic"
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		text = "no right to use " + what
		hint = "a member needs the right to read its group: ask the staff"
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		text = "no right to produce with idempotence"
		hint = "brokers before Kafka 2.8 require IDEMPOTENT_WRITE on the cluster: ask the staff"
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		text = what + " does not exist any more"
		hint = "has somebody deleted it?"
	case errors.Is(err, kerr.MessageTooLarge):
		text = "larger than the broker allows"
		hint = "the limit is max.message.bytes of the topic, for all messages of a batch together"
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		text = what + " has members with another strategy (partition.assignment.strategy), or is a share group"
		hint = "choose another group name"
	case errors.Is(err, kerr.InvalidGroupID):
		text = what + ": not a group name"
	case IsOut(err):
		text = what + " continues without this member"
	default:
		var kafka *kerr.Error
		if errors.As(err, &kafka) {
			text = fmt.Sprintf("%s: %s (%s)", what, strings.TrimSuffix(kafka.Description, "."), kafka.Message)
		} else {
			found := c.diagnose("", err)
			text, hint = found.cause, found.hint
			if !strings.HasPrefix(text, what) {
				text = what + ": " + text
			}
		}
	}
	return cli.WithHint(&explained{text, err}, "%s", hint)
}

// IsOut reports whether the error means that this client is not a member of its group any more, or
// not in this generation of the group.
func IsOut(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.FencedInstanceID) ||
		errors.Is(err, kerr.GroupIDNotFound) // after a restart of an embedded cluster
}

// explained has a text of ours, and wraps the error that it explains.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }
