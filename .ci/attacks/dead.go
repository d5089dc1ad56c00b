package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/process"
)

// patience is how long a program waits for a broker, as it states.
const patience = 2 * time.Minute

// linesAfter is how many lines a producer gets when no broker is there any more.
const linesAfter = 10

const whileCommitting = "consumercommit, committing"

// committing starts a consumercommit that will commit its message when the brokers are away.
func (b *brokers) committing() (*process.Process, error) {
	topic, err := b.topic(1)
	if err == nil {
		err = b.send(topic, "one")
	}
	if err != nil {
		return nil, err
	}
	p, err := b.start("commitoffsets/consumercommit", topic, b.arena.name("group"), "--store-time", "2s")
	if err == nil {
		_, err = p.Await(&p.Stdout, storing, limit)
	}
	return p, err
}

// dead takes all brokers away for ever. Programs that run must end within their patience, and those that
// start at once. In a short run, those that run are stopped before.
func dead(a *arena, f *findings) (string, error) {
	b, err := a.brokers()
	if err != nil {
		return "", err
	}
	defer b.close()
	running, err := b.startAll()
	if err != nil {
		return "", err
	}
	topic, err := b.topic(1)
	if err != nil {
		return "", err
	}
	typed := process.New(a.command(b.auth, "producer", topic))
	if err := typed.StartOnTerminal(24, 200); err != nil {
		return "", err
	}
	if err := typed.Type("first\n"); err != nil {
		return "", err
	}
	if _, err := typed.Await(&typed.Stdout, regexp.MustCompile(`offset 0`), limit); err != nil {
		return "", err
	}
	committing, err := b.committing()
	if err != nil {
		return "", err
	}
	for number := range b.Brokers() {
		if err := b.Kill(int32(number)); err != nil {
			return "", err
		}
	}
	died := time.Now()
	for _, folder := range producers {
		running[folder].Type(strings.Repeat("undelivered\n", linesAfter))
	}
	typed.Type("second\n")
	running["producer, typed"], running[whileCommitting] = typed, committing

	ended, starting := 0, 0
	var slowest time.Duration
	for folder, arguments := range a.clients("topic") {
		var stderr bytes.Buffer
		command := a.command(b.auth, folder, arguments...)
		command.Stderr = &stderr
		began := time.Now()
		command.Run()
		slowest = max(slowest, time.Since(began))
		f.happened(1)
		if command.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "cannot connect to localhost:") {
			f.fail("%s, started without brokers: status %d: %s", folder, command.ProcessState.ExitCode(), &stderr)
		}
		starting++
	}
	const atStart = 5 * time.Second // pkg/cluster, checkTime and the start of a program
	if slowest > atStart {
		f.fail("a program took %v to start and to fail", slowest)
	}
	if _, err := typed.Await(&typed.Stdout, regexp.MustCompile(`line 2 waits for its acknowledgement`), limit); err != nil {
		f.fail("the line that waits is not named: %s", typed.Stdout.String())
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	var last time.Duration
	undelivered := 0
	for folder, p := range running {
		all.Go(func() {
			status, text := 1, regexp.MustCompile(`no broker .*has answered for 2m0s`)
			lines := map[string]int{"producer": linesAfter, "consumergroup/producer": linesAfter, "producer, typed": 1}[folder]
			if lines > 0 {
				text = regexp.MustCompile(fmt.Sprintf("no acknowledgement for 2m0s: 1 message delivered, %d sent but not acknowledged", lines))
			} else if folder == whileCommitting {
				text = regexp.MustCompile("partition 0, offset 0 may be read again: " + text.String())
			}
			if a.short {
				status = 0
				text = regexp.MustCompile(`is unreachable: `)
				if lines > 0 {
					status, text = 1, regexp.MustCompile(fmt.Sprintf("1 message delivered, %d sent but not acknowledged", lines))
				}
				p.Signal(syscall.SIGTERM)
			}
			got, err := p.Wait(patience + 30*time.Second)
			took := time.Since(died)
			if err != nil {
				p.Kill()
			}
			output := p.Stderr.String() + p.Stdout.String()
			f.happened(1)
			if err != nil || got != status || !text.MatchString(output) {
				f.fail("%s: %v, status %d, no %q: %s", folder, err, got, text, output)
			}
			mu.Lock()
			defer mu.Unlock()
			ended++
			last = max(last, took)
			undelivered += lines
		})
	}
	all.Wait()
	how := fmt.Sprintf("%d running ones ended with status 1 and the reason, the last one after %.0f s", ended, last.Seconds())
	if a.short {
		how = fmt.Sprintf("%d running ones named the brokers, and ended after SIGTERM", ended)
	}
	return fmt.Sprintf("%d programs failed at their start after at most %.1f s; %s; %s undelivered lines counted; the typed line that waits was named",
		starting, slowest.Seconds(), how, cli.Count(undelivered)), nil
}
