// Cluster runs a Kafka cluster for the tutorial: three brokers on this machine, with mutual TLS.
//
// It also writes what the staff of a course gives to a student: a folder with the student's certificate,
// the certificate of the authority, and the settings for Kafka's own tools. When it stops, all
// messages are lost, unless --data keeps them.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/embedded"
	"tkafka/pkg/livepage"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/observer"
)

func main() {
	program := cli.New("cluster",
		"Runs three Kafka brokers on this machine until it is stopped, and writes the\n"+
			"credentials for them. Prints the addresses of the brokers when they are ready.\n\n"+
			"The brokers are for teaching, not for production. They speak the protocol of\n"+
			"Kafka, but they have no replication, and promise nothing about durability.\n\n"+
			"The credentials are still valid after a restart. The authority that issues them\n"+
			"is kept in your configuration folder, and only you can read its key.",
		"go run ./classroom/cluster --topics client60,client61 --data ~/kafka-data")
	topics := program.Flags.StringSlice("topics", []string{"client60"},
		"`names` of the topics; the credentials are for the first name")
	partitions := program.Flags.Int("partitions", embedded.DefaultPartitions, "how many partitions a new topic has")
	ports := program.Flags.IntSlice("ports", []int{19093, 29093, 39093},
		"a `port` for each broker; 0 means a free port")
	data := program.Flags.String("data", "", "`folder` that keeps messages and offsets across restarts "+
		"(default: in memory, for one hour and at most 256 MiB)")
	auth := program.Flags.String("auth", "",
		"`folder` for the credentials (default: the nearest auth/, here or above)")
	watch := program.Flags.Bool("watch", false, "show the first topic in the browser, as classroom/watch does")

	program.Run(func(ctx context.Context, _ []string) error {
		if err := checkFlags(*topics, *partitions, *ports); err != nil {
			return &cli.Misuse{Problem: err.Error()}
		}
		ca, err := authority(*data)
		if err != nil {
			return err
		}
		config := embedded.Config{Ports: *ports, Topics: *topics, Partitions: *partitions, DataDir: *data, Say: program.Say}
		if *data == "" {
			config.Retention = embedded.Retention{Bytes: 256 << 20, Age: time.Hour} // the course's age
		}
		cluster, err := localcluster.Start(ca, config)
		var inUse *embedded.PortError
		if errors.As(err, &inUse) {
			return cli.WithHint(err, "is another cluster running? To start one beside it: --ports 0,0,0 --auth OTHER")
		}
		var damage *embedded.DamageError
		if errors.As(err, &damage) {
			return cli.WithHint(err, "restore the file from a copy, or name an empty folder with --data")
		}
		if err != nil {
			return err
		}
		defer cluster.Close()

		student := (*topics)[0]
		folder, err := writeCredentials(ca, student, cluster.Brokers(), *auth)
		if err != nil {
			return err
		}
		if _, err := fmt.Println(strings.Join(cluster.Brokers(), ",")); err != nil {
			return err
		}
		flag := ""
		if *auth != "" {
			flag = " --auth " + folder
		}
		program.Say("the cluster is up until Ctrl-C; credentials for %s are in %s", student, folder)
		program.Say("in a second terminal:  go run ./consumer %s%s", student, flag)
		program.Say("in a third:            go run ./producer %s%s", student, flag)
		if *watch {
			client, err := cluster.Client()
			if err != nil {
				return err
			}
			defer client.Close()
			page := livepage.Place{Listen: livepage.DefaultAddress}
			if err := page.Watch(ctx, program, observer.New(client, student)); ctx.Err() == nil {
				return err
			}
		}
		<-ctx.Done()
		cluster.Close()
		return cluster.Err()
	})
}
