package testbed

import (
	"time"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

func startEmbedded(config embedded.Config, secure bool) (*embedded.Cluster, *issuer.CA, error) {
	ca, err := issuer.New("tkafka test authority", 24*time.Hour)
	if err != nil {
		return nil, nil, err
	}
	identity, err := ca.Broker("broker", "localhost", "127.0.0.1")
	if err != nil {
		return nil, nil, err
	}
	if secure {
		config.TLS = ca.MutualTLS(identity)
	}
	cluster, err := embedded.Start(config)
	return cluster, ca, err
}
