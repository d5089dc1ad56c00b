package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/watch/observer"
)

// printEvents prints what is there, and then a line for each event, until the end of ctx.
func printEvents(ctx context.Context, out io.Writer, watched *observer.Observer) error {
	for version, printed, started := int64(0), int64(0), false; ; {
		picture, err := watched.Next(ctx, version)
		if err != nil {
			return err
		}
		version = picture.Version
		var lines strings.Builder
		if !started && !picture.Time.IsZero() {
			started = true
			describe(&lines, picture)
		}
		for _, event := range picture.Events {
			if event.ID <= printed {
				continue
			}
			printed = event.ID
			name := event.Group
			if name == "" {
				name = picture.Topic.Name
			}
			line(&lines, event.Time, name, event.Text)
			if trouble := picture.Trouble; event.Kind == observer.Lost && trouble != nil && trouble.Hint != "" {
				line(&lines, event.Time, name, "hint: "+trouble.Hint)
			}
		}
		if _, err := io.WriteString(out, lines.String()); err != nil {
			return err
		}
	}
}

// describe writes the topic, and the members and the lag of each group.
func describe(lines *strings.Builder, picture *observer.Picture) {
	offsets := int64(0) // not messages: transactions and compaction leave offsets without one
	for _, partition := range picture.Topic.Partitions {
		offsets += partition.End - partition.Start
	}
	text := fmt.Sprintf("%d partitions, offsets: %s", len(picture.Topic.Partitions), cli.Count(offsets))
	line(lines, picture.Time, picture.Topic.Name, text)
	for _, group := range picture.Groups {
		line(lines, picture.Time, group.Name, fmt.Sprintf("%s, members: %d, lag: %s", group.State, len(group.Members), cli.Count(group.Lag)))
		for _, member := range group.Members {
			text := fmt.Sprintf("member %d (%s) has no partitions", member.Number, member.Client)
			if len(member.Partitions) > 0 {
				text = fmt.Sprintf("member %d (%s) has partitions %s, lag: %s", member.Number, member.Client,
					cli.Ranges(member.Partitions), cli.Count(member.Lag))
			}
			line(lines, picture.Time, group.Name, text)
		}
	}
}

// line writes one line. The names in it are those that clients chose.
func line(lines *strings.Builder, at time.Time, name, text string) {
	visible := strings.ReplaceAll(cli.Escape(name+": "+text), "\n", `\n`)
	fmt.Fprintf(lines, "%s %s\n", at.Local().Format("15:04:05.000"), visible)
}
