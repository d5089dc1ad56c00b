package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/creack/pty"

	"tkafka/pkg/group"
	"tkafka/pkg/process"
)

// ready matches the line with which a consumer reports that it reads.
var ready = regexp.MustCompile(group.Assigned.String() + `|joined share group`)

var ownGroup = regexp.MustCompile(`new group (commitoffsets-\w+)`)

// reading is a consumer that reads a topic of its own, with one partition.
type reading struct {
	*brokers
	reader
	f            *findings
	topic, group string
	sent         int
	process      *process.Process
}

func (b *brokers) reading(r reader, f *findings) (*reading, error) {
	topic, err := b.topic(1)
	return &reading{brokers: b, reader: r, f: f, topic: topic, group: b.arena.name("group")}, err
}

// start starts the consumer, with this file as its standard output, and waits until it reads.
func (r *reading) start(out *os.File) error {
	line := append([]string{r.arena.executable(r.folder)}, r.arguments(r.topic, r.group)...)
	command := r.arena.command(r.auth, r.folder)
	if out != nil { // a Process collects the standard output itself
		line = append([]string{"sh", "-c", `exec "$0" "$@" >&3 3>&-`}, line...)
		command.ExtraFiles = []*os.File{out}
	}
	path, err := exec.LookPath(line[0])
	if err != nil {
		return err
	}
	command.Path, command.Args = path, line
	r.process = process.New(command)
	if err := r.process.Start(); err != nil {
		return err
	}
	_, err = r.process.Await(&r.process.Stderr, ready, limit)
	if match := ownGroup.FindStringSubmatch(r.process.Stderr.String()); match != nil {
		r.group = match[1]
	}
	return err
}

// more sends messages to the topic.
func (r *reading) more(n int) error {
	var values []string
	for range n {
		values = append(values, message(r.sent))
		r.sent++
	}
	return r.send(r.topic, values...)
}

func message(n int) string { return fmt.Sprintf("message-%03d", n) }

// printed is how many different messages are in the outputs.
func (r *reading) printed(outputs ...string) (n int) {
	all := strings.Join(outputs, "\n")
	for i := range r.sent {
		if strings.Contains(all, message(i)) {
			n++
		}
	}
	return n
}

// ended waits for the end of the consumer, and checks its status, its group and its committed offset.
func (r *reading) ended(fault string, status, printed int) error {
	got, err := r.process.Wait(limit)
	if err != nil {
		r.process.Kill()
		r.f.fail("%s, %s: %v", r.folder, fault, err)
		return nil
	}
	r.f.happened(1)
	if got != status {
		r.f.fail("%s, %s: status %d, not %d: %s", r.folder, fault, got, status, r.process.Stderr.String())
	}
	if status == 0 && strings.Contains(r.process.Stderr.String(), "panic") {
		r.f.fail("%s, %s: %s", r.folder, fault, r.process.Stderr.String())
	}
	if len(r.members(r.group)) > 0 {
		r.f.fail("%s, %s: it is still in its group", r.folder, fault)
	}
	if committed := r.committed(r.group, r.topic); committed > int64(printed) {
		r.f.fail("%s, %s: committed offset %d, and %d messages printed", r.folder, fault, committed, printed)
	}
	return nil
}

// again starts the consumer again. It must print what nobody has read.
func (r *reading) again(fault string, before string) error {
	if !strings.Contains(r.args, "GROUP") {
		return nil // each start is a new group
	}
	if err := r.start(nil); err != nil {
		return err
	}
	err := r.arena.until("all messages are printed", func() bool {
		return r.printed(before, r.process.Stdout.String()) == r.sent
	})
	if err != nil {
		r.f.fail("%s, %s: %d of %d messages came: %v", r.folder, fault, r.printed(before, r.process.Stdout.String()), r.sent, err)
	}
	r.process.Signal(os.Interrupt)
	_, err = r.process.Wait(limit)
	return err
}

// each runs an attack for each consumer, all at the same time.
func (b *brokers) each(f *findings, attack func(r *reading) error) error {
	errs := make([]error, len(readers))
	var all sync.WaitGroup
	for i, one := range readers {
		r, err := b.reading(one, f)
		if err != nil {
			return err
		}
		all.Go(func() {
			if err := attack(r); err != nil {
				errs[i] = fmt.Errorf("%s: %w", r.folder, err)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// output takes the reader of the output away, fills the disk below it, and closes the terminal.
func output(a *arena, f *findings) (string, error) {
	b, err := a.brokers()
	if err != nil {
		return "", err
	}
	defer b.close()
	for range a.times(4, 1) {
		for _, attack := range []func(*reading) error{readerGone, diskFull, terminalClosed} {
			if err := b.each(f, attack); err != nil {
				return "", err
			}
		}
	}
	return fmt.Sprintf("%d ends of 5 programs: status 0 without a reader or a terminal, status 1 on /dev/full; "+
		"all left their group, 0 unprinted messages were committed", f.times), nil
}

func readerGone(r *reading) error {
	const fault = "reader gone"
	reading, writing, err := os.Pipe()
	if err != nil {
		return err
	}
	err = r.start(writing)
	writing.Close()
	if err != nil {
		return err
	}
	if err := r.more(1); err != nil {
		return err
	}
	text := make([]byte, 1000)
	n, err := reading.Read(text)
	syscall.ForkLock.RLock() // a process that starts has all our files for a moment
	reading.Close()
	syscall.ForkLock.RUnlock()
	if err != nil {
		return err
	}
	if err := r.more(20); err != nil {
		return err
	}
	if err := r.ended(fault, 0, 1); err != nil {
		return err
	}
	return r.again(fault, string(text[:n]))
}

func diskFull(r *reading) error {
	const fault = "/dev/full"
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return notTried("this system has no /dev/full")
	}
	err = r.start(full)
	full.Close()
	if err != nil {
		return err
	}
	if err := r.more(20); err != nil {
		return err
	}
	if err := r.ended(fault, 1, 0); err != nil {
		return err
	}
	if text := r.process.Stderr.String(); !strings.Contains(text, "no space left on device") {
		r.f.fail("%s, %s: %s", r.folder, fault, text)
	}
	return r.again(fault, "")
}

func terminalClosed(r *reading) error {
	const fault = "terminal closed"
	command := r.arena.command(r.auth, r.folder, r.arguments(r.topic, r.group)...)
	terminal, err := pty.Start(command)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := readUntil(terminal, &text, ready); err != nil {
		return err
	}
	if match := ownGroup.FindStringSubmatch(text.String()); match != nil {
		r.group = match[1]
	}
	if err := r.more(1); err != nil {
		return err
	}
	if err := readUntil(terminal, &text, regexp.MustCompile(message(0))); err != nil {
		return err
	}
	terminal.Close()
	if err := r.more(20); err != nil {
		return err
	}
	kill := time.AfterFunc(limit, func() { command.Process.Kill() })
	command.Wait()
	kill.Stop()
	r.f.happened(1)
	if status := command.ProcessState.ExitCode(); status != 0 {
		r.f.fail("%s, %s: status %d", r.folder, fault, status)
	}
	if len(r.members(r.group)) > 0 {
		r.f.fail("%s, %s: it is still in its group", r.folder, fault)
	}
	if committed := r.committed(r.group, r.topic); committed > 1 {
		r.f.fail("%s, %s: committed offset %d, and 1 message printed", r.folder, fault, committed)
	}
	return r.again(fault, text.String())
}

// readUntil reads from a terminal until the text matches.
func readUntil(terminal *os.File, text *bytes.Buffer, pattern *regexp.Regexp) error {
	terminal.SetReadDeadline(time.Now().Add(limit))
	for chunk := make([]byte, 4096); !pattern.Match(text.Bytes()); {
		n, err := terminal.Read(chunk)
		text.Write(chunk[:n])
		if err != nil {
			return fmt.Errorf("%w: %s", err, text)
		}
	}
	return nil
}

// blocked stops to read the output for a minute. The consumer must wait, and lose nothing.
func blocked(a *arena, f *findings) (string, error) {
	b, err := a.brokers()
	if err != nil {
		return "", err
	}
	defer b.close()
	const fault = "pipe blocked"
	pause := time.Duration(a.times(60, 2)) * time.Second
	const messages = 50
	var came atomic.Int64
	err = b.each(f, func(r *reading) error {
		reading, writing, err := os.Pipe()
		if err != nil {
			return err
		}
		defer reading.Close()
		size, err := pipeSize(writing)
		if err != nil {
			return err
		}
		filler := bytes.Repeat([]byte{'\n'}, size)
		if _, err := writing.Write(filler); err != nil {
			return err
		}
		err = r.start(writing)
		writing.Close()
		if err != nil {
			return err
		}
		if err := r.more(messages); err != nil {
			return err
		}
		select {
		case <-r.process.Ended():
			f.fail("%s, %s: it ended with status %d: %s", r.folder, fault, r.process.Status(), r.process.Stderr.String())
			return nil
		case <-time.After(pause):
		}
		if committed := r.committed(r.group, r.topic); committed > 0 {
			f.fail("%s, %s: committed offset %d, and nothing printed", r.folder, fault, committed)
		}
		if len(r.members(r.group)) != 1 {
			f.fail("%s, %s: it is not in its group any more", r.folder, fault)
		}
		var text bytes.Buffer
		if err := readUntil(reading, &text, regexp.MustCompile(message(messages-1))); err != nil {
			return err
		}
		go readUntil(reading, new(bytes.Buffer), regexp.MustCompile(`^never$`)) // what comes behind it
		if n := r.printed(text.String()); n != messages {
			f.fail("%s, %s: %d of %d messages came", r.folder, fault, n, messages)
		}
		came.Add(int64(r.printed(text.String())))
		r.process.Signal(os.Interrupt)
		return r.ended(fault, 0, messages)
	})
	return fmt.Sprintf("%d programs waited for %v: all %d messages came then, 0 were committed before", f.times, pause, came.Load()), err
}

// pipeSize makes a pipe small, and returns its size in bytes.
func pipeSize(pipe *os.File) (size int, err error) {
	const setPipeSize = 1031 // F_SETPIPE_SZ of Linux
	raw, err := pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	var number syscall.Errno
	err = raw.Control(func(fd uintptr) {
		n, _, e := syscall.Syscall(syscall.SYS_FCNTL, fd, setPipeSize, 4096)
		size, number = int(n), e
	})
	if err == nil && number != 0 {
		err = number
	}
	return size, err
}
