package group

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"tkafka/pkg/embedded"
)

// A group that has committed an offset is a consumer group. A share group cannot have its name.
func TestCheckShare(t *testing.T) {
	cluster, err := embedded.Start(embedded.Config{Topics: []string{"client60"}})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	client, err := cluster.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var offsets kadm.Offsets
	offsets.AddOffset("client60", 0, 0, -1)
	if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), "consumers", offsets); err != nil {
		t.Fatal(err)
	}
	if fresh, err := CheckShare(t.Context(), client, "new"); err != nil || !fresh {
		t.Errorf("a new group: %v, %v", fresh, err)
	}
	if _, err := CheckShare(t.Context(), client, "consumers"); err == nil || !strings.Contains(err.Error(), "group consumers is a consumer group") {
		t.Errorf("a consumer group: %v", err)
	}
}
