package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"tkafka/pkg/process"
)

// eventTime is the limit for one thing that a program does at once, or when a group is ready.
const eventTime = time.Minute

// sends measures a producer. The topic must then have the lines of its input.
func sends(ctx context.Context, t *trial) (result, error) {
	return sent(ctx, t, t.commands[0].in, false)
}

// sendsKeyed measures a producer. The topic must then have the lines with their numbers as keys.
func sendsKeyed(ctx context.Context, t *trial) (result, error) {
	keyed, err := t.lines(t.count, true)
	if err != nil {
		return result{}, err
	}
	return sent(ctx, t, keyed, true)
}

func sent(ctx context.Context, t *trial, input string, keys bool) (result, error) {
	want, err := digestFile(input, keys)
	if err != nil {
		return result{}, err
	}
	used, err := t.run(ctx, t.commands[0])
	if err != nil {
		return used, err
	}
	got, err := t.inTopic(ctx)
	if err != nil {
		return used, err
	}
	return used, got.mustBe(want)
}

// reads measures a consumer. Its output must be what is in the topic.
func reads(ctx context.Context, t *trial) (result, error) {
	used, err := t.run(ctx, t.commands[0])
	if err != nil {
		return used, err
	}
	defer os.Remove(t.commands[0].out)
	got, err := digestFile(t.commands[0].out, false)
	if err != nil {
		return used, err
	}
	return used, got.mustBe(t.want)
}

var acknowledgement = regexp.MustCompile(`partition \d+, offset \d+`)

// acknowledged measures the time from Enter to the line "partition N, offset M". The topic must then
// have all lines.
func acknowledged(ctx context.Context, t *trial) (used result, err error) {
	producer, err := t.start(ctx, t.commands[0], true)
	if err != nil {
		return used, err
	}
	defer producer.Kill()
	want, err := t.typeLines(producer, &used, func(string) error {
		return await(producer, &producer.Stdout, acknowledgement)
	})
	if err != nil {
		return used, err
	}
	if err := end(producer); err != nil {
		return used, err
	}
	got, err := t.inTopic(ctx)
	if err != nil {
		return used, err
	}
	return used, got.mustBe(want)
}

// printed measures the time from Enter at a producer until a consumer prints the line. The consumer
// waits for messages before the first line is typed.
func printed(ctx context.Context, t *trial) (used result, err error) {
	consumer, err := t.start(ctx, t.commands[1], true)
	if err != nil {
		return used, err
	}
	defer consumer.Kill()
	if err := await(consumer, &consumer.Stdout, assigned(partitions)); err != nil {
		return used, err
	}
	producer, err := t.start(ctx, t.commands[0], true)
	if err != nil {
		return used, err
	}
	defer producer.Kill()
	_, err = t.typeLines(producer, &used, func(line string) error {
		return await(consumer, &consumer.Stdout, regexp.MustCompile(line+`\r?\n`))
	})
	if err != nil {
		return used, err
	}
	return used, stop(consumer)
}

// typeLines types lines, and measures the time until done returns. The first line waits for the start of
// the program, too, so its time does not count.
func (t *trial) typeLines(producer *process.Process, used *result, done func(line string) error) (typed digest, err error) {
	for number := range t.count + 1 {
		line := fmt.Sprintf("line %d of %d", number, t.count)
		started := time.Now()
		if err := producer.Type(line + "\n"); err != nil {
			return typed, err
		}
		if err := done(line); err != nil {
			return typed, incomplete(fmt.Sprintf("%d of %d lines: %v", max(0, number-1), t.count, err))
		}
		if number > 0 {
			used.took = append(used.took, time.Since(started))
		}
		typed.add(nil, []byte(line))
	}
	return typed, nil
}

// firstMessage measures the time from the start of a consumer to the first message on its terminal.
func firstMessage(ctx context.Context, t *trial) (result, error) {
	return untilPrinted(ctx, t, true, `(^|\n)\d{8} [a-z ]+\r\n`, ended)
}

// untilPrinted measures the time from the start of a program until it prints the pattern.
func untilPrinted(ctx context.Context, t *trial, onTerminal bool, pattern string, end func(*process.Process) error) (
	used result, err error,
) {
	started := time.Now()
	p, err := t.start(ctx, t.commands[0], onTerminal)
	if err != nil {
		return used, err
	}
	defer p.Kill()
	if err := await(p, &p.Stdout, regexp.MustCompile(pattern)); err != nil {
		return used, err
	}
	used.took = append(used.took, time.Since(started))
	return used, end(p)
}

// joins measures the time from the start of a second member until each has half of the partitions.
func joins(ctx context.Context, t *trial) (result, error) {
	joined, _, err := rebalances(ctx, t)
	return result{took: []time.Duration{joined}}, err
}

// leaves measures the time from Ctrl-C at a member until the other has all partitions.
func leaves(ctx context.Context, t *trial) (result, error) {
	_, left, err := rebalances(ctx, t)
	return result{took: []time.Duration{left}}, err
}

func rebalances(ctx context.Context, t *trial) (joined, left time.Duration, err error) {
	first, err := t.start(ctx, t.commands[0], false)
	if err != nil {
		return 0, 0, err
	}
	defer first.Kill()
	if err := await(first, &first.Stderr, assigned(partitions)); err != nil {
		return 0, 0, err
	}
	started := time.Now()
	second, err := t.start(ctx, t.commands[1], false)
	if err != nil {
		return 0, 0, err
	}
	defer second.Kill()
	for _, member := range []*process.Process{first, second} {
		if err := await(member, &member.Stderr, assigned(partitions/2)); err != nil {
			return 0, 0, err
		}
	}
	joined = time.Since(started)
	started = time.Now()
	if err := second.Signal(os.Interrupt); err != nil {
		return 0, 0, err
	}
	if err := await(first, &first.Stderr, assigned(partitions)); err != nil {
		return 0, 0, err
	}
	left = time.Since(started)
	if err := ended(second); err != nil {
		return 0, 0, err
	}
	return joined, left, stop(first)
}

// stored measures members that store and commit one message at a time. They share the partitions before
// the first message is sent. At the end, the committed offsets must include all messages.
func stored(ctx context.Context, t *trial) (used result, err error) {
	var members []*process.Process
	var committed atomic.Int64
	finished := make(chan time.Time, 1)
	for _, c := range t.commands {
		member := process.New(t.exec(ctx, c))
		member.Stdout.OnLine = func(line string) {
			if line == "Message committed" && committed.Add(1) == int64(t.count) {
				finished <- time.Now()
			}
		}
		if err := member.Start(); err != nil {
			return used, err
		}
		defer member.Kill()
		members = append(members, member)
	}
	for _, member := range members {
		if err := await(member, &member.Stderr, assigned(partitions/len(members))); err != nil {
			return used, err
		}
	}
	send, err := t.parse(ctx, "bare produce-spread TOPIC <LINES")
	if err != nil {
		return used, err
	}
	started := time.Now()
	if _, err := t.run(ctx, send[0]); err != nil {
		return used, err
	}
	select {
	case at := <-finished:
		used.took = append(used.took, at.Sub(started))
	case <-ctx.Done():
		return used, ctx.Err()
	case <-time.After(timeLimit):
		return used, incomplete(fmt.Sprintf("%d of %d committed after %v", committed.Load(), t.count, timeLimit))
	}
	for _, member := range members {
		if err := stop(member); err != nil {
			return used, err
		}
	}
	offsets, err := t.admin.FetchOffsets(ctx, t.group)
	if err != nil {
		return used, err
	}
	sum := int64(0)
	for _, offset := range offsets[t.topic] {
		sum += max(0, offset.At-1) // the log begins at 1: see warmTopic
	}
	return used, digest{Count: int(sum)}.mustBe(digest{Count: t.count})
}

// tour measures a command to its end. Its output must be that of a tour without a failed check.
func tour(ctx context.Context, t *trial) (result, error) {
	used, err := t.run(ctx, t.commands[0])
	if err != nil {
		return used, err
	}
	out, err := os.ReadFile(t.commands[0].out)
	if err == nil && !regexp.MustCompile(`All \d+ checks`).Match(out) {
		err = incomplete(lastLine(string(out)))
	}
	return used, err
}

// clusterReady measures the time until the cluster prints the addresses of its three brokers.
func clusterReady(ctx context.Context, t *trial) (result, error) {
	return untilPrinted(ctx, t, false, `^\S+:\d+,\S+:\d+,\S+:\d+\n`, stop)
}

// assigned matches the line about so many partitions, of our members and of Python's.
func assigned(partitions int) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf(`assigned %d .*\n`, partitions))
}

func await(p *process.Process, from *process.Output, pattern *regexp.Regexp) error {
	if _, err := p.Await(from, pattern, eventTime); err != nil {
		return incomplete(fmt.Sprintf("%v; the last line is %q", err, lastLine(p.Stdout.String()+p.Stderr.String())))
	}
	return nil
}

// end closes the input of a program, stop types Ctrl-C, and both wait for its end.
func end(p *process.Process) error {
	p.CloseInput()
	return ended(p)
}

func stop(p *process.Process) error {
	p.Signal(os.Interrupt)
	return ended(p)
}

func ended(p *process.Process) error {
	status, err := p.Wait(eventTime)
	if err == nil && status != 0 {
		err = fmt.Errorf("exit status %d: %s", status, strings.TrimSpace(lastLine(p.Stdout.String()+p.Stderr.String())))
	}
	return err
}
