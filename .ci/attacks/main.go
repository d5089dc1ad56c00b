// Attacks breaks things around the programs: it kills them, takes their brokers, their disk or the reader
// of their output away, and sends them what nobody should. It counts what happens, and prints one table in
// Markdown. The exit status is 1 if a promise was broken.
//
// pkg/trial and classroom/judge compare what any program prints with what is in its topic. The attacks
// here know our programs, and what they promise.
//
// .ci/attack runs this program.
package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"sync"
	"time"

	"tkafka/pkg/cli"
)

// attack is a row of the table.
type attack struct {
	fault, on string
	// waits is whether it mostly waits. Such attacks run beside the others.
	waits bool
	// try performs the attack, and returns what it has counted. An error is why it could not be performed.
	try func(a *arena, f *findings) (counted string, err error)
}

var attacks = []attack{
	{"SIGTERM and SIGKILL at every stage of store and commit", "consumercommit", false, stops},
	{"all brokers dead for good", "all programs", true, dead},
	{"store time beyond the time-outs of session and rebalance", "consumercommit", true, slowStore},
	{"reader of standard output gone, /dev/full, terminal closed", "consumers", false, output},
	{"standard output blocked", "consumers", true, blocked},
	{"rolling restart of three real brokers", "producer and two members under load", false, func(*arena, *findings) (string, error) {
		return "", notTried(".ci/judge --auth creds/admin --docker restarts real brokers")
	}},
	{"1 GB line, 10 M empty lines, NULs, invalid UTF-8, no newline at the end, closed input", "producers", false, inputs},
	{"escape sequences, OSC 52, bidi, 1 MB, null values and headers in messages, group and topic names", "consumers", false, hostileMessages},
	{"SIGKILL of `enroll issue` at random moments; two at once", "enroll", false, killed},
	{"disk full", "enroll", false, classOnFullDisk},
	{"another authority in the middle, also with a resumed session; TLS 1.1", "all clients", false, authority},
	{"garbage, huge frames, slow loris, plain HTTP, 2,000 connections, no or foreign certificates", "classroom/cluster", false, hostilePeers},
	{"SIGKILL with `--data` at random moments", "classroom/cluster", false, clusterKilled},
	{"disk full", "classroom/cluster", false, clusterOnFullDisk},
	{"truncated files", "classroom/cluster", false, truncated},
}

// findings are what an attack has found. Several goroutines may add to them.
type findings struct {
	mu     sync.Mutex
	times  int      // how often the fault happened
	broken []string // promises
}

func (f *findings) happened(times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.times += times
}

// fail records a broken promise.
func (f *findings) fail(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = append(f.broken, fmt.Sprintf(format, args...))
}

const mostShown = 5

// notTried is the error of an attack that is not possible here.
type notTried string

func (n notTried) Error() string { return string(n) }

func main() {
	program := cli.New("attack", "Breaks things around the programs, and prints one table in Markdown of what happened.",
		".ci/attack --rows 'disk|SIGKILL'\n.ci/attack --short")
	short := program.Flags.Bool("short", false, "fewer repetitions, and no waiting: a minute instead of six")
	selected := program.Flags.String("rows", "", "only the faults that match `REGEXP`")
	program.Run(func(ctx context.Context, _ []string) error {
		pattern, err := regexp.Compile(*selected)
		if err != nil {
			return &cli.Misuse{Problem: "--rows: " + err.Error()}
		}
		var wanted []attack
		for _, one := range attacks {
			if pattern.MatchString(one.fault) {
				wanted = append(wanted, one)
			}
		}
		if len(wanted) == 0 {
			return &cli.Misuse{Problem: "no fault matches --rows " + *selected}
		}
		a, err := open(ctx, program, *short)
		if err != nil {
			return err
		}
		defer a.close()
		rows := a.perform(wanted)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return printTable(os.Stdout, rows)
	})
}

// perform performs the attacks, and returns a row for each. Those that wait run beside all others.
func (a *arena) perform(wanted []attack) []row {
	rows := make([]row, len(wanted))
	var all sync.WaitGroup
	one := func(i int) {
		f, began := &findings{}, time.Now()
		counted, err := wanted[i].try(a, f)
		rows[i] = newRow(wanted[i], f, counted, err, time.Since(began))
		a.program.Say("%s: %s, %.0f s", rows[i].fault, rows[i].result, rows[i].took.Seconds())
		for _, broken := range f.broken[:min(len(f.broken), mostShown)] {
			a.program.Say("  broken: %s", broken)
		}
	}
	for i, w := range wanted {
		if w.waits {
			all.Go(func() { one(i) })
		}
	}
	for i, w := range wanted {
		if !w.waits && a.ctx.Err() == nil {
			one(i)
		}
	}
	all.Wait()
	return rows
}
