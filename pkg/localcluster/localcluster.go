// Package localcluster starts an embedded cluster with mutual TLS: the brokers and their clients have
// certificates of one authority. The clients' certificates come from [issuer.CA.WriteFolder].
package localcluster

import (
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

// Start issues a certificate for the brokers, which is valid for localhost, and starts the cluster.
// It sets config.TLS. For the other fields and the errors, see [embedded.Start].
func Start(ca *issuer.CA, config embedded.Config) (*embedded.Cluster, error) {
	identity, err := ca.Broker("localhost", "localhost", "127.0.0.1", "::1")
	if err != nil {
		return nil, err
	}
	config.TLS = ca.MutualTLS(identity)
	return embedded.Start(config)
}
