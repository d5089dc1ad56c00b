// Watch shows what happens in a cluster while it happens: messages arrive, members join and leave a
// group, partitions move, offsets are committed.
//
// It opens a page in the browser, or with --text prints a line for each event. It reads the topic with
// the rights of a student and without a group, so it commits nothing and changes nothing.
//
//	go run ./classroom/watch client60
//	go run ./classroom/watch client60 --text
package main

import (
	"context"
	"os"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/settings"
	"tkafka/pkg/watch/observer"
	"tkafka/pkg/watch/page"
)

var (
	flags = settings.AddFlags() // --brokers, --auth
	text  = pflag.Bool("text", false, "print a line for each event instead")
	place page.Place
)

func main() {
	place.AddFlags()
	cli.Run("<topic>", "Shows the partitions of a topic, the groups that read it, and what happens, in a browser.", watch)
}

func watch(ctx context.Context, args []string) error {
	topic := args[0]
	if err := place.Check(); err != nil {
		return err
	}
	found, err := flags.Find()
	if err != nil {
		return err
	}
	client, err := cluster.Open(ctx, found, topic)
	if err != nil {
		return err
	}
	defer client.Close()
	if !*text {
		return place.Watch(ctx, client, topic)
	}
	watched, err := observer.Start(ctx, client, topic)
	if err != nil {
		return err
	}
	return printEvents(ctx, os.Stdout, watched)
}
