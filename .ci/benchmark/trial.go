package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"tkafka/pkg/cli"
)

// measurement runs the commands of a candidate, and checks that the result is complete.
type measurement func(ctx context.Context, t *trial) (result, error)

// trial is one run of a candidate.
type trial struct {
	*bench
	topic, group string
	count        int    // messages
	want         digest // what is in a topic that was filled before
	commands     []command
}

// measure measures all candidates of a row, in turns.
func (b *bench) measure(ctx context.Context, r row) ([]measured, error) {
	count := r.count
	if b.short {
		count = r.short
	}
	what := r.what
	if strings.Contains(what, "%s") {
		what = fmt.Sprintf(what, cli.Count(count))
	}
	all := make([]measured, len(r.candidates))
	for i, c := range r.candidates {
		all[i] = measured{Row: r.name, What: what, Candidate: c.name, Command: c.command, Speedup: r.speedup}
		if name := b.missing(c); name != "" {
			all[i].Missing, all[i].Problem = true, name+" is not installed"
		}
	}
	shared := trial{bench: b, count: count}
	if r.fill != "" {
		var err error
		if shared.topic, err = b.makeTopic(ctx); err != nil {
			return nil, err
		}
		defer b.deleteTopic(ctx, shared.topic)
		if shared.want, err = shared.fill(ctx, r.fill); err != nil {
			return nil, fmt.Errorf("cannot fill the topic: %w", err)
		}
	}
	for run := range b.runs {
		for i, c := range r.candidates {
			if all[i].Problem != "" {
				continue
			}
			used, err := b.try(ctx, r, c, shared)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				all[i].Problem, all[i].Median = err.Error(), 0
				b.program.Report(fmt.Errorf("%s: %s: %w", r.name, c.name, err))
				continue
			}
			all[i].add(used)
			b.program.Say("%s: %s: run %d: median %s", r.name, c.name, run+1, seconds(all[i].Median))
		}
	}
	for i := range all {
		if all[0].Problem == "" {
			all[i].Ratio = all[i].Median / all[0].Median
		}
	}
	return all, nil
}

// try measures a candidate once, with a new topic unless the row has one.
func (b *bench) try(ctx context.Context, r row, c candidate, t trial) (_ result, err error) {
	if t.topic == "" {
		if t.topic, err = b.makeTopic(ctx); err != nil {
			return result{}, err
		}
		defer b.deleteTopic(ctx, t.topic)
	}
	t.group = b.newGroup()
	if t.commands, err = t.parse(ctx, c.command); err != nil {
		return result{}, err
	}
	return r.measure(ctx, &t)
}

// parse makes commands of what a row has for a candidate (see there). It builds the programs and writes
// the files that they need.
func (t *trial) parse(ctx context.Context, text string) (commands []command, err error) {
	empty, err := os.MkdirTemp(t.work, "empty-")
	if err != nil {
		return nil, err
	}
	names := strings.NewReplacer("TOPIC", t.topic, "GROUP", t.group, "COUNT", strconv.Itoa(t.count), "EMPTY", empty)
	for line := range strings.SplitSeq(text, "&") {
		var c command
		for _, word := range strings.Fields(names.Replace(line)) {
			switch {
			case word == "<LINES":
				c.in, err = t.lines(t.count, false)
			case word == "<TENFOLD":
				c.in, err = t.lines(10*t.count, false)
			case word == "<KEYED":
				c.in, err = t.lines(t.count, true)
			case word == ">OUT":
				c.out = filepath.Join(t.work, "out")
			case c.args == nil:
				c.args, err = t.lookUp(ctx, word)
			default:
				c.args = append(c.args, word)
			}
			if err != nil {
				return nil, err
			}
		}
		commands = append(commands, c)
	}
	return commands, nil
}

// fill runs a command that fills the topic, and returns what is in it.
func (t *trial) fill(ctx context.Context, text string) (digest, error) {
	commands, err := t.parse(ctx, text)
	if err != nil {
		return digest{}, err
	}
	if _, err := t.run(ctx, commands[0]); err != nil {
		return digest{}, err
	}
	d, err := t.inTopic(ctx)
	if err == nil && d.Count != t.count {
		err = d.mustBe(digest{Count: t.count})
	}
	return d, err
}

// inTopic returns what is in the topic. Another process reads it: see bare.
func (t *trial) inTopic(ctx context.Context) (d digest, err error) {
	digested := command{args: append(slices.Clone(t.known["bare"]), "digest", t.topic), out: filepath.Join(t.work, "digest")}
	if _, err := t.run(ctx, digested); err != nil {
		return d, err
	}
	out, err := os.ReadFile(digested.out)
	if err != nil {
		return d, err
	}
	_, err = fmt.Sscan(string(out), &d.Count, &d.Sum)
	return d, err
}
