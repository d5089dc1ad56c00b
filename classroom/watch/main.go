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
	"tkafka/pkg/observer"
	"tkafka/pkg/settings"
)

func main() {
	program := cli.New("watch <topic>",
		"Shows the partitions of a topic, the groups that read it, and what happens, in a browser.",
		"watch client60\nwatch client60 --text")
	auth := settings.AddFlags(program.Flags)
	text := program.Flags.Bool("text", false, "print a line for each event instead")
	var page page
	program.Flags.StringVar(&page.listen, "listen", "127.0.0.1:8080", "`address` of the page")
	program.Flags.StringVar(&page.host, "host", "", "the `name` of this machine in the browser, if it is another one")
	program.Flags.BoolVar(&page.noOpen, "no-open", false, "do not open the browser")

	program.Run(func(ctx context.Context, args []string) error {
		topic := args[0]
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

		ctx, stop := context.WithCancel(ctx)
		defer stop()
		ended := make(chan error, 1)
		go func() {
			ended <- watched.Run(ctx)
			stop()
		}()
		if *text {
			err = printEvents(ctx, os.Stdout, watched)
		} else {
			err = page.serve(ctx, program, watched)
		}
		stop()
		if failed := <-ended; err == nil {
			err = failed
		}
		return err
	})
}
