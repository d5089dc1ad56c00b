// Tour performs the tutorial with the real programs. It shows each command and what the programs
// print, and it checks each step.
//
// Read sections.go beside it: it has the steps and the checks. The programs run as they do for a
// student. Each is a process of its own, and only the cluster connects them.
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
		"Performs the tutorial with the real programs and checks each step. It starts a cluster of its own.\n"+
			"With --topic it uses an existing cluster. Nobody else should use that topic at the same time.",
		"tour --pause\n"+
			"tour --auth client1/auth --topic client1")
	auth := settings.AddFlags(program.Flags)
	topic := program.Flags.String("topic", "", "use an existing cluster, with this `topic`")
	watch := program.Flags.Bool("watch", false, "show the topic in the browser, as classroom/watch does, until Ctrl-C")
	pause := program.Flags.Bool("pause", false, "wait for Enter before each step")

	program.Run(func(ctx context.Context, _ []string) error {
		if *topic == "" && (program.Flags.Changed("auth") || program.Flags.Changed("brokers")) {
			return &cli.Misuse{Problem: "--auth and --brokers need --topic, the topic on the existing cluster"}
		}
		started := time.Now()
		screen := newScreen(os.Stdout)
		screen.title("The tutorial, performed by its programs")
		screen.say("", "This tour types the commands of the tutorial for you. It shows what the programs print, "+
			"and checks each step.\nWith --pause it waits for Enter before each step.")

		dir, err := os.MkdirTemp("", "tkafka-tour-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		k, err := openKafka(ctx, program, auth, *topic, dir)
		if err != nil {
			return err
		}
		defer k.close()
		screen.say("\n", k.describe())
		if *watch {
			stop, err := k.showPage(ctx, program)
			if err != nil {
				return err
			}
			defer stop()
		}
		screen.say("\n", "Building the programs:")
		programs, err := build(ctx, screen, filepath.Join(dir, "bin"))
		if err != nil {
			return err
		}

		t := newTour(ctx, k, screen, programs)
		defer t.stopAll()
		if *pause {
			t.pause = readEnter(os.Stdin)
		}
		for _, section := range sections {
			if !t.perform(section) {
				break
			}
		}
		err = t.summary(sections, time.Since(started))
		if *watch {
			program.Say("the page is open until Ctrl-C")
			<-ctx.Done()
		}
		return err
	})
}
