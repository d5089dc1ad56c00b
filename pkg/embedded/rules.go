package embedded

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxPartitions is how many partitions one request may ask for. Real brokers know no such limit, but
// kfake makes two billion if told to, and is busy until memory ends.
const maxPartitions = 10_000

// rules are the requests that kfake knows: the API key, and the versions of it.
type rules map[int16]versionRange

type versionRange struct{ min, max int16 }

var apiVersions = kmsg.ApiVersions.Int16()

// check refuses a request that kfake would not survive. It begins with its length (4 bytes), then
// come API key (2), version (2), a number to tell the answers apart (4), the client's name (2 for
// its length, -1 for none), and in newer versions tags; then the body.
func (known rules) check(request []byte) error {
	const name = 12
	if len(request) < name+2 {
		return errors.New("a request without its header")
	}
	key := int16(binary.BigEndian.Uint16(request[4:]))
	version := int16(binary.BigEndian.Uint16(request[6:]))

	versions, ok := known[key]
	if !ok {
		return fmt.Errorf("unknown API key %d", key)
	}
	// A client newer than kfake tries its own version of ApiVersions first, and is told ours.
	if version < versions.min || version > versions.max && key != apiVersions {
		return fmt.Errorf("%s: unknown version %d", kmsg.NameForKey(key), version)
	}

	body := request[name+2:]
	if n := int(int16(binary.BigEndian.Uint16(request[name:]))); n > 0 {
		body = body[min(n, len(body)):]
	}
	parsed := kmsg.RequestForKey(key)
	parsed.SetVersion(version)
	if parsed.IsFlexible() {
		// No tags are defined here, and kfake would count up to four billion of them.
		if len(body) == 0 || body[0] != 0 {
			return fmt.Errorf("%s: tags in the header", kmsg.NameForKey(key))
		}
		body = body[1:]
	}
	survives, ok := survivable[key]
	if !ok {
		return nil
	}
	if err := parsed.ReadFrom(body); err != nil {
		return fmt.Errorf("%s: %w", kmsg.NameForKey(key), err)
	}
	if err := survives(parsed); err != nil {
		return fmt.Errorf("%s: %w", kmsg.NameForKey(key), err)
	}
	return nil
}

// survivable looks into the requests by which a client, well-formed as they are, could end kfake and
// with it the whole cluster. A real broker answers most of them with an error.
var survivable = map[int16]func(kmsg.Request) error{
	kmsg.Produce.Int16():                 checkProduce,
	kmsg.CreateTopics.Int16():            checkCreateTopics,
	kmsg.CreatePartitions.Int16():        checkCreatePartitions,
	kmsg.AlterConfigs.Int16():            checkAlterConfigs,
	kmsg.IncrementalAlterConfigs.Int16(): checkIncrementalAlterConfigs,
}

// checkProduce: kfake loses count of the partitions to answer for when one comes twice.
func checkProduce(request kmsg.Request) error {
	type partition struct {
		topic string
		n     int32
	}
	seen := make(map[partition]bool)
	for _, topic := range request.(*kmsg.ProduceRequest).Topics {
		for _, p := range topic.Partitions {
			if seen[partition{topic.Topic, p.Partition}] {
				return fmt.Errorf("partition %d of topic %q comes twice", p.Partition, topic.Topic)
			}
			seen[partition{topic.Topic, p.Partition}] = true

			// A batch that counts its records as fewer than one moves the end of the partition back.
			var batch kmsg.RecordBatch
			if err := batch.ReadFrom(p.Records); err == nil && batch.NumRecords < 1 {
				return fmt.Errorf("a batch of %d records", batch.NumRecords)
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
		return fmt.Errorf("%d partitions, more than the %d allowed at once", n, maxPartitions)
	}
	return nil
}

// The settings of a broker include intervals, and an interval of 0 ends kfake: at once, or when it
// next starts on the same data.
var errBrokerConfig = errors.New("the embedded cluster's brokers have no settings to change")

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
