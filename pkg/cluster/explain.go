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

	"tkafka/pkg/tlsconf"
)

// problem is why a broker could not be talked to, and what to do about it.
type problem struct{ cause, mend string }

func (p problem) String() string {
	if p.mend == "" {
		return p.cause
	}
	return p.cause + ": " + p.mend
}

// diagnose reads an error of the network, of TLS or of the first exchange with a broker. The texts
// it looks for are those of Go's crypto/tls, which names a received alert in words only, and of
// franz-go; Java brokers and kfake send different alerts for the same refusal.
func (c *Cluster) diagnose(address string, err error) problem {
	text := err.Error()
	var (
		refused  *tlsconf.BrokerError
		notTLS   tls.RecordHeaderError
		noName   *net.DNSError
		cutShort *kgo.ErrFirstReadEOF
		timeout  net.Error
	)
	switch {
	case errors.As(err, &refused):
		return problem{cause: refused.Error()}
	case strings.Contains(text, "remote error: tls: ") && strings.Contains(text, "certificate"):
		_, alert, _ := strings.Cut(text, "remote error: tls: ")
		return problem{"the broker refuses our certificate (" + alert + ")",
			fmt.Sprintf("is %s the folder for this cluster, and has its certificate expired?", c.settings.Folder)}
	case errors.As(err, &notTLS):
		return problem{"what answers there does not speak TLS", "is it the TLS port of a Kafka broker?"}
	case strings.Contains(text, "appear to be a tls alert"):
		return c.plaintextToTLS()
	case errors.As(err, &cutShort), errors.Is(err, io.EOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		switch {
		case c.checked: // a broker that ends
			return problem{cause: "the connection was closed at once"}
		case c.tls == nil:
			return c.plaintextToTLS()
		}
		return problem{"the connection was closed at once", "is it the TLS port of a Kafka broker?"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return problem{"connection refused", mendRefused(address)}
	case errors.As(err, &noName):
		return problem{"no such host", "is the name spelled right, and known on this machine?"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return problem{"no answer", "is the address right, and does a firewall let it through?"}
	}
	var system syscall.Errno
	if errors.As(err, &system) {
		return problem{cause: system.Error()}
	}
	return problem{cause: strings.TrimPrefix(text, "unable to dial: ")}
}

func (c *Cluster) plaintextToTLS() problem {
	return problem{"the broker wants TLS and we speak plaintext",
		fmt.Sprintf("take security.protocol=PLAINTEXT out of %s/client-ssl.properties", c.settings.Folder)}
}

// mendRefused says why nobody may listen at the address. Inside a container, localhost is the
// container.
func mendRefused(address string) string {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	local := host == "localhost" || ip != nil && ip.IsLoopback()
	switch {
	case local && inContainer():
		return "is the cluster running? (inside a container, localhost is the container itself;" +
			" docker run --network host makes it the machine;" +
			" beside docker/compose.yaml, --network tkafka_default with -b kafka-1:9092 does it too)"
	case local:
		return "is the cluster running? (start one of your own: go run ./classroom/cluster)"
	}
	return "is the cluster running, and is this its port?"
}

// inContainer reports whether Docker or Podman runs us: both leave a file at the root.
func inContainer() bool {
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			return true
		}
	}
	return false
}

// Explain words an error that came with work on what, "topic client60" or "group g": an error code
// of Kafka's in plain words, or a problem with the connection. It wraps err.
func (c *Cluster) Explain(err error, what string) error {
	text := ""
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		text = "no right to use " + what + ", or it is gone (ask the staff for the right, or for the name of yours)"
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		text = "no right to use " + what + " (a member needs the right to read its group: ask the staff)"
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		text = "no right to produce with idempotence" +
			" (brokers before Kafka 2.8 ask for IDEMPOTENT_WRITE on the cluster: ask the staff)"
	case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		text = what + " is not there any more: has it been deleted?"
	case errors.Is(err, kerr.MessageTooLarge):
		text = "larger than the broker takes"
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		text = what + " has members that share partitions by another strategy or read other topics:" +
			" choose another group name"
	case errors.Is(err, kerr.InvalidGroupID):
		text = what + ": not a name for a group"
	case IsOut(err):
		text = what + " has gone on without us"
	default:
		var kafka *kerr.Error
		if errors.As(err, &kafka) {
			text = fmt.Sprintf("%s: %s (%s)", what, strings.TrimSuffix(kafka.Description, "."), kafka.Message)
		} else {
			text = fmt.Sprintf("%s: %s", what, c.diagnose("", err))
		}
	}
	return &explained{text, err}
}

// IsOut reports whether the error says that we are no member of a group any more, or not in this
// generation of it.
func IsOut(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.FencedInstanceID)
}

// explained is an error in our words that still is the one it came from.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.cause }
