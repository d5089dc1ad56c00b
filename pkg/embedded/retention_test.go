package embedded

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// said collects what a cluster prints.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, args...))
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// Beyond the size, the oldest messages are deleted. The newest ones are there, and one line is printed.
func TestRetentionBySize(t *testing.T) {
	const limit, message, count = 16 << 20, 512 << 10, 160
	var printed said
	c := start(t, Config{Topics: []string{"t", "u"}, Retention: Retention{Bytes: limit, Age: time.Hour}, Say: printed.say})
	cl := client(t, c, kgo.ProducerBatchCompression(kgo.NoCompression()))
	size := func() (sum int64) {
		for _, topic := range []string{"t", "u"} {
			for _, p := range c.Kfake().PartitionInfos(topic) {
				sum += p.NumBytes
			}
		}
		return sum
	}
	var last *kgo.Record
	for i := range count {
		last = &kgo.Record{Topic: []string{"t", "u"}[i%2], Key: fmt.Append(nil, i%5), Value: make([]byte, message)}
		if err := cl.ProduceSync(deadline(t), last).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if got := size(); got > 2*limit {
			t.Fatalf("after %d messages the topics have %d MiB, and the limit is %d", i+1, got>>20, limit>>20)
		}
	}
	waitUntil(t, "the topics have no more than the limit and what arrives between two checks", func() bool {
		return size() <= limit+checkBytes
	})
	if size() < limit/2 {
		t.Errorf("the topics have only %d MiB", size()>>20)
	}
	info := c.Kfake().PartitionInfo(last.Topic, last.Partition)
	if info.LogStartOffset > last.Offset || info.HighWatermark != last.Offset+1 {
		t.Errorf("partition %d has the offsets %d to %d, but the last message has %d",
			last.Partition, info.LogStartOffset, info.HighWatermark, last.Offset)
	}
	if lines := printed.String(); strings.Contains(lines, "\n") || !strings.Contains(lines, "16 MiB") {
		t.Errorf("it printed %q, want one line with 16 MiB", lines)
	}
}

// Messages beyond the age are deleted. Nothing is printed, because the course's cluster does the same.
func TestRetentionByAge(t *testing.T) {
	var printed said
	c := start(t, Config{Topics: []string{"t"}, Retention: Retention{Bytes: 1 << 20, Age: time.Hour}, Say: printed.say})
	cl := client(t, c, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, age := range []time.Duration{2 * time.Hour, 0} {
		record := &kgo.Record{Topic: "t", Timestamp: time.Now().Add(-age)}
		if err := cl.ProduceSync(deadline(t), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if c.retainer.apply(t.Context()) {
		t.Error("messages were deleted because of the size")
	}
	if info := c.Kfake().PartitionInfo("t", 0); info.LogStartOffset != 1 || info.HighWatermark != 2 {
		t.Errorf("the offsets are %d to %d, want 1 to 2", info.LogStartOffset, info.HighWatermark)
	}
	if printed.String() != "" {
		t.Errorf("it printed %q", printed.String())
	}
}
