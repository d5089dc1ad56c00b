package group

import (
	"regexp"
	"testing"
)

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
