package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Linger returns a context that ends half a second after ctx does: for work that must not be cut off by
// the signal to stop, and must not hold up the end either. A program makes it once and uses it for all
// such work: ctx remembers each one that is made, until it ends itself.
func Linger(ctx context.Context) context.Context {
	lingering, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(LeaveTime/4, cancel) })
	return lingering
}

// untilSignalled returns a context that the first signal to stop cancels, and a function that
// returns the signals to their usual meaning.
//
// SIGPIPE is ignored so that a write to a reader who has left is an error like any other: by
// default it would end the process before it could leave its group, and the other members would
// wait 45 seconds for it. For the same reason SIGHUP, the closing of the terminal, counts as a
// signal to stop, except under nohup.
func (p *Program) untilSignalled() (context.Context, func()) {
	signal.Ignore(syscall.SIGPIPE)
	stop := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		stop = append(stop, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, stop...)
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-finished:
			return
		}
		cancel()
		select {
		case <-finished:
			return
		case <-signals:
		case <-time.After(LeaveTime):
			p.Say("not finished %v after the signal to stop: ending all the same", LeaveTime)
		}
		os.Exit(1)
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		close(finished)
	}
}
