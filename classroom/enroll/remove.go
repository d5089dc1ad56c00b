package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/spf13/pflag"

	"golang.org/x/term"
	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

func remove() {
	about := "Removes the rights of a student, and deletes the student's topic with all its messages.\n" +
		"Asks first." +
		"\n\n  enroll remove client7 --auth creds/admin"
	flags := settings.AddFlags()
	yes := pflag.BoolP("yes", "y", false, "do not ask")

	run("remove <student>", about, func(ctx context.Context, args []string) error {
		if !*yes && !term.IsTerminal(int(os.Stdin.Fd())) {
			return &cli.Misuse{Problem: "without a terminal, remove cannot ask: --yes is missing"}
		}
		found, err := flags.Find()
		if err != nil {
			return err
		}
		a, err := openAdmin(ctx, found)
		if err != nil {
			return err
		}
		defer a.Close()
		// This refuses the admin and the brokers: without their rights nobody could change the cluster.
		students, err := a.class.accept(rosterOf(args[1]))
		if err != nil {
			return err
		}
		student := students[0]
		if !*yes {
			question := fmt.Sprintf("remove all rights of %s and delete topic %s with all its messages? [y/N] ", principal(student), student)
			agreed, err := askAtTerminal(ctx, question)
			if err != nil {
				return err
			}
			if !agreed {
				cli.Say("nothing was done")
				return nil
			}
		}
		return a.remove(ctx, student)
	})
}

// remove removes the rights and the topic of a student. The rights go first, so that nobody uses the
// topic while it is deleted.
func (a *admin) remove(ctx context.Context, student string) error {
	removed, err := a.withdraw(ctx, principal(student))
	if err != nil {
		return fmt.Errorf("rights of %s: %w", principal(student), err)
	}
	cli.Say("rights of %s: removed %d", principal(student), removed)
	response, err := a.DeleteTopic(ctx, student)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		cli.Say("topic %s does not exist", student)
	} else if err != nil {
		return fmt.Errorf("topic %s: %w", student, refusal(err, &response.ErrMessage))
	} else {
		cli.Say("deleted topic %s", student)
	}
	if folder := a.class.student(student); exists(folder) {
		cli.Say("%s still exists, so enroll apply would make topic %s again", folder, student)
		cli.Say("hint: " + "delete this folder")
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// askAtTerminal asks the user, and returns whether the answer is y or yes.
func askAtTerminal(ctx context.Context, question string) (bool, error) {
	cli.Bottom(question)
	answer := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case <-ctx.Done():
		cli.Bottom("")
		return false, ctx.Err()
	case text := <-answer:
		cli.Bottom("")
		return text == "y" || text == "yes", nil
	}
}
