// Watch shows what happens in a cluster while it happens: messages arrive, members join and leave a
// group, partitions move, offsets are committed.
//
// It opens a page in the browser, or with --text prints a line for each event. It reads the topic with
// the rights of a student and without a group, so it commits nothing and changes nothing.
//
// Usage:
//
//	go run ./classroom/watch client60
//	go run ./classroom/watch client60 --text
package main

import (
	"context"
	"os"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/livepage"
	"tkafka/pkg/observer"
	"tkafka/pkg/settings"
)

func main() {
	program := cli.New("watch <topic>",
		"Shows the partitions of a topic, the groups that read it, and what happens, in a browser.",
		"watch client60\nwatch client60 --text")
	auth := settings.AddFlags(program.Flags)
	text := program.Flags.Bool("text", false, "print a line for each event instead")
	var page livepage.Place
	page.AddFlags(program.Flags)

	program.Run(func(ctx context.Context, args []string) error {
		topic := args[0]
		if err := page.Check(); err != nil {
			return err
		}
		here, err := cluster.Open(ctx, program, auth, cluster.Needs{Topic: topic, Read: true})
		if err != nil {
			return err
		}
		here.RenewIdentity()
		client, err := kgo.NewClient(append(here.Options(),
			kgo.SeedBrokers(here.Brokers...), kgo.DialTLSConfig(here.TLS))...)
		if err != nil {
			return err
		}
		defer client.Close()
		watched := observer.New(client, topic)
		watched.Explain = here.Explain

		if *text {
			return watched.While(ctx, func(ctx context.Context) error { return printEvents(ctx, os.Stdout, watched) })
		}
		return page.Watch(ctx, program, watched)
	})
}
