package main

import (
	"hash/crc32"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The README has the partitions of some keys, for two hash functions. .ci/other-clients compares them with the
// Python client.
func TestKeys(t *testing.T) {
	murmur2 := kgo.StickyKeyPartitioner(nil).ForTopic("client60")
	crc := kgo.StickyKeyPartitioner(kgo.SaramaHasher(crc32.ChecksumIEEE)).ForTopic("client60")
	partitions := func(key string) (ours, python string) {
		message := kgo.KeyStringRecord(key, "")
		return strconv.Itoa(murmur2.Partition(message, 16)), strconv.Itoa(crc.Partition(message, 16))
	}
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d+) \\| (\\d+) \\|$").FindAllStringSubmatch(string(text), -1)
	if len(rows) < 2 {
		t.Errorf("the README has %d keys", len(rows))
	}
	for _, row := range rows {
		if ours, python := partitions(row[1]); row[2] != ours || row[3] != python {
			t.Errorf("key %s is in partition %s and %s, and not in %s and %s", row[1], ours, python, row[2], row[3])
		}
	}
	same := 0
	for key := range 1000 {
		if ours, python := partitions(strconv.Itoa(key)); ours == python {
			same++
		}
	}
	said := regexp.MustCompile(`keys 0 to 999, only (\d+) are`).FindSubmatch(text)
	if said == nil || string(said[1]) != strconv.Itoa(same) {
		t.Errorf("%d keys are in the same partition, and the README has %s", same, said)
	}
}
