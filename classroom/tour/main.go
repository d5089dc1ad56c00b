// Tour performs the tutorial: it types the commands for you, shows what the programs print, and
// checks each step.
//
// Read sections.go beside it. Nothing is staged: the programs run as they do for you, as processes
// that know of each other only what the cluster tells them.
package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

func main() {
	program := cli.New("tour",
		"Performs the tutorial with the real programs and checks every step, on a cluster of its own or,\n"+
			"with --topic, on an existing one. There nobody else should use the topic meanwhile.",
		"go run ./classroom/tour --pause\n"+
			"go run ./classroom/tour --auth client1/auth --topic client1")
	flags := settings.AddFlags(program.Flags)
	topic := program.Flags.String("topic", "", "run on an existing cluster, with this `topic`")
	pause := program.Flags.Bool("pause", false, "wait for Enter between the steps")

	program.Run(func(ctx context.Context, _ []string) error {
		if *topic == "" && (program.Flags.Changed("auth") || program.Flags.Changed("brokers")) {
			return &cli.Misuse{Problem: "an existing cluster needs --topic, the topic to use there"}
		}
		started := time.Now()
		dir, err := os.MkdirTemp("", "tkafka-tour-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		here, err := findSite(ctx, program, flags, *topic, dir)
		if err != nil {
			return err
		}
		defer here.close()

		screen := newScreen(os.Stdout)
		screen.title("Kafka, performed by the programs of the tutorial")
		screen.say("", here.describe())
		screen.say("", "The programs are being built ...")
		programs, err := build(ctx, filepath.Join(dir, "bin"))
		if err != nil {
			return err
		}

		t := &tour{ctx: ctx, site: here, screen: screen, programs: programs, patience: patience}
		defer t.stopAll()
		if *pause {
			t.enter = readEnter(os.Stdin)
		}
		for _, section := range sections {
			if !t.perform(section) {
				break
			}
		}
		return t.summary(sections, time.Since(started))
	})
}
