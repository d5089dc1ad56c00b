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
		"Takes a student's rights away and deletes the student's topic with all its messages.\n"+
			"Asks before it does.",
		"enroll remove client7 --auth creds/admin")
	found := settings.AddFlags(program.Flags)
	yes := program.Flags.BoolP("yes", "y", false, "do not ask")

	run(program, func(ctx context.Context, args []string) error {
		ask := func(question string) (bool, error) { return askAt(ctx, program, question) }
		if *yes {
			ask = func(string) (bool, error) { return true, nil }
		} else if !terminal.Is(os.Stdin) {
			return &cli.Misuse{Problem: "remove asks first, and nobody is at a terminal to answer: --yes does without"}
		}
		err := found.Find()
		if err != nil {
			return err
		}
		class := classOf(found.Folder)
		student, err := class.removable(program, args[1])
		if err != nil {
			return err
		}
		a, err := openAdmin(ctx, program, found)
		if err != nil {
			return err
		}
		defer a.Close()
		if done, err := a.remove(ctx, program, student, ask); !done || err != nil {
			return err
		}
		if _, err := os.Stat(class.student(student)); err == nil {
			program.Say("%s is still there: as long as it is, apply enrolls %s again, and check misses the topic",
				class.student(student), student)
		}
		return nil
	})
}

// removable is the user whom the name means, unless that is the admin or a broker: without their
// rights the cluster would be nobody's.
func (c class) removable(program *cli.Program, name string) (string, error) {
	nodes, err := c.nodes()
	if err != nil {
		return "", err
	}
	names, err := accept(program, roster{lines: []line{{name: name}}}, nodes)
	if err != nil {
		return "", err
	}
	return names[0], nil
}

// remove withdraws rights and topic, and tells whether it did: ask may say no.
func (a *admin) remove(ctx context.Context, program *cli.Program, student string, ask func(string) (bool, error)) (bool, error) {
	who := principal(student)
	rights, err := rightsKnownTo(ctx, a.raw, &who)
	if err != nil {
		return false, err
	}
	topics, err := a.ListTopics(ctx, student)
	if err != nil {
		return false, refusal(err, "")
	}
	there := topics.Has(student)
	if !there && len(rights) == 0 {
		program.Say("%s has neither topic nor rights", student)
		return true, nil
	}
	question := fmt.Sprintf("withdraw the %d rights of %s", len(rights), who)
	if there {
		question += fmt.Sprintf(" and delete topic %s with all its messages", student)
	}
	if sure, err := ask(question); !sure || err != nil {
		return false, err
	}

	// The rights go first, so that nobody uses the topic while it goes.
	gone, err := a.withdraw(ctx, who)
	if err != nil {
		return false, fmt.Errorf("%d of %d rights withdrawn: %w", gone, len(rights), err)
	}
	if there {
		response, err := a.DeleteTopic(ctx, student)
		if err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return false, fmt.Errorf("%d rights withdrawn, but topic %s is not deleted: %w", gone, student, refusal(err, response.ErrMessage))
		}
		program.Say("topic %s deleted", student)
	}
	program.Say("%d rights of %s withdrawn", gone, who)
	return true, nil
}

// askAt puts a question to whoever sits at the terminal. Only a yes is one.
func askAt(ctx context.Context, program *cli.Program, question string) (bool, error) {
	program.Bottom(question + "? [y/N] ")
	answer := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		answer <- text
	}()
	select {
	case <-ctx.Done():
		program.Bottom("")
		return false, ctx.Err()
	case text := <-answer:
		program.Entered()
		switch strings.ToLower(strings.TrimSpace(text)) {
		case "y", "yes":
			return true, nil
		}
		program.Say("nothing was done")
		return false, nil
	}
}
