package main

import (
	"time"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
)

// startOwn starts a cluster with one topic and writes the credentials of its student.
func startOwn(folder string) (*embedded.Cluster, error) {
	ca, err := issuer.New("tkafka tour", 24*time.Hour)
	if err != nil {
		return nil, err
	}
	broker, err := ca.Broker("localhost", "localhost", "127.0.0.1", "::1")
	if err != nil {
		return nil, err
	}
	student, err := ca.Client(ownTopic)
	if err != nil {
		return nil, err
	}
	own, err := embedded.Start(embedded.Config{Topics: []string{ownTopic}, TLS: ca.MutualTLS(broker)})
	if err != nil {
		return nil, err
	}
	return own, issuer.Folder{CA: ca, Identity: student, Brokers: own.Brokers()}.Write(folder)
}
