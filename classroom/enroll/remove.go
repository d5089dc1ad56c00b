package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

func remove() {
	flags := settings.AddFlags()
	yes := pflag.BoolP("yes", "y", false, "yes, delete all messages of the topic")
	run("remove <name>", `Removes the rights of a student or a group, and deletes its topic with all messages. The name can also
be that of a topic for all.

  enroll remove client7 --yes --auth creds/admin`,
		func(ctx context.Context, args []string) error {
			if !*yes {
				return &cli.Misuse{Problem: fmt.Sprintf("this deletes topic %s with all its messages: --yes is missing", args[1])}
			}
			a, err := find(flags)
			if err == nil {
				err = a.connect(ctx)
			}
			if err != nil {
				return err
			}
			defer a.Close()
			if slices.Contains(a.topics.ReadOnly, args[1]) {
				return a.remove(ctx, args[1])
			}
			brokers, err := folders(a.class.broker(""))
			if err != nil {
				return err
			}
			all := newRegister()
			all.add("a broker", brokers...) // without their rights, they could not work
			students := all.add("a student", args[1])
			if err := all.err(); err != nil {
				return err
			}
			return a.remove(ctx, students[0])
		})
}

// remove removes the rights of a user and on the topic of the same name, and the topic. The rights go first, so
// that nobody uses the topic while it is deleted.
func (a *admin) remove(ctx context.Context, name string) error {
	removed, err := a.withdraw(ctx, name)
	if err != nil {
		return fmt.Errorf("rights of %s: %w", name, err)
	}
	cli.Say("rights of %s: removed %d", name, removed)
	_, err = a.DeleteTopic(ctx, name)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		cli.Say("topic %s does not exist", name)
	case err != nil:
		return fmt.Errorf("topic %s: %w", name, refusal(err))
	default:
		cli.Say("deleted topic %s", name)
	}
	if folder := a.class.student(name); exists(folder) {
		cli.Warn(cli.WithHint(fmt.Errorf("%s still exists, so enroll apply would make topic %s again", folder, name), "delete this folder"))
	}
	if at := slices.Index(a.topics.ReadOnly, name); at >= 0 {
		a.topics.ReadOnly = slices.Delete(a.topics.ReadOnly, at, at+1)
		return a.class.keep(a.topics)
	}
	return nil
}

// withdraw removes all rights of a user, and all rights on the topic of the same name. It returns how many.
func (a *admin) withdraw(ctx context.Context, name string) (removed int, err error) {
	for _, rights := range []*kadm.ACLBuilder{
		kadm.NewACLs().AnyResource().ResourcePatternType(kadm.ACLPatternAny).Allow("User:" + name).Deny("User:" + name),
		kadm.NewACLs().Topics(name).Allow().Deny(),
	} {
		results, failed := a.DeleteACLs(ctx, rights.Operations(kadm.OpAny).AllowHosts().DenyHosts())
		err = errors.Join(err, failed)
		for _, result := range results {
			err = errors.Join(err, refusal(result.Err))
			for _, rule := range result.Deleted {
				if err = errors.Join(err, refusal(rule.Err)); rule.Err == nil {
					removed++
				}
			}
		}
	}
	return removed, err
}
