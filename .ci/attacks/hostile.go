package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/creack/pty"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// hostile are texts that change a terminal, or what a person reads on it.
var hostile = []string{
	"\x1b[31mred\x1b[2J\x1b[H",          // a colour, and an empty screen
	"\x1b]52;c;cm0gLXJmIH4K\x07",        // OSC 52: the clipboard
	"\x1b]0;title\x1b\\\x1b[21t",        // the title of the window, and its echo as typed text
	"\u009b31m\u009d52;c;eA==\u009c",    // the same with the control characters of C1
	"\x9b31m\x9d0;x\x9c",                // and of C1 in one byte
	"\u202etxt.exe\u2066\u2069\u200f",   // bidirectional: another order
	"safe\rproducer: 1 message\x08\x7f", // another text over this one
	"\x00\x07\x0e\x05\x1bc\x1bP+q544e\x1b\\",
	"two\nlines",
}

const lastValue = "the-last-message"

// hostileRecords has each text as a value, as a key and in a header, null values, and a message of a megabyte.
func hostileRecords(topic string) (all []*kgo.Record) {
	for _, text := range hostile {
		all = append(all, &kgo.Record{Value: []byte(text)},
			&kgo.Record{Key: []byte(text), Value: []byte("value")},
			&kgo.Record{Key: []byte(text)}, // a null value
			&kgo.Record{Value: []byte("value"), Headers: []kgo.RecordHeader{{Key: text, Value: []byte(text)}}})
	}
	const megabyte = 990_000 // with less than the limit of a batch
	large := strings.Repeat(strings.Join(hostile, " "), megabyte/len(strings.Join(hostile, " ")))
	all = append(all, &kgo.Record{}, &kgo.Record{Value: []byte(large)}, &kgo.Record{Value: []byte(lastValue)})
	for i, record := range all {
		record.Topic, record.Offset = topic, int64(i)
	}
	return all
}

const withAll = `%t %p %o [%k] %v %H %h{%k=%v }\n`

// shown is how a consumer prints a message into a pipe, as kgo.NewRecordFormatter has it.
var shown = map[string]string{
	"consumer":                     withAll,
	"commitoffsets/consumer":       withAll,
	"commitoffsets/consumercommit": `%v\nStart Storing\nEnd Storing\nMessage committed\n`,
	"consumergroup/consumer":       withAll,
	"consumergroup/share":          `partition %p, offset %o, key %k, value %v, delivery 1\n`,
}

// hostileMessages lets all consumers print hostile messages into a pipe and on a terminal, and uses the
// texts as names of groups and topics.
func hostileMessages(a *arena, f *findings) (string, error) {
	b, err := a.brokers()
	if err != nil {
		return "", err
	}
	defer b.close()
	var exact, screens atomic.Int64
	err = b.each(f, func(r *reading) error {
		records := hostileRecords(r.topic)
		send := func() error { return b.client.ProduceSync(a.ctx, hostileRecords(r.topic)...).FirstErr() }
		if shown[r.folder] == withAll {
			r.args += " -f FORMAT"
		}
		if err := r.start(nil); err != nil {
			return err
		}
		defer r.process.Kill()
		if err := send(); err != nil {
			return err
		}
		formatter, err := kgo.NewRecordFormatter(shown[r.folder])
		if err != nil {
			return err
		}
		var want []byte
		for _, record := range records {
			want = formatter.AppendRecord(want, record)
		}
		a.until("all messages are printed", func() bool { return len(r.process.Stdout.String()) >= len(want) })
		if got := r.process.Stdout.String(); got != string(want) {
			f.fail("%s into a pipe: %d bytes, not the %d that were sent", r.folder, len(got), len(want))
		}
		exact.Add(int64(len(want)))
		r.process.Signal(os.Interrupt)
		r.process.Wait(limit)

		// The next group begins at the end, or at the beginning.
		r.group = a.name("group")
		f.happened(len(records))
		n, err := r.onTerminal(f, r.arguments(r.topic, r.group), func() error { return send() }, lastValue)
		screens.Add(int64(n))
		if err != nil {
			return err
		}
		if r.topic, err = b.topic(1); err != nil {
			return err
		}
		for _, name := range hostile {
			f.happened(1)
			if strings.Contains(r.args, "GROUP") && !strings.Contains(name, "\x00") { // no argument can have a NUL
				n, err := r.onTerminal(f, r.arguments(r.topic, name+r.folder), func() error { return r.more(1) }, message(r.sent))
				screens.Add(int64(n))
				if err != nil {
					return err
				}
			}
			if !strings.Contains(name, "\x00") {
				n, err := r.onTerminal(f, r.arguments(name, r.group), func() error { return nil }, "hint: ")
				screens.Add(int64(n))
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
	return fmt.Sprintf("%d messages and names: %s bytes in pipes, all exact; %s bytes on terminals, 0 of them control characters or invisible",
		f.times, cli.Count(exact.Load()), cli.Count(screens.Load())), err
}

// onTerminal runs the consumer on a terminal. It sends messages when it reads, and waits for a text. It
// returns the number of bytes on the terminal, all of which must be harmless.
func (r *reading) onTerminal(f *findings, arguments []string, send func() error, until string) (int, error) {
	command := r.arena.command(r.auth, r.folder, arguments...)
	terminal, err := pty.Start(command)
	if err != nil {
		return 0, err
	}
	defer terminal.Close()
	kill := time.AfterFunc(limit, func() { command.Process.Kill() })
	defer kill.Stop()
	var text bytes.Buffer
	err = readUntil(terminal, &text, regexp.MustCompile(ready.String()+`|hint: `))
	if err == nil {
		err = send()
	}
	if err == nil {
		err = readUntil(terminal, &text, regexp.MustCompile(until))
	}
	command.Process.Signal(syscall.SIGINT)
	io.Copy(&text, terminal)
	command.Wait()
	if harmful := harmful(text.Bytes()); harmful != "" {
		f.fail("%s on a terminal: %s", r.folder, harmful)
	}
	return text.Len(), err
}

// harmful returns what a terminal must not get, or "".
func harmful(text []byte) string {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 || !unicode.IsPrint(r) && !strings.ContainsRune("\r\n\t", r) {
			return fmt.Sprintf("%q", text[max(0, at-20):min(len(text), at+20)])
		}
		at += size
	}
	return ""
}
