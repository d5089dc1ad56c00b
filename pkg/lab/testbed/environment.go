package testbed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cluster"
	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/issuer"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// environment is the cluster of all scripts of a program, or of one: that of a credentials folder, or an
// embedded one.
type environment struct {
	folder  string
	brokers []string
	tls     *tls.Config
	student string // the topic of the student whose folder it is; empty with an administrator's folder

	embedded *broker.Cluster // nil on another cluster
	ca       *issuer.CA      // of the embedded cluster
}

// newEnvironment returns the cluster for a test. At the end, an embedded one is closed.
func newEnvironment(t *testing.T) (e environment) {
	t.Helper()
	folder, err := authFolder()
	switch {
	case err != nil:
	case folder != "":
		err = e.useFolder(folder)
	default:
		if e, err = startEmbedded(broker.Config{}); err == nil {
			t.Cleanup(e.embedded.Close)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// startEmbedded starts a cluster, and makes the authority that issues the credentials for it.
func startEmbedded(config broker.Config) (e environment, err error) {
	if e.ca, err = issuer.New("tkafka test authority", 24*time.Hour); err != nil {
		return e, err
	}
	config.CA = e.ca
	// By default a member notices changes only with its next heartbeat, after five seconds.
	config.Options = append(config.Options, kfake.BrokerConfigs(map[string]string{
		"group.share.heartbeat.interval.ms": "200", "group.consumer.heartbeat.interval.ms": "200",
	}))
	e.embedded, err = broker.Start(config)
	if err == nil {
		e.brokers = e.embedded.Brokers()
	}
	return e, err
}

// useFolder makes the scripts run on the cluster of a credentials folder. The credentials are an
// administrator's if they may create topics. Otherwise they are a student's, and the student's topic
// has the name in the certificate.
func (e *environment) useFolder(folder string) error {
	found, err := settings.InFolder(folder)
	if err != nil {
		return err
	}
	e.folder, e.brokers = folder, found.Brokers
	if e.tls, err = tlsconf.Load(folder, found.Password, nil); err != nil {
		return err
	}
	client, err := e.client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := withTimeout()
	defer cancel()
	valid, err := kadm.NewClient(client).ValidateCreateTopics(ctx, 1, -1, nil, "test-rights")
	if err != nil {
		return err
	}
	switch err := valid["test-rights"].Err; {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		identity, err := e.tls.GetClientCertificate(&tls.CertificateRequestInfo{})
		if err != nil {
			return err
		}
		e.student = strings.ToLower(identity.Leaf.Subject.CommonName)
	case err != nil:
		return fmt.Errorf("cannot create topics: %w", err)
	}
	return nil
}

// sharing reports whether the cluster has share groups. An embedded cluster has them.
func (e *environment) sharing() bool {
	client, err := e.client()
	if err != nil {
		return true
	}
	defer client.Close()
	return cluster.HasShareGroups(context.Background(), client)
}

// client returns a client with all the rights of the folder, or of the embedded cluster.
func (e *environment) client(options ...kgo.Opt) (*kgo.Client, error) {
	if e.embedded != nil {
		return e.embedded.Client(options...)
	}
	return kgo.NewClient(append(options, kgo.SeedBrokers(e.brokers...), kgo.DialTLSConfig(e.tls))...)
}

const folderVariable = "TKAFKA_TEST_AUTH"

// authFolder returns the credentials folder that the environment variable TKAFKA_TEST_AUTH names, or "" if
// it is not set. A test runs in the folder of its package and does not know where "go test" was typed,
// so it looks for a relative path from there upward.
func authFolder() (string, error) {
	named := os.Getenv(folderVariable)
	if named == "" {
		return "", nil
	}
	if filepath.IsAbs(named) {
		_, err := os.Stat(named)
		return named, err
	}
	above, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		folder := filepath.Join(above, named)
		if _, err := os.Stat(folder); err == nil {
			return folder, nil
		}
		if above == filepath.Dir(above) {
			return "", fmt.Errorf("%s=%s: no such folder here or above", folderVariable, named)
		}
		above = filepath.Dir(above)
	}
}
