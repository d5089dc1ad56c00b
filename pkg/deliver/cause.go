package deliver

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// cause finds out why the client cannot deliver a line yet. It is a kgo.Logger: the client tries again
// after most errors, and only its log has them.
type cause struct {
	reading atomic.Bool

	mu         sync.Mutex
	name, text string // of the last error: its name in Kafka, and a description
}

// read begins to read the log, or ends it.
func (c *cause) read(begin bool) {
	if c.reading.Swap(begin) != begin {
		c.set("", "")
	}
}

func (c *cause) set(name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.name, c.text = name, text
}

// last returns the last error. Both texts are empty if it is unknown, and the name if no broker answers.
func (c *cause) last() (name, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name, c.text
}

// Level is part of kgo.Logger. The client makes no text for a lower level.
func (c *cause) Level() kgo.LogLevel {
	if c.reading.Load() {
		return kgo.LogLevelDebug
	}
	return kgo.LogLevelNone
}

// refused is a partition whose messages the client will send again, with Kafka's error.
var refused = regexp.MustCompile(`(\d+)\{retrying@-?\d+,\d+\((\w+): ([^)]*)\)`)

// Log is part of kgo.Logger. It looks for two texts of franz-go: the answer to a produce request, and
// an error in the metadata of a partition with messages.
func (c *cause) Log(_ kgo.LogLevel, text string, pairs ...any) {
	value := func(key string) any {
		for i := 0; i+1 < len(pairs); i += 2 {
			if pairs[i] == key {
				return pairs[i+1]
			}
		}
		return nil
	}
	switch {
	case text == "produced":
		if found := refused.FindStringSubmatch(fmt.Sprint(value("to"))); found != nil {
			c.partition(found[1], found[2], found[3])
		}
	case strings.HasPrefix(text, "produce partition load error"):
		err, _ := value("err").(error)
		var kafka *kerr.Error
		if errors.As(err, &kafka) {
			c.partition(fmt.Sprint(value("partition")), kafka.Message, kafka.Description)
		} else {
			c.set("", "no broker answers")
		}
	}
}

func (c *cause) partition(number, name, description string) {
	c.set(name, fmt.Sprintf("partition %s: %s (%s)", number, strings.TrimSuffix(description, "."), name))
}
