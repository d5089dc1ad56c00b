package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tkafka/pkg/cli"
)

// waitForBrokers waits until each broker has its copies of the topics and knows the rights. The
// controller confirms new topics at once. Then each broker opens its copies one after another, which
// for 300 topics takes a minute or more. It learns about the rights only after that. Until then
// students get UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER and TOPIC_AUTHORIZATION_FAILED.
// It stops waiting when nothing changes any more: then the check shows what is missing.
func (c *checker) waitForBrokers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	defer cli.Bottom("")
	done, all := c.prepared(ctx)
	if done == all {
		return
	}
	cli.Say("waiting for the brokers to finish the topics and rights: %s of %s done", cli.Count(done), cli.Count(all))
	for changed := time.Now(); done < all && time.Since(changed) < c.patience && cli.Pause(ctx, c.patience/10) == nil; {
		before := done
		if done, all = c.prepared(ctx); done != before {
			changed = time.Now()
		}
		progress("brokers: %s of %s steps done", cli.Count(done), cli.Count(all))
	}
}

// prepared counts what must be done before the students can work, and how much of it is done: each copy
// of a partition is open and in sync, each broker knows each right, groups have a coordinator.
func (c *checker) prepared(ctx context.Context) (done, all int) {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	metadata, err := c.Metadata(fresh(ctx), c.students...)
	if err != nil {
		return 0, 1 // try again
	}
	logs, _ := c.DescribeAllLogDirs(ctx, nil) // without those of a broker that does not answer
	for _, topic := range metadata.Topics {
		if topic.Err != nil {
			all += partitions
		}
		for _, partition := range topic.Partitions {
			all += len(partition.Replicas)
			for _, broker := range partition.ISR {
				if _, open := logs[broker].LookupPartition(topic.Topic, partition.Partition); open {
					done++
				}
			}
		}
	}
	wanted := rightsOf(c.students...)
	for _, broker := range metadata.Brokers {
		known, _ := rightsKnownTo(ctx, c.raw.Broker(int(broker.NodeID)))
		all += len(wanted)
		done += len(wanted) - len(without(wanted, known))
	}
	// On a new cluster, this question makes the brokers create the topic __consumer_offsets.
	all++
	if c.FindGroupCoordinators(ctx, c.groupOf("")).Ok() {
		done++
	}
	return done, all
}

// certificates checks the certificates of the authority and of the admin.
func (c *checker) certificates() []finding {
	chain, err := chainOf(c.tls)
	if err != nil {
		return []finding{{What: "authority", Result: wrong, Detail: err.Error()}}
	}
	return []finding{validity("authority", chain[len(chain)-1]), validity("admin", chain[0])}
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

// addresses connects to each address that a student's client uses: those to start from, and those that
// the brokers advertise.
func (c *checker) addresses(ctx context.Context, metadata kadm.Metadata) (findings []finding) {
	var advertised []string
	for _, broker := range metadata.Brokers {
		address := net.JoinHostPort(broker.Host, strconv.Itoa(int(broker.Port)))
		advertised = append(advertised, address)
		findings = append(findings, connect(ctx, fmt.Sprintf("broker %d", broker.NodeID), address, c.tls))
	}
	for _, address := range c.found.Brokers {
		if !slices.Contains(advertised, address) {
			findings = append(findings, connect(ctx, "bootstrap", address, c.tls))
		}
	}
	return findings
}

// connect checks whether a broker answers at the address, and its certificate.
func connect(ctx context.Context, what, address string, config *tls.Config) finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return finding{what, wrong, address + ": " + brief(err)}
	}
	defer conn.Close()
	f := validity(what, conn.(*tls.Conn).ConnectionState().PeerCertificates[0])
	return finding{what, f.Result, address + ": " + f.Detail}
}

// copies checks whether each partition has a leader and all its copies. A topic that does not exist is
// a problem of its student.
func copies(metadata kadm.Metadata) finding {
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
		return finding{"copies", wrong, fmt.Sprintf("%d partitions have no leader, nobody can use them: %s", len(leaderless), few(leaderless))}
	case len(behind) > 0:
		return finding{"copies", wrong, fmt.Sprintf("%d partitions lack a copy, a broker is down or behind: %s", len(behind), few(behind))}
	}
	return finding{"copies", ok, fmt.Sprintf("all %s partitions have all their copies", cli.Count(all))}
}

// retention checks how long the topics keep messages (retention.ms): all equally long, and not for ever.
func (c *checker) retention(ctx context.Context) finding {
	described, err := c.DescribeTopicConfigs(ctx, c.students...)
	if err != nil {
		return finding{"retention", wrong, brief(err)}
	}
	topicsBy := make(map[time.Duration][]string)
	for _, topic := range described {
		for _, config := range topic.Configs {
			if millis, err := strconv.ParseInt(config.MaybeValue(), 10, 64); config.Key == "retention.ms" && err == nil {
				kept := time.Duration(millis) * time.Millisecond
				topicsBy[kept] = append(topicsBy[kept], topic.Name)
			}
		}
		if topic.Err != nil && !errors.Is(topic.Err, kerr.UnknownTopicOrPartition) { // that is the student's problem
			return finding{"retention", wrong, topic.Name + ": " + brief(topic.Err)}
		}
	}
	return judgeRetention(topicsBy)
}

// judgeRetention gets the topics for each retention time, which is negative for ever.
func judgeRetention(topicsBy map[time.Duration][]string) finding {
	if len(topicsBy) == 0 {
		return finding{"retention", skipped, "there is no topic"}
	}
	result := ok
	var times []string
	for _, kept := range slices.Sorted(maps.Keys(topicsBy)) {
		text := kept.String()
		if kept < 0 {
			result, text = wrong, "ever"
		}
		if len(topicsBy) > 1 {
			result, text = wrong, fmt.Sprintf("%s (%s)", text, few(topicsBy[kept]))
		}
		times = append(times, text)
	}
	return finding{"retention", result, "messages are kept for " + strings.Join(times, ", ")}
}
