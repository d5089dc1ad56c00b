package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/terminal"
)

func remove() {
	program := cli.New("enroll remove <student>",
		"Removes the rights of a student, and deletes the student's topic with all its messages.\n"+
			"Asks first.",
		"enroll remove client7 --auth creds/admin")
	auth := settings.AddFlags(program.Flags)
	yes := program.Flags.BoolP("yes", "y", false, "do not ask")

	run(program, func(ctx context.Context, args []string) error {
		if !*yes && !terminal.Is(os.Stdin) {
			return &cli.Misuse{Problem: "without a terminal, remove cannot ask: --yes is missing"}
		}
		a, err := openAdmin(ctx, program, auth)
		if err != nil {
			return err
		}
		defer a.Close()
		// This refuses the admin and the brokers: without their rights nobody could change the cluster.
		students, err := a.class.accept(program, rosterOf(args[1]))
		if err != nil {
			return err
		}
		student := students[0]
		if !*yes {
			question := fmt.Sprintf("remove all rights of %s and delete topic %s with all its messages? [y/N] ", principal(student), student)
			if err := askAtTerminal(ctx, program, question); err != nil {
				return err
			}
		}
		return a.remove(ctx, program, student)
	})
}

// remove removes the rights and the topic of a student. The rights go first, so that nobody uses the
// topic while it is deleted.
func (a *admin) remove(ctx context.Context, program *cli.Program, student string) error {
	removed, err := a.withdraw(ctx, principal(student))
	if err != nil {
		return fmt.Errorf("rights of %s: %w", principal(student), err)
	}
	program.Say("rights of %s: removed %d", principal(student), removed)
	response, err := a.DeleteTopic(ctx, student)
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		program.Say("topic %s does not exist", student)
	} else if err != nil {
		return fmt.Errorf("topic %s: %w", student, refusal(err, &response.ErrMessage))
	} else {
		program.Say("deleted topic %s", student)
	}
	if folder := a.class.student(student); exists(folder) {
		program.Say("%s still exists, so enroll apply would make topic %s again", folder, student)
		program.Hint("delete this folder")
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// askAtTerminal asks the user. If the answer is not y or yes, it returns cli.ErrDone.
func askAtTerminal(ctx context.Context, program *cli.Program, question string) error {
	program.Bottom(question)
	answer := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(text))
	}()
	select {
	case <-ctx.Done():
		program.Bottom("")
		return ctx.Err()
	case text := <-answer:
		program.Entered()
		if text == "y" || text == "yes" {
			return nil
		}
		program.Say("nothing was done")
		return cli.ErrDone
	}
}
