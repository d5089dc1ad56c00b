package group

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

const (
	// A member that is in the group after this time has not made anybody wait.
	joinPatience = time.Second
	// The others hear of a rebalance with their next heartbeat, within 3 seconds, and a new group
	// waits 3 seconds for more members (group.initial.rebalance.delay.ms). Who has not come back by
	// then may be lost.
	lostPatience = 5 * time.Second
)

// waiting is the time between two assignments.
type waiting struct {
	stop context.CancelFunc
	told bool // something was said about it; guarded by Member.mu
}

// wait begins to tell what we wait for, until stopWaiting.
func (m *Member) wait() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting != nil || m.leaving {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	m.waiting = &waiting{stop: stop}
	go m.tellWaiting(ctx, m.waiting)
}

// stopWaiting returns whether there was anything to tell.
func (m *Member) stopWaiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == nil {
		return false
	}
	told := m.waiting.told
	m.waiting.stop()
	m.waiting = nil
	return told
}

func (m *Member) tellWaiting(ctx context.Context, w *waiting) {
	if !pause(ctx, joinPatience) {
		return
	}
	m.sayWaiting(w, "joining group "+m.group)
	if !pause(ctx, lostPatience-joinPatience) {
		return
	}
	for !m.sayWhy(ctx, w) {
		if !pause(ctx, time.Second) {
			return
		}
	}
}

// sayWhy says what keeps the group from sharing out its partitions, if the cluster tells.
func (m *Member) sayWhy(ctx context.Context, w *waiting) bool {
	ask, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	groups, err := kadm.NewClient(m.client).DescribeGroups(ask, m.group)
	if err != nil {
		return false
	}
	group := groups[m.group]
	if group.Err != nil || group.State != "PreparingRebalance" || len(group.Members) < 2 {
		return false
	}
	m.sayWaiting(w, "waiting for a lost member of the group, up to 45 s (or for one that is busy with a message)")
	return true
}

// sayWaiting says it unless the wait is over.
func (m *Member) sayWaiting(w *waiting, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == w {
		w.told = true
		m.program.Say("%s", text)
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
