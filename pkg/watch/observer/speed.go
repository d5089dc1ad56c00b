package observer

import "time"

// speed measures messages per second over the last five seconds.
type speed struct{ counts []count }

type count struct {
	at time.Time
	n  int64
}

// add adds messages that came since it was last called. It returns how many came per second.
func (s *speed) add(n int64, now time.Time) float64 {
	s.counts = append(s.counts, count{now, n})
	for now.Sub(s.counts[0].at) > 5*time.Second {
		s.counts = s.counts[1:]
	}
	sum := int64(0)
	for _, c := range s.counts[1:] { // the messages of the first one came before it
		sum += c.n
	}
	return float64(sum) / max(1, now.Sub(s.counts[0].at).Seconds())
}
