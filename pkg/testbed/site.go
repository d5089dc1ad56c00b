package testbed

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

// site is where the scripts of a program run: on the cluster that a folder leads to or, without one,
// on an embedded cluster that starts with the first script.
type site struct {
	folder  string
	brokers []string
	tls     *tls.Config
	student string // the student's only topic; empty with an administrator's folder

	once    sync.Once
	cluster *embedded.Cluster
	ca      *issuer.CA
	err     error
}

// visit looks whose folder it is: who may make topics is an administrator, and a student's topic
// bears the name in the student's certificate.
func (s *site) visit(folder string) error {
	found, err := settings.InFolder(folder)
	if err != nil {
		return err
	}
	s.folder, s.brokers = folder, found.Brokers
	if s.tls, err = tlsconf.Load(folder, found.Password, nil); err != nil {
		return err
	}
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := patiently()
	defer cancel()
	valid, err := kadm.NewClient(client).ValidateCreateTopics(ctx, 1, -1, nil, "test-rights")
	if err != nil {
		return err
	}
	switch err := valid["test-rights"].Err; {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		identity, err := s.tls.GetClientCertificate(&tls.CertificateRequestInfo{})
		if err != nil {
			return err
		}
		s.student = strings.ToLower(identity.Leaf.Subject.CommonName)
	case err != nil:
		return fmt.Errorf("cannot make topics: %w", err)
	}
	return nil
}

func (s *site) client(options ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(options, kgo.SeedBrokers(s.brokers...), kgo.DialTLSConfig(s.tls))...)
}

func (s *site) embedded() (*embedded.Cluster, *issuer.CA, error) {
	s.once.Do(func() { s.cluster, s.ca, s.err = startEmbedded(embedded.Config{}, true) })
	return s.cluster, s.ca, s.err
}

func (s *site) close() {
	if s.cluster != nil {
		s.cluster.Close()
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
