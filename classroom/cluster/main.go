// Cluster runs a Kafka cluster for the tutorial: three brokers on this machine, with mutual TLS.
//
// It also writes what the staff of a course gives to a student: a folder with the student's certificate,
// the certificate of the authority, and the settings for Kafka's own tools. It keeps topics, messages and
// committed offsets on the disk, so programs that run simply continue after a restart of the cluster.
package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/broker"
)

var (
	topics     = pflag.StringSlice("topics", []string{"client60"}, "`names` of the topics; the credentials are for the first name")
	partitions = pflag.Int("partitions", broker.DefaultPartitions, "how many partitions a topic has")
	ports      = pflag.IntSlice("ports", []int{19093, 29093, 39093},
		"a `port` for each broker; with 0, a free port, nothing is kept")
	fresh = pflag.Bool("fresh", false, "start empty: delete the topics, messages and offsets of earlier clusters with these ports")
	auth  = pflag.String("auth", "", "`folder` for the credentials (default: the nearest auth/, here or above)")
)

func main() {
	cli.Run("", "Runs three Kafka brokers on this machine until it is stopped, and writes the\n"+
		"credentials for them. Prints the addresses of the brokers when they are ready.\n\n"+
		"The brokers are for teaching, not for production. They speak the protocol of\n"+
		"Kafka, but they have no replication, and promise nothing about durability.\n\n"+
		"Topics, messages of the last hour and committed offsets are kept in your cache\n"+
		"folder, and the next cluster with the same ports continues with them.\n\n"+
		"example: go run ./classroom/cluster --topics client60,client61", run)
}

func run(ctx context.Context, _ []string) error {
	const most = 256 // more than a lesson needs, and no problem for the brokers
	if *partitions < 1 || *partitions > most {
		return &cli.Misuse{Problem: fmt.Sprintf("--partitions %d is not between 1 and %d", *partitions, most)}
	}
	if len(*topics) == 0 {
		return &cli.Misuse{Problem: "--topics names no topic"}
	}
	if problems := broker.TopicProblems(*topics); len(problems) > 0 {
		return &cli.Misuse{Problem: problems[0]}
	}
	kept, err := open(*ports, *fresh)
	if err != nil {
		return err
	}
	defer kept.close()
	cluster, err := kept.start(broker.Config{Ports: *ports, Topics: *topics, Partitions: *partitions})
	if err != nil {
		return err
	}
	defer cluster.Close()
	for _, topic := range *topics {
		if n := len(cluster.Kfake().PartitionInfos(topic)); n != *partitions {
			return cli.WithHint(fmt.Errorf("topic %s has %d partitions already, not %d", topic, n, *partitions),
				"keep it with --partitions %d; or delete everything that is kept: --fresh", n)
		}
	}

	student := (*topics)[0]
	folder, unlock, err := writeCredentials(kept.ca, student, cluster.Brokers(), *auth)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := fmt.Println(strings.Join(cluster.Brokers(), ",")); err != nil {
		return err
	}
	flag := ""
	if *auth != "" {
		flag = " --auth " + folder
	}
	cli.Say("the cluster is up until Ctrl-C; credentials for %s are in %s", student, folder)
	cli.Say("in a second terminal:  go run ./consumer %s%s", student, flag)
	cli.Say("in a third:            go run ./producer %s%s", student, flag)
	cli.Say("in Python, Java, Rust: classroom/languages/README.md")

	go expire(ctx, cluster)
	<-ctx.Done()
	return nil
}
