package main

import (
	"strings"
	"testing"
	"time"

	"tkafka/pkg/watch/observer"
)

// Clients choose their names. On a terminal they must not move the cursor.
func TestNamesAreEscaped(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	picture := &observer.Picture{Time: time.Now(), Topic: observer.Topic{Name: "client60"}, Groups: []observer.Group{{
		Name: "g\x1b[31m", State: "Stable", Members: []observer.Member{{Number: 1, Client: "c\n\x1b[2J"}},
	}}}
	describe(&out, picture)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 || strings.Contains(out.String(), "\x1b") || !strings.HasSuffix(lines[2], `g\x1b[31m: member 1 (c\n\x1b[2J) has no partitions`) {
		t.Errorf("%q", lines)
	}
}
