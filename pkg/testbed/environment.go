package testbed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cluster"
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// environment is the cluster that all scripts of a program run on. Without a credentials folder it is
// an embedded cluster, which starts with the first script.
type environment struct {
	folder  string
	brokers []string
	tls     *tls.Config
	student string // the topic of the student whose folder it is; empty with an administrator's folder

	once    sync.Once
	cluster *embedded.Cluster
	ca      *issuer.CA
	err     error
}

// newEnvironment returns the cluster for a test, which closes it at the end.
func newEnvironment(t *testing.T) *environment {
	t.Helper()
	e := &environment{}
	t.Cleanup(e.close)
	folder, err := Folder()
	if err == nil && folder != "" {
		err = e.useFolder(folder)
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
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
	if e.folder == "" {
		return true
	}
	client, err := e.client()
	if err != nil {
		return true
	}
	defer client.Close()
	return cluster.CheckShare(context.Background(), client) == nil
}

// client returns a client with all the rights of the folder, or of the embedded cluster that has started.
func (e *environment) client(options ...kgo.Opt) (*kgo.Client, error) {
	if e.cluster != nil {
		return e.cluster.Client(options...)
	}
	return kgo.NewClient(append(options, kgo.SeedBrokers(e.brokers...), kgo.DialTLSConfig(e.tls))...)
}

func (e *environment) embedded() (*embedded.Cluster, *issuer.CA, error) {
	e.once.Do(func() { e.cluster, e.ca, e.err = startEmbedded(embedded.Config{}, true) })
	return e.cluster, e.ca, e.err
}

// addresses are those of the brokers. An embedded cluster must have started.
func (e *environment) addresses() []string {
	if e.cluster != nil {
		return e.cluster.Brokers()
	}
	return e.brokers
}

func (e *environment) close() {
	if e.cluster != nil {
		e.cluster.Close()
	}
}

// startEmbedded starts a cluster, and makes the authority that issues the credentials for it.
func startEmbedded(config embedded.Config, secure bool) (*embedded.Cluster, *issuer.CA, error) {
	ca, err := issuer.New("tkafka test authority", 24*time.Hour)
	if err != nil {
		return nil, nil, err
	}
	if !secure {
		cluster, err := embedded.Start(config)
		return cluster, ca, err
	}
	cluster, err := localcluster.Start(ca, config)
	return cluster, ca, err
}
