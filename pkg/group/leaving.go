package group

import (
	"context"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
)

// Leave commits what is marked and leaves the group, so that the other members get the partitions at
// once. It takes half of cli.LeaveTime at most. Do not use the client after it.
func (m *Member) Leave(client *kgo.Client) {
	m.leave.Do(func() { m.leaveOnce(client) })
}

func (m *Member) leaveOnce(client *kgo.Client) {
	m.mu.Lock()
	m.leaving = true
	rebalancing := m.waiting != nil || m.blocked
	m.mu.Unlock()
	m.stopWaiting()

	ctx, cancel := context.WithTimeout(context.Background(), cli.LeaveTime/2)
	defer cancel()
	left := make(chan error, 1)
	go func() {
		if rebalancing && !m.sharing {
			left <- m.leaveNow(ctx)
			return
		}
		client.AllowRebalance()
		left <- client.LeaveGroupContext(ctx) // not Close, which also waits for other brokers
	}()
	var err error
	select {
	case err = <-left:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil && !isAnswer(err) { // a broker can only answer that we are not a member any more
		m.program.Report(cli.WithHint(fmt.Errorf("cannot leave group %s: its coordinator does not answer", m.group),
			"the group removes this member after 45 s (session.timeout.ms)"))
	}
}

// leaveNow leaves in the middle of a rebalance, or while the loop does not allow one. The client would
// first wait for the end of the rebalance, up to 45 seconds if a member was killed. So we give up the
// client and send the request ourselves. The order matters: a client that is not a member any more would
// join again.
func (m *Member) leaveNow(ctx context.Context) error {
	if m.autoCommit {
		m.client.CommitMarkedOffsets(ctx)
	}
	m.giveUp()
	id, _ := m.client.GroupMetadata()
	if id == "" {
		return nil // never was a member
	}
	client, err := m.cluster.Client()
	if err != nil {
		return err
	}
	defer client.Close()
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = m.group
	req.MemberID = id // before version 3
	member := kmsg.NewLeaveGroupRequestMember()
	member.MemberID = id
	req.Members = append(req.Members, member)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}

// leaveStuck leaves the group and ends the program if the loop does not return after the end of ctx: a
// write to standard output blocks while its reader does not read. This is a clean end. What is not
// printed is not marked, and so not committed.
func (m *Member) leaveStuck(ctx context.Context) {
	cli.Pause(context.Background(), cli.LeaveTime/2)
	m.mu.Lock()
	client, leaving := m.client, m.leaving
	m.blocked = true
	m.mu.Unlock()
	if client == nil || leaving {
		return
	}
	m.Leave(client)
	os.Exit(m.program.Status(ctx, cli.Stopped("standard output is blocked, so the last output is missing")))
}
