package embedded

import "sync"

// memory bounds what all connections of a cluster use for the requests that kfake does not handle yet. A
// real broker has such a limit, too (queued.max.request.bytes).
type memory struct {
	limit int // bytes; more than maxRequest

	mu      sync.Mutex
	sum     int
	holders map[*connection]struct{}
}

func newMemory(limit int) *memory {
	return &memory{limit: limit, holders: make(map[*connection]struct{})}
}

// hold adds n bytes to the part of a connection. If the sum is above the limit, hold breaks the
// connection with the largest part. So an honest client with a small request never waits.
func (m *memory) hold(c *connection, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.holders[c] = struct{}{}
	c.held += n
	m.sum += n
	for m.sum > m.limit {
		var largest *connection
		for holder := range m.holders {
			if largest == nil || holder.held > largest.held {
				largest = holder
			}
		}
		largest.raw.Close()
		m.forget(largest)
	}
}

// release gives back all bytes of a connection.
func (m *memory) release(c *connection) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(c)
}

// forget needs the lock.
func (m *memory) forget(c *connection) {
	m.sum -= c.held
	c.held = 0
	delete(m.holders, c)
}
