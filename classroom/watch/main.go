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
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
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
	security, err := tlsconf.Load(found.Folder, found.Password, cli.Warn)
	if err != nil {
		return found.WithSource(err)
	}
	client, err := kgo.NewClient(
		kgo.AlwaysRetryEOF(), kgo.SeedBrokers(found.Brokers...), kgo.DialTLSConfig(security), kgo.WithHooks(cluster.Reporter()))
	if err != nil {
		return err
	}
	defer client.Close()
	if err := cluster.Check(ctx, client, topic); err != nil {
		return found.WithSource(err)
	}
	if !*text {
		return place.Watch(ctx, client, topic)
	}
	watched, err := observer.Start(ctx, client, topic)
	if err != nil {
		return err
	}
	return printEvents(ctx, os.Stdout, watched)
}
