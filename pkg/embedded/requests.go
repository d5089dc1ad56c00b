package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxPartitions is how many partitions one request may create. kfake has no limit: a request for two
// billion partitions would fill the memory.
const maxPartitions = 10_000

// knownRequests are the requests that kfake knows: each API key with its versions.
type knownRequests map[int16]versionRange

type versionRange struct{ min, max int16 }

var apiVersions = kmsg.ApiVersions.Int16()

// check refuses a request that would end kfake. A request has these parts: length (4 bytes), API key
// (2), version (2), correlation ID (4), length of the client ID (2, -1 means no ID), the client ID, tags
// in newer versions, body.
func (known knownRequests) check(request []byte) error {
	const clientID = 12 // where its length is
	if len(request) < clientID+2 {
		return errors.New("request without a complete header")
	}
	key := int16(binary.BigEndian.Uint16(request[4:]))
	version := int16(binary.BigEndian.Uint16(request[6:]))

	versions, ok := known[key]
	if !ok {
		return fmt.Errorf("unknown API key %d", key)
	}
	// A client that is newer than kfake sends its own version of ApiVersions first. The response
	// contains the versions of kfake.
	if version < versions.min || version > versions.max && key != apiVersions {
		return fmt.Errorf("%s: unknown version %d", kmsg.NameForKey(key), version)
	}

	body := request[clientID+2:]
	if n := int(int16(binary.BigEndian.Uint16(request[clientID:]))); n > 0 {
		body = body[min(n, len(body)):]
	}
	parsed := kmsg.RequestForKey(key)
	parsed.SetVersion(version)
	if parsed.IsFlexible() {
		// Kafka defines no tags here. kfake would read up to four billion of them.
		if len(body) == 0 || body[0] != 0 {
			return fmt.Errorf("%s: tags in the header", kmsg.NameForKey(key))
		}
		body = body[1:]
	}
	checkBody, ok := bodyChecks[key]
	if !ok {
		return nil
	}
	if err := parsed.ReadFrom(body); err != nil {
		return fmt.Errorf("%s: %w", kmsg.NameForKey(key), err)
	}
	if err := checkBody(parsed); err != nil {
		return fmt.Errorf("%s: %w", kmsg.NameForKey(key), err)
	}
	return nil
}

// bodyChecks refuse requests that are well-formed and would still end kfake, and so the whole cluster.
// A real broker answers most of them with an error.
var bodyChecks = map[int16]func(kmsg.Request) error{
	kmsg.Produce.Int16():                 checkProduce,
	kmsg.CreateTopics.Int16():            checkCreateTopics,
	kmsg.CreatePartitions.Int16():        checkCreatePartitions,
	kmsg.AlterConfigs.Int16():            checkAlterConfigs,
	kmsg.IncrementalAlterConfigs.Int16(): checkIncrementalAlterConfigs,
}

// checkProduce refuses a request that names a partition twice: kfake would end. It also refuses a batch
// with fewer than one record: kfake would move the end of the partition back.
func checkProduce(request kmsg.Request) error {
	type partition struct {
		topic string
		n     int32
	}
	seen := make(map[partition]bool)
	for _, topic := range request.(*kmsg.ProduceRequest).Topics {
		for _, p := range topic.Partitions {
			if seen[partition{topic.Topic, p.Partition}] {
				return fmt.Errorf("partition %d of topic %q is named twice", p.Partition, topic.Topic)
			}
			seen[partition{topic.Topic, p.Partition}] = true

			var batch kmsg.RecordBatch
			if err := batch.ReadFrom(p.Records); err == nil && batch.NumRecords < 1 {
				return fmt.Errorf("batch of %d records", batch.NumRecords)
			}
		}
	}
	return nil
}

func checkCreateTopics(request kmsg.Request) error {
	sum := 0
	for _, topic := range request.(*kmsg.CreateTopicsRequest).Topics {
		sum += max(0, int(topic.NumPartitions))
	}
	return checkPartitions(sum)
}

func checkCreatePartitions(request kmsg.Request) error {
	sum := 0
	for _, topic := range request.(*kmsg.CreatePartitionsRequest).Topics {
		sum += max(0, int(topic.Count))
	}
	return checkPartitions(sum)
}

func checkPartitions(n int) error {
	if n > maxPartitions {
		return fmt.Errorf("%d partitions, but the limit is %d", n, maxPartitions)
	}
	return nil
}

// Some settings of a broker are intervals, and an interval of 0 ends kfake: at once, or at its next
// start with the same data.
var errBrokerConfig = errors.New("the settings of an embedded broker cannot be changed")

func checkAlterConfigs(request kmsg.Request) error {
	for _, resource := range request.(*kmsg.AlterConfigsRequest).Resources {
		if resource.ResourceType == kmsg.ConfigResourceTypeBroker {
			return errBrokerConfig
		}
	}
	return nil
}

func checkIncrementalAlterConfigs(request kmsg.Request) error {
	for _, resource := range request.(*kmsg.IncrementalAlterConfigsRequest).Resources {
		if resource.ResourceType == kmsg.ConfigResourceTypeBroker {
			return errBrokerConfig
		}
	}
	return nil
}
