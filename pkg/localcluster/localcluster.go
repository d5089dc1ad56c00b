// Package localcluster starts an embedded cluster with mutual TLS. It goes away: use embedded.Config.CA.
package localcluster

import (
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

// Start starts the cluster with certificates of this authority.
func Start(ca *issuer.CA, config embedded.Config) (*embedded.Cluster, error) {
	config.CA = ca
	return embedded.Start(config)
}
