package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
)

// runCluster runs an embedded cluster until its standard input is closed, also when its parent has been
// killed. It keeps all messages: classroom/cluster deletes the oldest of ten million.
func runCluster(folder string) error {
	ca, err := issuer.New("tkafka bench", 24*time.Hour)
	if err != nil {
		return err
	}
	cluster, err := localcluster.Start(ca, embedded.Config{})
	if err != nil {
		return err
	}
	defer cluster.Close()
	if err := ca.WriteFolder(folder, "bench", cluster.Brokers()); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
