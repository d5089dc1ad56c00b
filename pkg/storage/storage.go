// Package storage stands for a database that takes its time, so that there is time to interrupt it.
package storage

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// Storage pretends to store messages.
type Storage struct {
	out  io.Writer
	time *time.Duration
}

// AddFlag makes a storage that prints what it does and adds --store-time to the program.
func AddFlag(flags *pflag.FlagSet, out io.Writer) *Storage {
	return &Storage{
		out:  out,
		time: flags.Duration("store-time", 10*time.Second, "how long storing a message takes"),
	}
}

// Store prints "Start Storing", takes its time and prints "End Storing". If the context ends before
// that, it returns at once with a cli.Stopped that names what has not been stored.
func (s *Storage) Store(ctx context.Context, message *kgo.Record) error {
	if _, err := fmt.Fprintln(s.out, "Start Storing"); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return cli.Stopped(fmt.Sprintf("stopped while storing: partition %d, offset %d is not committed and will be read again",
			message.Partition, message.Offset))
	case <-time.After(*s.time):
	}
	_, err := fmt.Fprintln(s.out, "End Storing")
	return err
}
