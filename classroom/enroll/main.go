// Enroll prepares a cluster for a class: credentials, topics and rights for each student.
//
//	enroll issue    makes certificates: an authority, the brokers, an admin, a folder for each student
//	enroll apply    makes a topic for each student, and gives the student the right to use it
//	enroll check    logs in as each student and checks what the student can do
//	enroll remove   removes the rights and the topic of a student
//
// A student has one name. The folder, the certificate, the Kafka user and the topic all have it. Each
// command can be stopped and run again: it then does what is missing.
package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/term"

	"tkafka/pkg/cli"
)

func main() {
	commands := map[string]func(){"issue": issue, "apply": apply, "check": check, "remove": remove}
	if len(os.Args) > 1 && commands[os.Args[1]] != nil {
		commands[os.Args[1]]()
	}
	cli.Run("issue|apply|check|remove", `Prepares a cluster for a class: credentials, topics and rights. Each command has its own --help.

  enroll issue --students 300 --zip
  enroll apply --auth creds/admin
  enroll check --auth creds/admin
  enroll remove client7 --yes --auth creds/admin`,
		func(context.Context, []string) error {
			return &cli.Misuse{Problem: "the command must come first"} // enroll --flag issue
		})
}

// run runs a command. Other programs end cleanly after a signal. A stopped command has failed, because
// its work is not done.
func run(usage, about string, command func(ctx context.Context, args []string) error) {
	cli.Run(usage, about, func(ctx context.Context, args []string) error {
		err := command(ctx, args)
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			return cli.WithHint(errors.New("stopped before the work was done"), "run the same command again")
		}
		return err
	})
}

// progress shows on the last line of a terminal how far the work is. An empty text removes it.
func progress(text string) {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		cli.Bottom(text)
	}
}
