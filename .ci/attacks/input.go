package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// input is what a producer gets on its standard input.
type input struct {
	name      string
	text      func() io.Reader
	delivered int    // messages that must be in the topic
	exact     []byte // the messages and a zero byte after each; nil if only their number matters
	reported  string // what standard error must have; "" for nothing but the number of messages
	status    int
}

// repeated is so many bytes of one kind.
type repeated struct {
	b    byte
	left int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := min(len(p), r.left)
	for i := range n {
		p[i] = r.b
	}
	r.left -= n
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func text(s string) func() io.Reader { return func() io.Reader { return strings.NewReader(s) } }

// inputs sends the producers what nobody types. Each line must be delivered or reported, in limited memory.
func inputs(a *arena, f *findings) (string, error) {
	b, err := a.brokers()
	if err != nil {
		return "", err
	}
	defer b.close()
	long, empty := a.times(1_000_000_000, 100_000_000), a.times(10_000_000, 1_000_000)
	list := []input{
		{"a line of " + cli.Count(long/1_000_000) + " MB", func() io.Reader {
			return io.MultiReader(strings.NewReader("before\n"), &repeated{'x', long}, strings.NewReader("\nafter\n"))
		}, 2, []byte("before\x00after\x00"), `line 2 is not delivered: longer than`, 1},
		{cli.Count(empty) + " empty lines", func() io.Reader { return &repeated{'\n', empty} }, empty, nil, "", 0},
		{"NULs", text("a\x00b\n\x00\x00\x00\n"), 2, nil, "", 0},
		{"invalid UTF-8", text("\xff\xfe\n\xc0\xaf\xed\xa0\x80\n"), 2, []byte("\xff\xfe\x00\xc0\xaf\xed\xa0\x80\x00"), "", 0},
		{"no newline at the end", text("one\ntwo"), 2, []byte("one\x00two\x00"), "", 0},
		{"a megabyte of \\r without a line end", func() io.Reader { return &repeated{'\r', 500_000} }, 1, nil, "", 0},
		{"empty input", text(""), 0, nil, "", 0},
		{"closed input", nil, 0, nil, "standard input is closed", 1},
	}
	delivered, reported, most := 0, 0, 0
	for _, folder := range producers {
		for _, in := range list {
			topic, err := b.topic(1)
			if err != nil {
				return "", err
			}
			command := a.command(b.auth, folder, topic)
			var stderr bytes.Buffer
			command.Stderr = &stderr
			if in.text != nil {
				command.Stdin = in.text()
			} else {
				command.Path, command.Args = "/bin/sh", []string{"sh", "-c", `exec "$0" "$@" <&-`, command.Path, topic}
			}
			if err := command.Start(); err != nil {
				return "", err
			}
			ended := make(chan struct{})
			used := peakMemory(command.Process.Pid, ended)
			command.Wait()
			close(ended)
			f.happened(1)
			at := folder + ", " + in.name
			if status := command.ProcessState.ExitCode(); status != in.status {
				f.fail("%s: status %d, not %d: %s", at, status, in.status, &stderr)
			}
			if in.reported != "" {
				reported++
				if !strings.Contains(stderr.String(), in.reported) {
					f.fail("%s: no %q in %s", at, in.reported, &stderr)
				}
			}
			there := b.ends(topic)
			delivered += int(there)
			if there != int64(in.delivered) {
				f.fail("%s: %d messages, not %d", at, there, in.delivered)
			}
			if n, ok := reportedNumber(stderr.String()); ok && n != there {
				f.fail("%s: it reported %d messages, and %d are there", at, n, there)
			}
			if in.exact != nil {
				if got := b.read(topic, in.delivered); !bytes.Equal(got, in.exact) {
					f.fail("%s: %q in the topic, not %q", at, got, in.exact)
				}
			}
			peak := <-used
			most = max(most, peak)
			if peak > mostMemory {
				f.fail("%s: %d MiB of memory", at, peak)
			}
			b.admin.DeleteTopics(a.ctx, topic)
		}
	}
	return fmt.Sprintf("%d inputs, with a line of %s MB and %s empty lines: %s messages delivered, %d problems reported, 0 without a report; at most %d MiB of memory",
		f.times, cli.Count(long/1_000_000), cli.Count(empty), cli.Count(delivered), reported, most), nil
}

// mostMemory is what a program may use, in MiB.
const mostMemory = 200

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory watches a process until it has ended, and then returns its peak memory in MiB. The kernel
// counts the memory of this process for the children, too, so wait4 does not know it.
func peakMemory(pid int, ended <-chan struct{}) <-chan int {
	most := make(chan int, 1)
	go func() {
		last := 0
		for tick := time.Tick(10 * time.Millisecond); ; {
			status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if match := peak.FindSubmatch(status); match != nil {
				last, _ = strconv.Atoi(string(match[1]))
			}
			select {
			case <-ended:
				most <- last >> 10
				return
			case <-tick:
			}
		}
	}()
	return most
}

var reportedCount = regexp.MustCompile(`([\d,]+) messages? delivered`)

func reportedNumber(text string) (int64, bool) {
	match := reportedCount.FindStringSubmatch(text)
	if match == nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(match[1], ",", ""), 10, 64)
	return n, err == nil
}

// read returns the messages of a topic with one partition, and a zero byte after each.
func (b *brokers) read(topic string, n int) (all []byte) {
	client, err := b.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil
	}
	defer client.Close()
	for n > 0 && b.arena.ctx.Err() == nil {
		for _, record := range client.PollFetches(b.arena.ctx).Records() {
			all = append(append(all, record.Value...), 0)
			n--
		}
	}
	return all
}
