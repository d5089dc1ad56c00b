package group

import (
	"io"
	"os"
	"regexp"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
)

// The client reports once that the cluster has lost messages, in a poll that may have messages of other
// partitions.
func TestDataLoss(t *testing.T) {
	lost := kgo.FetchPartition{Partition: 5, Err: &kgo.ErrDataLoss{Topic: "client7", Partition: 5, ConsumedTo: 40, ResetTo: 12}}
	read := kgo.FetchPartition{Partition: 6, Records: []*kgo.Record{{Topic: "client7", Partition: 6}}}
	for _, partitions := range [][]kgo.FetchPartition{{lost}, {lost, read}} {
		stderr := os.Stderr
		from, to, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		os.Stderr = to
		m := &Member{program: cli.New("consumer <topic>", "", ""), topic: "client7"}
		os.Stderr = stderr
		err = m.Check(t.Context(), kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: "client7", Partitions: partitions}}}})
		to.Close()
		printed, _ := io.ReadAll(from)
		if err != nil || !regexp.MustCompile(`^consumer: partition 5: .* offset 40, .* offset 12\n$`).Match(printed) {
			t.Errorf("%d partitions: %v, %q", len(partitions), err, printed)
		}
	}
}

func TestNewName(t *testing.T) {
	one, other := NewName("commitoffsets"), NewName("commitoffsets")
	if one == other {
		t.Errorf("%s twice", one)
	}
	if !regexp.MustCompile(`^commitoffsets-[a-z2-7]{12}$`).MatchString(one) {
		t.Errorf("%s is no name that one could type", one)
	}
}

// The line that a member prints is the one that Assigned matches.
func TestAssigned(t *testing.T) {
	for line, want := range map[string]string{
		"consumer: assigned 16 of 16 partitions: 0-15\r": "0-15",
		"assigned 8 of 16 partitions: 0-7, lost 8-15":    "0-7",
		"assigned 3 of 16 partitions: 0,2,4-5":           "0,2,4-5",
		"assigned 1 of 1 partitions: 0":                  "0",
		"no partitions: 17 members share 16":             "",
	} {
		got := ""
		if found := Assigned.FindStringSubmatch(line); found != nil {
			got = found[Assigned.SubexpIndex("partitions")]
		}
		if got != want {
			t.Errorf("%q: partitions %q, want %q", line, got, want)
		}
	}
}
