package group

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tkafka/pkg/cli"
)

const (
	// joinTime: a member that joins for longer prints a line.
	joinTime = time.Second
	// quietTime: if the members of a rebalance stay the same for longer, the member prints a line. The
	// other members notice a rebalance with their next heartbeat; in other clients, it comes every 3
	// seconds. A new group waits 3 seconds for more members (group.initial.rebalance.delay.ms), and 3
	// more if one came.
	quietTime = 5 * time.Second
)

// waiting is the time between two assignments.
type waiting struct {
	stop    context.CancelFunc
	printed bool // guarded by Member.mu
}

// wait starts to print what we wait for, until stopWaiting.
func (m *Member) wait() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting != nil || m.leaving {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	m.waiting = &waiting{stop: stop}
	go m.reportWaiting(ctx, m.waiting)
}

// stopWaiting ends the wait, and returns whether it printed a line.
func (m *Member) stopWaiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == nil {
		return false
	}
	printed := m.waiting.printed
	m.waiting.stop()
	m.waiting = nil
	return printed
}

// reportWaiting explains why the assignment takes long: usually, another member takes no part in the
// rebalance. It was killed, or it is still busy with a message. Then the members stay the same, while
// a group that waits for more members gets new ones or continues.
func (m *Member) reportWaiting(ctx context.Context, w *waiting) {
	if !cli.Pause(ctx, joinTime) {
		return
	}
	m.sayWaiting(w, "joining group "+m.group)
	if m.sharing { // it has no rebalance
		return
	}
	if typeOf(ctx, m.client, m.group) == shareType { // the client tries for ever
		m.sayWaiting(w, "group "+m.group+" is a share group, which this program cannot join: choose another name")
		return
	}
	members, since := []string(nil), time.Now()
	for {
		now, rebalancing := m.rebalancing(ctx)
		if !rebalancing || len(now) < 2 || !slices.Equal(now, members) {
			members, since = now, time.Now()
		} else if time.Since(since) >= quietTime {
			m.sayWaiting(w, "waiting for another member of group "+m.group+": it is busy, or it was killed")
			return
		}
		if !cli.Pause(ctx, time.Second) {
			return
		}
	}
}

// rebalancing returns the members of the group, and whether it waits for some of them.
func (m *Member) rebalancing(ctx context.Context) (members []string, rebalancing bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	groups, err := kadm.NewClient(m.client).DescribeGroups(ctx, m.group)
	if err != nil {
		return nil, false
	}
	for _, member := range groups[m.group].Members {
		members = append(members, member.MemberID)
	}
	slices.Sort(members)
	return members, groups[m.group].State == "PreparingRebalance"
}

// sayWaiting prints the text unless the waiting is over.
func (m *Member) sayWaiting(w *waiting, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.waiting == w {
		w.printed = true
		m.program.Say("%s", text)
	}
}
