// Package deliver sends the lines of standard input as messages and sees each of them delivered.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/lines"
	"tkafka/pkg/terminal"
)

const (
	prompt = "> "
	// mostReports is how many lines that were not delivered are told one by one.
	mostReports = 10
	// finishTime is what is left of cli.LeaveTime for the messages on their way.
	finishTime = cli.LeaveTime / 2
)

// delivery is one run of Lines.
type delivery struct {
	program *cli.Program
	cluster *cluster.Cluster
	client  *kgo.Client
	topic   string
	mark    func(*kgo.Record)
	pool    pool

	started              time.Time
	accepted             atomic.Int64 // lines read
	delivered, failed    atomic.Int64
	turn                 chan struct{} // full while a line that was read is handed to the client
	refused              chan *message // batches the broker found too large; see resend
	fatal                context.CancelCauseFunc
	interactive, verbose bool // lines are typed; somebody watches standard error
}

// Lines sends each line of standard input to the client's topic (kgo.DefaultProduceTopic) until
// input ends or the context does, and returns when all that was read is delivered or reported. A
// line is the value of its message, byte for byte; mark may be nil and sets what else the message
// has, its key above all.
//
// Typed lines are sent one by one: the next prompt comes after the broker's acknowledgement, and
// standard error tells where the message went. Lines from a file or a pipe are sent as fast as they
// are acknowledged, in memory that kgo.MaxBufferedBytes bounds.
//
// A line that is refused is reported with its number and the rest is sent. A refusal that holds for
// all later lines, too, such as a right that was taken away, ends it. Either way the error says how
// many were and were not delivered.
func Lines(ctx context.Context, program *cli.Program, here *cluster.Cluster, client *kgo.Client,
	mark func(*kgo.Record)) error {
	if closed(os.Stdin) {
		return errors.New("standard input is closed: there is nothing to read lines from" +
			" (in a container: docker run -i)")
	}
	reading, fatal := context.WithCancelCause(ctx)
	defer fatal(nil)
	d := &delivery{
		program: program, cluster: here, client: client, mark: mark, fatal: fatal,
		topic:       client.OptValue(kgo.DefaultProduceTopic).(string),
		started:     time.Now(),
		turn:        make(chan struct{}, 1),
		refused:     make(chan *message, client.OptValue(kgo.MaxBufferedRecords).(int64)+1),
		interactive: terminal.Is(os.Stdin),
		verbose:     terminal.Is(os.Stderr),
	}
	d.pool.finished = d.finished

	// Reading happens beside us because a read cannot be interrupted: a signal that comes while
	// nobody types must end the program all the same.
	read := make(chan error, 1)
	go func() { read <- d.read(reading, os.Stdin) }()
	stopProgress := func() {}
	if d.verbose && !d.interactive {
		stopProgress = d.showProgress()
	}
	var err error
	select {
	case err = <-read:
	case <-reading.Done():
	}
	d.finish(ctx)
	stopProgress()
	d.program.Bottom("")
	if cause := context.Cause(reading); cause != nil && !errors.Is(cause, context.Canceled) {
		delivered := d.delivered.Load()
		not := d.accepted.Load() - delivered // those that were read and not sent any more are among them
		return fmt.Errorf("%w; %s delivered, %s not", cause, count(delivered), cli.Count(not))
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return d.summary()
}

// closed reports whether the stream was closed when the program began. The Go runtime then opens
// /dev/null in its place, for reading and writing, so that it does not look like an error. Nobody
// else opens an input for writing: a write of no bytes tells.
func closed(stream *os.File) bool {
	at, err := stream.Stat()
	if err != nil {
		return true
	}
	null, err := os.Stat(os.DevNull)
	if err != nil || !os.SameFile(at, null) {
		return false
	}
	_, err = stream.Write(nil)
	return err == nil
}

// read sends lines until input ends.
func (d *delivery) read(ctx context.Context, input io.Reader) error {
	limit := d.client.OptValue(kgo.ProducerBatchMaxBytes).(int32)
	for r := lines.NewReader(input, int(limit)); ctx.Err() == nil; {
		if d.interactive && d.verbose {
			d.program.Bottom(prompt)
		}
		line, err := r.Next()
		if d.interactive && err == nil {
			d.program.Entered()
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil && !errors.Is(err, lines.ErrTooLong):
			return fmt.Errorf("cannot read standard input: %w", err)
		}
		d.turn <- struct{}{}
		if ctx.Err() == nil {
			d.accept(ctx, line, err)
		}
		<-d.turn
	}
	return ctx.Err()
}

// accept takes a line that was read. It runs to its end even if we are told to stop meanwhile: finish
// waits for it, so that each line is delivered or told.
func (d *delivery) accept(ctx context.Context, line []byte, err error) {
	number := d.accepted.Add(1)
	if err != nil {
		d.report(number, kerr.MessageTooLarge)
		return
	}
	message := d.pool.take(line, number)
	if d.mark != nil {
		d.mark(&message.Record)
	}
	d.send(ctx, message)
}

func (d *delivery) send(ctx context.Context, message *message) {
	if d.interactive {
		d.sendAlone(context.Background(), message)
		return
	}
	// Not ctx: the end of the program must not take back what it has accepted.
	d.client.Produce(context.WithoutCancel(ctx), &message.Record, message.promise)
	if len(d.refused) > 0 {
		d.resend(context.Background())
	}
}

// sendAlone sends a message and waits for its acknowledgement, until ctx ends.
func (d *delivery) sendAlone(ctx context.Context, message *message) {
	message.alone = true
	acknowledged := make(chan struct{})
	d.client.Produce(context.WithoutCancel(ctx), &message.Record, func(record *kgo.Record, err error) {
		if err == nil && d.interactive {
			d.program.Say("partition %d, offset %d", record.Partition, record.Offset)
		}
		d.finished(message, err)
		close(acknowledged)
	})
	select {
	case <-acknowledged:
	case <-ctx.Done(): // it is still on its way
	}
}

// resend sends again, one by one, what was in a batch that the broker found too large: a topic may
// have a lower limit than the client knows of (max.message.bytes), and a line must not be refused
// for its neighbours. They come behind later lines, even with the same key.
func (d *delivery) resend(ctx context.Context) {
	if err := d.client.Flush(ctx); err != nil { // so that no batch is open that one of them could join
		return
	}
	for ctx.Err() == nil {
		select {
		case message := <-d.refused:
			d.sendAlone(ctx, message)
		default:
			return
		}
	}
}

// finished is called once for each message, when it is acknowledged or given up.
func (d *delivery) finished(message *message, err error) {
	switch {
	case err == nil:
		d.delivered.Add(1)
	case errors.Is(err, kerr.MessageTooLarge) && !message.alone:
		d.refused <- message // there is room for all that the client buffers, and the one that waits to be
		return
	case errors.Is(err, kgo.ErrClientClosed):
		return // summary has told what was on its way
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed),
		errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.UnknownTopicID):
		// This will be the answer to all that follow.
		d.failed.Add(1)
		d.fatal(fmt.Errorf("line %d: %w", message.line, d.cluster.Explain(err, "topic "+d.topic)))
	default:
		d.report(message.line, err)
	}
	d.pool.put(message)
}

// report tells of a line that was not delivered: the first few one by one.
func (d *delivery) report(line int64, err error) {
	n := d.failed.Add(1)
	if n > mostReports {
		return
	}
	more := ""
	if n == mostReports {
		more = " (further ones are only counted)"
	}
	d.program.Say("line %d is not delivered: %v%s", line, d.cluster.Explain(err, "topic "+d.topic), more)
}

// finish waits until everything on its way has arrived. Once the program was asked to stop there
// is not much time for it.
func (d *delivery) finish(ctx context.Context) {
	flushing, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(finishTime, cancel)
	})()
	select {
	case d.turn <- struct{}{}: // and no line is accepted any more
	case <-flushing.Done():
	}
	for { // summary tells how many are left where there was no time for them
		if err := d.client.Flush(flushing); err != nil || len(d.refused) == 0 {
			return
		}
		d.resend(flushing)
	}
}

// summary says how it went.
func (d *delivery) summary() error {
	failed := d.failed.Load()
	if left := d.accepted.Load() - d.delivered.Load() - failed; left > 0 { // read while we were stopped
		return fmt.Errorf("stopped with %s on the way, acknowledged by nobody; %s delivered",
			count(left), count(d.delivered.Load()))
	}
	if failed > 0 {
		return fmt.Errorf("%s delivered, %s not", count(d.delivered.Load()), cli.Count(failed))
	}
	d.program.Say("%s delivered in %.1f s", count(d.delivered.Load()), time.Since(d.started).Seconds())
	return nil
}

// showProgress keeps the number of delivered messages on the last line of the terminal.
func (d *delivery) showProgress() (stop func()) {
	ticker := time.NewTicker(200 * time.Millisecond)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				d.program.Bottom(count(d.delivered.Load()) + " delivered")
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
