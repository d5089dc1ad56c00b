package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// identities checks the certificates of the authority, of the admin and of the brokers. It connects to each
// address that a student's client uses: those that the brokers advertise, and those to start from.
func (c *checker) identities(ctx context.Context, metadata kadm.Metadata) (findings []finding) {
	config := c.raw.OptValue(kgo.DialTLSConfig).(*tls.Config)
	if chain, err := chainOf(config); err != nil {
		findings = append(findings, finding{"admin", wrong, brief(err)})
	} else {
		findings = append(findings, validity("authority", chain[len(chain)-1]), validity("admin", chain[0]))
	}
	var advertised []string
	for _, broker := range metadata.Brokers {
		address := net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
		advertised = append(advertised, address)
		findings = append(findings, connect(ctx, fmt.Sprintf("broker %d", broker.NodeID), address, config))
	}
	for _, address := range c.found.Brokers {
		if !slices.Contains(advertised, address) {
			findings = append(findings, connect(ctx, "bootstrap", address, config))
		}
	}
	return findings
}

// connect checks whether a broker answers at the address, and its certificate.
func connect(ctx context.Context, what, address string, config *tls.Config) finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return finding{what, wrong, address + ": " + brief(err)}
	}
	defer conn.Close()
	f := validity(what, conn.(*tls.Conn).ConnectionState().PeerCertificates[0])
	f.Detail = address + ": " + f.Detail
	return f
}

// chainOf returns the certificate that a client presents, and those that signed it.
func chainOf(config *tls.Config) ([]*x509.Certificate, error) {
	presented, err := config.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificates(slices.Concat(presented.Certificate...))
}

// validity returns whether a certificate is valid now. In its last 14 days the result is a note.
func validity(what string, cert *x509.Certificate) finding {
	date := cert.NotAfter.UTC().Format(time.DateOnly)
	switch now := time.Now(); {
	case now.After(cert.NotAfter):
		return finding{what, wrong, "its certificate ended on " + date}
	case now.Before(cert.NotBefore):
		return finding{what, wrong, "its certificate begins on " + cert.NotBefore.UTC().Format(time.DateOnly)}
	case now.Add(14 * day).After(cert.NotAfter):
		return finding{what, note, "its certificate ends soon, on " + date}
	}
	return finding{what, ok, "its certificate ends on " + date}
}

// replicas checks whether each partition has a leader and all its replicas. A topic that does not exist is
// a problem of its student.
func replicas(metadata kadm.Metadata) finding {
	all := 0
	var leaderless, behind []string
	for _, topic := range metadata.Topics.Sorted() {
		for _, partition := range topic.Partitions.Sorted() {
			all++
			name := fmt.Sprintf("%s/%d", topic.Topic, partition.Partition)
			if partition.Leader < 0 || partition.Err != nil {
				leaderless = append(leaderless, name)
			} else if len(partition.ISR) < len(partition.Replicas) {
				behind = append(behind, name)
			}
		}
	}
	switch {
	case len(leaderless) > 0:
		return finding{"replicas", wrong, fmt.Sprintf("%d partitions have no leader, nobody can use them: %s", len(leaderless), few(leaderless))}
	case len(behind) > 0:
		return finding{"replicas", wrong, fmt.Sprintf("%d partitions lack a replica, a broker is down or behind: %s", len(behind), few(behind))}
	}
	return finding{"replicas", ok, fmt.Sprintf("all %s partitions have all their replicas", cli.Count(all))}
}

// retention checks how long the topics keep messages (retention.ms): all equally long, and not for ever.
func (c *checker) retention(ctx context.Context) finding {
	described, err := c.DescribeTopicConfigs(ctx, c.students...)
	if err != nil {
		return finding{"retention", wrong, brief(err)}
	}
	topicsBy := make(map[string][]string)
	for _, topic := range described {
		for _, config := range topic.Configs {
			if config.Key == "retention.ms" {
				kept := config.MaybeValue() + " ms"
				if millis, err := strconv.Atoi(config.MaybeValue()); err == nil && millis >= 0 {
					kept = (time.Duration(millis) * time.Millisecond).String()
				}
				topicsBy[kept] = append(topicsBy[kept], topic.Name)
			}
		}
	}
	return judgeRetention(topicsBy)
}

// judgeRetention gets the topics for each retention time. For ever is "-1 ms".
func judgeRetention(topicsBy map[string][]string) finding {
	result := ok
	if len(topicsBy) != 1 || topicsBy["-1 ms"] != nil {
		result = wrong
	}
	var times []string
	for _, kept := range slices.Sorted(maps.Keys(topicsBy)) {
		times = append(times, fmt.Sprintf("%s (%s)", kept, few(topicsBy[kept])))
	}
	if len(times) == 1 {
		times[0], _, _ = strings.Cut(times[0], " (")
	}
	return finding{"retention", result, "messages are kept for " + strings.Join(times, ", ")}
}
