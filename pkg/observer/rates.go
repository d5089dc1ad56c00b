package observer

import (
	"time"
)

const (
	rateSeconds   = 300 // that Rates has
	memberSeconds = 8   // enough for the rate of a member
	overSeconds   = 5   // a rate is that of the last seconds
)

// meter counts messages by second.
type meter struct {
	counts []int32 // a ring; the second s is at s % len
	last   int64   // the newest second
	first  int64   // the oldest second that was counted
}

// newMeter returns a meter that keeps this many seconds.
func newMeter(seconds int, now time.Time) *meter {
	return &meter{counts: make([]int32, seconds), last: now.Unix(), first: now.Unix()}
}

// advance clears the seconds that have begun since the newest one.
func (m *meter) advance(now time.Time) {
	for second := max(m.last+1, now.Unix()-int64(len(m.counts))+1); second <= now.Unix(); second++ {
		m.counts[second%int64(len(m.counts))] = 0
	}
	m.last = max(m.last, now.Unix())
}

// add counts n messages that arrived between two times: the same number in each second.
func (m *meter) add(since, now time.Time, n int64) {
	m.advance(now)
	seconds := min(now.Unix()-since.Unix()+1, int64(len(m.counts)))
	for i := range seconds {
		share := n / (seconds - i)
		n -= share
		m.counts[(now.Unix()-i)%int64(len(m.counts))] += int32(share)
	}
}

// rate returns the messages per second over the last seconds.
func (m *meter) rate(now time.Time) float64 {
	m.advance(now)
	sum, from := int64(0), max(now.Unix()-overSeconds, m.first)
	for second := from; second <= now.Unix(); second++ {
		sum += int64(m.counts[second%int64(len(m.counts))])
	}
	elapsed := now.Sub(time.Unix(from, 0)).Seconds()
	return float64(sum) / max(elapsed, 1)
}

// history returns the messages of each whole second, the newest last, and whether there are any.
func (m *meter) history(now time.Time) (counts []int32, any bool) {
	m.advance(now)
	end := now.Unix()
	counts = make([]int32, len(m.counts)-1) // the current second is not whole
	for i := range counts {
		counts[i] = m.counts[(end-int64(len(counts)-i))%int64(len(m.counts))]
		any = any || counts[i] > 0
	}
	return counts, any
}

// Rates returns how many messages arrived in each whole second of the last five minutes.
func (o *Observer) Rates() Rates {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	rates := Rates{End: now.Truncate(time.Second), Total: make([]int32, rateSeconds), Partitions: make(map[int32][]int32)}
	for n, p := range o.partitions {
		counts, any := p.meter.history(now)
		if !any {
			continue
		}
		rates.Partitions[int32(n)] = counts
		for i, count := range counts {
			rates.Total[i] += count
		}
	}
	return rates
}
