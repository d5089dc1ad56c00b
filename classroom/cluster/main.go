// Cluster runs a Kafka cluster for the tutorial: three brokers on this machine, with mutual TLS.
//
// Beside the cluster it makes what the staff of a course hands out: a folder with a student's
// certificate, the authority to trust, and the settings for Kafka's own tools. Whatever is sent to
// the cluster is gone when it stops, unless --data keeps it.
package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tkafka/pkg/cli"
	"tkafka/pkg/embedded"
	"tkafka/pkg/localcluster"
)

func main() {
	program := cli.New("cluster",
		"Runs three Kafka brokers on this machine until it is stopped, and writes the credentials\n"+
			"for them. Prints the brokers' addresses when they are ready.",
		"go run ./classroom/cluster --topics client60,client61 --data /tmp/kafka")
	topics := program.Flags.StringSlice("topics", []string{"client60"},
		"`names` of the topics to make, 16 partitions each; the\ncredentials bear the name of the first")
	ports := program.Flags.IntSlice("ports", []int{19093, 29093, 39093},
		"a `port` for each broker, 0 takes a free one")
	data := program.Flags.String("data", "", "`folder` that keeps messages across restarts")
	auth := program.Flags.String("auth", "",
		"`folder` for the credentials (default: the nearest auth/\nfrom here upwards)")

	program.Run(func(ctx context.Context, _ []string) error {
		if err := check(*topics, *ports); err != nil {
			return &cli.Misuse{Problem: err.Error()}
		}
		ca, err := authority(*data)
		if err != nil {
			return err
		}
		cluster, err := localcluster.Start(ca, embedded.Config{Ports: *ports, Topics: *topics, DataDir: *data})
		var taken *embedded.PortError
		if errors.As(err, &taken) {
			return fmt.Errorf("%w: a cluster probably runs already (beside it: --ports 0,0,0 --auth OTHER)", err)
		}
		if err != nil {
			return err
		}
		defer cluster.Close()

		folder, err := handOut(ca, (*topics)[0], cluster.Brokers(), *auth)
		if err != nil {
			return err
		}
		if _, err := fmt.Println(strings.Join(cluster.Brokers(), ",")); err != nil {
			return err
		}
		next(program, (*topics)[0], folder, *auth != "")
		<-ctx.Done()
		return nil
	})
}

// next tells what to type now.
func next(program *cli.Program, topic, folder string, elsewhere bool) {
	where := ""
	if elsewhere {
		where = " --auth " + folder
	}
	program.Say("the cluster is up until Ctrl-C; credentials for %s are in %s", topic, folder)
	program.Say("in a second terminal:  go run ./consumer %s%s", topic, where)
	program.Say("in a third:            go run ./producer %s%s", topic, where)
}
