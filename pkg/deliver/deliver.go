// Package deliver reads lines for a producer and reports whether each of them was delivered.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/lines"
	"tkafka/pkg/terminal"
)

const (
	prompt = "> "
	// mostReports is how many lines that were not delivered are reported one by one.
	mostReports = 10
	// Lines come from the reader in chunks: handing over single lines would cost more than sending them.
	chunkLines = 256
	chunkBytes = 64 << 10
	// chunksAhead is how far the reader may be ahead: with fewer, it waits for the client and back.
	chunksAhead = 8
)

// Input is standard input, line by line, with the result of each line.
type Input struct {
	// Typed is whether the lines are typed at a terminal: then each line is acknowledged before the
	// next prompt.
	Typed bool

	program *cli.Program
	cluster *cluster.Cluster
	client  *kgo.Client
	started time.Time
	visible bool // somebody watches standard error

	read, delivered, failed atomic.Int64    // lines
	offsets                 map[int32]int64 // the last one of each partition
	waiting                 waiting
	cause                   cause
	stopWatching            func()
	stop                    context.CancelFunc // end the reading
	end                     atomic.Pointer[error]
	gaveUp                  atomic.Bool
}

// Stdin returns standard input.
func Stdin(program *cli.Program, here *cluster.Cluster) *Input {
	cli.LimitMemory()
	return &Input{
		Typed:   terminal.Is(os.Stdin),
		program: program, cluster: here,
		started: time.Now(),
		visible: terminal.Is(os.Stderr),
		offsets: make(map[int32]int64),
		waiting: waiting{oldest: 1},
		stop:    func() {}, stopWatching: func() {},
	}
}

// Options are the options that the client of an input has, beside those in the program.
func (in *Input) Options() []kgo.Opt {
	// These versions name a topic by its name, and later ones by an ID. With IDs, franz-go refuses every
	// message for a topic that was deleted and created anew, until the program starts again. The embedded
	// cluster creates its topics anew at each start.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(kmsg.Metadata.Int16(), 9)
	versions.SetMaxKeyVersion(kmsg.Produce.Int16(), 12)
	return append(in.cluster.Options(), kgo.MaxVersions(versions), kgo.WithLogger(&in.cause),
		// compression.type=none, the default of other clients. Brokers have to decompress each batch to check it.
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.UnknownTopicRetries(10)) // about three seconds: a topic may be missing while it is created anew
}

// Lines yields each line with its number, from 1, until the input or ctx ends. It also ends after a
// failure that would be the answer to every later line, such as a right that was taken away. The
// bytes of a line stay valid and unchanged. Send each line with the client, and call Acknowledged
// once for it.
func (in *Input) Lines(ctx context.Context, client *kgo.Client) iter.Seq2[int64, []byte] {
	in.client = client
	return func(yield func(int64, []byte) bool) {
		if terminal.Closed(os.Stdin) {
			in.fail(cli.WithHint(errors.New("standard input is closed"), "in a container, use docker run -i"))
			return
		}
		ctx, in.stop = context.WithCancel(ctx)
		defer in.stop()
		in.stopWatching = in.watchWaiting()
		if in.visible && !in.Typed {
			defer in.showProgress()()
		}
		// A goroutine reads, because nothing can interrupt a read: a signal must end the program even
		// when nobody types.
		wanted, chunks := make(chan struct{}), make(chan chunk, chunksAhead)
		go in.readAll(ctx, wanted, chunks)
		for {
			if in.Typed {
				in.client.Flush(ctx) // sends the last line now, and waits for its acknowledgement
				select {
				case wanted <- struct{}{}:
				case <-chunks: // closed: the input has ended
					return
				case <-ctx.Done():
					return
				}
			}
			var next chunk
			more := false
			select {
			case next, more = <-chunks:
			case <-ctx.Done():
			}
			if !more {
				return
			}
			for i, line := range next.lines {
				in.read.Add(1)
				in.waiting.sent.Store(next.numbers[i])
				if !yield(next.numbers[i], line) || ctx.Err() != nil {
					return
				}
			}
		}
	}
}

// chunk is some lines, with the number of each.
type chunk struct {
	bytes   []byte // of these lines, with space for more
	lines   [][]byte
	numbers []int64
}

// add copies the line into the chunk. An empty line is an empty slice and not nil: as the value of a
// message, nil would be Kafka's null, which deletes a key in a compacted topic.
func (c *chunk) add(number int64, line []byte) {
	if cap(c.bytes)-len(c.bytes) < len(line) || c.bytes == nil {
		c.bytes = make([]byte, 0, max(chunkBytes, len(line)))
	}
	from := len(c.bytes)
	c.bytes = append(c.bytes, line...)
	c.lines = append(c.lines, c.bytes[from:len(c.bytes):len(c.bytes)])
	c.numbers = append(c.numbers, number)
}

// following returns an empty chunk, for which the space is used that is left in this one.
func (c *chunk) following() chunk {
	left := c.bytes[len(c.bytes):]
	return chunk{bytes: left, lines: make([][]byte, 0, chunkLines), numbers: make([]int64, 0, chunkLines)}
}

func (c *chunk) full() bool { return len(c.lines) == chunkLines || len(c.bytes) >= chunkBytes }

// readAll reads until the input or ctx ends. At a terminal, it reads a line when one is wanted.
func (in *Input) readAll(ctx context.Context, wanted <-chan struct{}, chunks chan<- chunk) {
	defer close(chunks)
	limit := int(in.client.OptValue(kgo.ProducerBatchMaxBytes).(int32))
	reader := lines.NewReader(os.Stdin, limit)
	var next chunk
	number := int64(0)
	for ended := false; !ended; {
		if in.Typed {
			select {
			case <-wanted:
			case <-ctx.Done():
				return
			}
			if in.visible {
				in.program.Bottom(prompt)
			}
		}
		line, err := reader.Next()
		if in.Typed && err == nil {
			in.program.Entered()
		}
		switch {
		case err == nil:
			number++
			next.add(number, line)
		case errors.Is(err, lines.ErrTooLong):
			number++
			in.read.Add(1)
			in.waiting.answer(number)
			in.report(number, cli.WithHint(fmt.Errorf("longer than %s bytes", cli.Count(limit)),
				"this is the client's limit for a message (batch.size)"))
		default:
			ended = true
			if err != io.EOF {
				in.fail(fmt.Errorf("cannot read standard input: %w", err))
			}
		}
		if in.Typed || ended || next.full() || !reader.Ready() {
			select {
			case chunks <- next:
			case <-ctx.Done():
				return
			}
			next = next.following()
		}
	}
}

// Acknowledged counts a line that the brokers have acknowledged, or reports why they have not. The
// client calls it for one message after the other.
func (in *Input) Acknowledged(number int64, message *kgo.Record, err error) {
	in.waiting.answer(number)
	switch {
	case err == nil:
		in.delivered.Add(1)
		in.checkOffset(message)
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		// The program ends: Result reports the number of these lines.
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		// Every later line would get the same answer.
		in.fail(fmt.Errorf("line %d: %w", number, in.explain(err)))
	default:
		in.report(number, in.explain(err))
	}
}

// checkOffset reports a partition that begins again. In a topic that was created anew, the others do so too.
func (in *Input) checkOffset(message *kgo.Record) {
	last, known := in.offsets[message.Partition]
	if known && message.Offset <= last {
		in.program.Say("topic %s was created anew, or has lost messages: partition %d is at offset %d, after offset %d",
			message.Topic, message.Partition, message.Offset, last)
		clear(in.offsets)
	}
	in.offsets[message.Partition] = message.Offset
}

func (in *Input) explain(err error) error {
	return in.cluster.Explain(err, "topic "+in.client.OptValue(kgo.DefaultProduceTopic).(string))
}

// fail ends the reading for this reason. Only the first one counts.
func (in *Input) fail(err error) {
	in.end.CompareAndSwap(nil, &err)
	in.stop()
}

// report reports that a line was not delivered: the first few one by one.
func (in *Input) report(number int64, err error) {
	switch n := in.failed.Add(1); {
	case n <= mostReports:
		in.program.Report(fmt.Errorf("line %d is not delivered: %w", number, err))
	case n == mostReports+1:
		in.program.Say("more lines are not delivered; they are only counted, at the end")
	}
}

// Result prints how many lines were delivered. It returns an error unless all were. Call it when
// the client has flushed.
func (in *Input) Result() error {
	in.stopWatching()
	in.program.Bottom("")
	read, delivered := in.read.Load(), in.delivered.Load()
	if end := in.end.Load(); end != nil {
		if read == 0 {
			return *end
		}
		return fmt.Errorf("%w; %s delivered, %s not", *end, count(delivered), cli.Count(read-delivered))
	}
	if sent := in.unanswered(); sent > 0 {
		counts := fmt.Sprintf("%s delivered, %s sent but not acknowledged", count(delivered), cli.Count(sent))
		if in.gaveUp.Load() {
			return cli.WithHint(fmt.Errorf("no acknowledgement for %v: %s", patience, counts),
				"some of these messages may be in the topic: read it before you send the lines again")
		}
		return errors.New("stopped: " + counts)
	}
	if failed := in.failed.Load(); failed > 0 {
		return fmt.Errorf("%s delivered, %s not", count(delivered), cli.Count(failed))
	}
	took := time.Since(in.started)
	if took < time.Second {
		in.program.Say("%s delivered in %d ms", count(delivered), took.Milliseconds())
	} else {
		in.program.Say("%s delivered in %.1f s", count(delivered), took.Seconds())
	}
	return nil
}

// unanswered is the number of lines that the brokers have neither acknowledged nor refused.
func (in *Input) unanswered() int64 { return in.read.Load() - in.delivered.Load() - in.failed.Load() }

// showProgress keeps the number of delivered messages on the last line of the terminal.
func (in *Input) showProgress() (stop func()) {
	ticker := time.NewTicker(200 * time.Millisecond)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				in.program.Bottom(count(in.delivered.Load()) + " delivered")
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-ended
	}
}

func count(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return cli.Count(n) + " messages"
}
