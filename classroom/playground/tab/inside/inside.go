//go:build js && wasm

// Package inside has what the programs of the sections use in a browser tab, instead of settings, TLS and flags.
package inside

import (
	"context"
	"iter"
	"time"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/settings"
)

// Programs has the function of each program. They are added when the playground is built.
var Programs = make(map[string]func(ctx context.Context, args []string) error)

var Brokers *broker.Cluster

const (
	SessionTimeout     = 6 * time.Second // by default 45 s: nobody should wait so long for a killed member
	AutoCommitInterval = time.Second     // by default 5 s
)

// Run is one run of a program.
type Run struct {
	Life      context.Context // ends when the program is killed
	Lines     iter.Seq2[int, []byte]
	Key       string
	StoreTime time.Duration
}

type key struct{}

func With(ctx context.Context, run *Run) context.Context { return context.WithValue(ctx, key{}, run) }
func Of(ctx context.Context) *Run                        { return ctx.Value(key{}).(*Run) }

type flags struct{}

func AddFlags() flags { return flags{} }
func (flags) Find() (*settings.Settings, error) {
	return &settings.Settings{Brokers: Brokers.Brokers()}, nil
}

func IntP(_, _ string, value int, _ string) *int                      { return &value }
func String(_, value, _ string) *string                               { return &value }
func StringP(_, _, value, _ string) *string                           { return &value }
func Duration(_ string, value time.Duration, _ string) *time.Duration { return &value }
