package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/observer"
)

// printEvents prints what is there, and then a line for each event, until the end of ctx.
func printEvents(ctx context.Context, out io.Writer, watched *observer.Observer) error {
	updates, stop := watched.Follow()
	defer stop()
	printed := int64(0) // the last event
	started := false
	for {
		var update observer.Update
		select {
		case update = <-updates:
		case <-ctx.Done():
			return ctx.Err()
		}
		picture := update.Picture
		if !started && !picture.Time.IsZero() {
			started = true
			if err := printPicture(out, picture); err != nil {
				return err
			}
		}
		for _, event := range update.Events {
			if missing := event.ID - printed - 1; missing > 0 {
				if err := line(out, event.Time, picture.Topic.Name, fmt.Sprintf("events that are not printed, because there were too many: %d", missing)); err != nil {
					return err
				}
			}
			printed = event.ID
			name := event.Group
			if name == "" {
				name = picture.Topic.Name
			}
			if err := line(out, event.Time, name, event.Text); err != nil {
				return err
			}
			if trouble := picture.Trouble; event.Kind == observer.Lost && trouble != nil && trouble.Hint != "" {
				if err := line(out, event.Time, name, "hint: "+trouble.Hint); err != nil {
					return err
				}
			}
		}
	}
}

// printPicture prints the topic, and the members and the lag of each group.
func printPicture(out io.Writer, picture *observer.Picture) error {
	messages := int64(0)
	for _, partition := range picture.Partitions {
		messages += partition.End - partition.Start
	}
	text := fmt.Sprintf("%d partitions, messages: %s", len(picture.Partitions), cli.Count(messages))
	if err := line(out, picture.Time, picture.Topic.Name, text); err != nil {
		return err
	}
	for _, group := range picture.Groups {
		text := fmt.Sprintf("%s, members: %d, lag: %s", group.State, len(group.Members), cli.Count(group.Lag))
		if err := line(out, picture.Time, group.Name, text); err != nil {
			return err
		}
		for _, member := range group.Members {
			text := fmt.Sprintf("member %d (%s) has no partitions", member.Number, member.Client)
			if len(member.Partitions) > 0 {
				text = fmt.Sprintf("member %d (%s) has partitions %s, lag: %s", member.Number, member.Client,
					cli.Ranges(member.Partitions), cli.Count(member.Lag))
			}
			if err := line(out, picture.Time, group.Name, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// line prints one line. The names in it are those that clients chose.
func line(out io.Writer, at time.Time, name, text string) error {
	visible := strings.ReplaceAll(string(cli.Escape([]byte(name+": "+text))), "\n", `\n`)
	_, err := fmt.Fprintf(out, "%s %s\n", at.Local().Format("15:04:05.000"), visible)
	return err
}
