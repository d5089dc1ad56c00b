package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

func remove() {
	flags := settings.AddFlags()
	yes := pflag.BoolP("yes", "y", false, "yes, delete all messages of the student")
	run("remove <student>", `Removes the rights of a student, and deletes the student's topic with all its messages.

  enroll remove client7 --yes --auth creds/admin`,
		func(ctx context.Context, args []string) error {
			if !*yes {
				return &cli.Misuse{Problem: fmt.Sprintf("this deletes topic %s with all its messages: --yes is missing", args[1])}
			}
			a, err := openAdmin(ctx, flags)
			if err != nil {
				return err
			}
			defer a.Close()
			// Without their rights, the brokers could not work.
			brokers, err := folders(a.class.broker(""))
			if err != nil {
				return err
			}
			students, err := usable(args[1:], brokers...)
			if err != nil {
				return err
			}
			return a.remove(ctx, students[0])
		})
}

// remove removes the rights and the topic of a student. The rights go first, so that nobody uses the
// topic while it is deleted.
func (a *admin) remove(ctx context.Context, student string) error {
	user := "User:" + student
	removed, err := a.withdraw(ctx, user)
	if err != nil {
		return fmt.Errorf("rights of %s: %w", user, err)
	}
	cli.Say("rights of %s: removed %d", user, removed)
	_, err = a.DeleteTopic(ctx, student)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		cli.Say("topic %s does not exist", student)
	case err != nil:
		return fmt.Errorf("topic %s: %w", student, refusal(err))
	default:
		cli.Say("deleted topic %s", student)
	}
	if folder := a.class.student(student); exists(folder) {
		cli.Warn(cli.WithHint(fmt.Errorf("%s still exists, so enroll apply would make topic %s again", folder, student), "delete this folder"))
	}
	return nil
}

// withdraw removes all rights of a user, and returns how many.
func (a *admin) withdraw(ctx context.Context, user string) (removed int, err error) {
	all := kadm.NewACLs().AnyResource().ResourcePatternType(kadm.ACLPatternAny).Operations(kadm.OpAny).
		Allow(user).AllowHosts().Deny(user).DenyHosts()
	results, err := a.DeleteACLs(ctx, all)
	for _, result := range results {
		err = errors.Join(err, refusal(result.Err))
		for _, rule := range result.Deleted {
			if err = errors.Join(err, refusal(rule.Err)); rule.Err == nil {
				removed++
			}
		}
	}
	return removed, err
}
