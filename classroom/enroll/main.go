// Enroll sets up a class on a cluster: who may come in, where each student's messages go, and who
// may do what.
//
//	enroll issue    makes certificates: an authority, the brokers, an admin, a folder for each student
//	enroll apply    makes a topic for each student on the cluster, and the rights to use it
//	enroll check    logs in as every student and looks whether all is as it should be
//	enroll remove   takes topic and rights of a student away
//
// A student is a name, and that one name is everything: of the folder that is handed out, in the
// certificate, of the user whom the brokers see in it, and of the topic. All four commands can be
// stopped at any point and run again: they do what is left to do.
package main

import (
	"context"
	"errors"
	"os"

	"tkafka/pkg/cli"
)

func main() {
	commands := map[string]func(){"issue": issue, "apply": apply, "check": check, "remove": remove}
	if len(os.Args) > 1 {
		if command, ok := commands[os.Args[1]]; ok {
			command()
		}
	}
	cli.New("enroll issue|apply|check|remove",
		"Sets up a class on a cluster: credentials, topics and rights. Each command has its own --help.",
		"enroll issue --students 300 --zip\n"+
			"enroll apply --auth creds/admin\n"+
			"enroll check --auth creds/admin\n"+
			"enroll remove client7 --auth creds/admin",
	).Run(func(context.Context, []string) error {
		return &cli.Misuse{Problem: "the command comes first"} // enroll --flag issue
	})
}

// run carries a command out. Unlike a program that would go on for ever, a command that is told to stop
// has failed: nobody shall take it for done, or for a pass.
func run(program *cli.Program, command func(ctx context.Context, args []string) error) {
	program.Run(func(ctx context.Context, args []string) error {
		err := command(ctx, args)
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return errStopped
		}
		return err
	})
}

var errStopped = errors.New("stopped before all was done: it can be run again")
