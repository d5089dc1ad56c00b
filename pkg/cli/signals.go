package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Grace returns a context that ends some time after ctx does. It is for work that a signal must not
// interrupt at once: to deliver a message, or to commit one.
func Grace(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(after, cancel) })
	return late, func() {
		stop()
		cancel()
	}
}

// Pause waits for d, and returns false at once if the context ends.
func Pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// untilSignalled returns a context that the first signal to stop cancels, and a function that
// gives the signals their usual meaning again.
//
// It ignores SIGPIPE, so that a write to a reader who has left is an error like any other. By
// default the signal would end the process before it can leave its group, and the other members
// would wait 45 seconds for it. For the same reason two more signals stop the program: SIGQUIT, which
// is Ctrl-\, and SIGHUP, the closing of the terminal, except under nohup. The stacks of all goroutines,
// which Go prints for a SIGQUIT, come for a SIGABRT.
func (p *Program) untilSignalled() (context.Context, func()) {
	signal.Ignore(syscall.SIGPIPE)
	stop := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGQUIT}
	if !signal.Ignored(syscall.SIGHUP) {
		stop = append(stop, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, stop...)
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan struct{})
	go func() {
		var first os.Signal
		select {
		case first = <-signals:
		case <-finished:
			return
		}
		cancel()
		// timeout(1) and others send one signal twice: to the program, and to its process group.
		once, late := time.Now().Add(100*time.Millisecond), time.After(LeaveTime)
		for {
			select {
			case <-finished:
				return
			case again := <-signals:
				if again == first && time.Now().Before(once) {
					continue
				}
			case <-late:
				time.AfterFunc(LeaveTime/4, func() { os.Exit(1) }) // nobody reads standard error
				p.Say("not finished %v after the signal: ending now", LeaveTime)
			}
			os.Exit(1)
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
		close(finished)
	}
}
