package trial

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/process"
)

// breaker stops and starts brokers. Each broker has an ID.
type breaker interface {
	kill(broker int32) error                         // as a crash does; the others lead its partitions
	freeze() error                                   // no broker answers any more
	back() error                                     // what kill and freeze have stopped runs again
	restart(ctx context.Context, broker int32) error // as for a new version
}

// ownBrokers are the brokers of a cluster of the judge's own.
type ownBrokers struct {
	*kafka
	killed []int32
}

func (o *ownBrokers) kill(broker int32) error {
	o.killed = append(o.killed, broker)
	if err := o.own.Kill(broker); err != nil {
		return err
	}
	fake := o.own.Kfake()
	for partition := range int32(o.partitions) {
		if fake.LeaderFor(o.topic, partition) == broker {
			if err := fake.MoveTopicPartition(o.topic, partition, (broker+1)%int32(len(o.brokers))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *ownBrokers) freeze() error {
	for _, broker := range o.ids {
		o.killed = append(o.killed, broker)
		if err := o.own.Kill(broker); err != nil {
			return err
		}
	}
	return nil
}

func (o *ownBrokers) back() error {
	for _, broker := range o.killed {
		if err := o.own.Restart(broker); err != nil {
			return err
		}
	}
	o.killed = nil
	return nil
}

func (o *ownBrokers) restart(_ context.Context, broker int32) error {
	if err := o.kill(broker); err != nil {
		return err
	}
	return o.back()
}

// containers are the Docker containers on this machine in which the brokers of an existing cluster run.
type containers struct {
	of   map[int32]string // by the ID of the broker
	undo []string         // the command of Docker that starts again what is stopped; nil if all run
}

// findContainers finds the container that publishes the port of each broker.
func findContainers(ctx context.Context, brokers kadm.BrokerDetails) (*containers, error) {
	c := &containers{of: make(map[int32]string)}
	for _, broker := range brokers {
		found, err := docker(ctx, "ps", "--quiet", "--filter", fmt.Sprintf("publish=%d", broker.Port))
		if err != nil {
			return nil, err
		}
		if len(found) != 1 {
			return nil, cli.WithHint(fmt.Errorf("broker %d: %d containers on this machine have the port %d, not 1", broker.NodeID, len(found), broker.Port),
				"docker ps shows all containers with their ports")
		}
		c.of[broker.NodeID] = found[0]
	}
	return c, nil
}

func (c *containers) kill(broker int32) error {
	c.undo = []string{"start", c.of[broker]}
	_, err := docker(context.Background(), "kill", c.of[broker])
	return err
}

func (c *containers) freeze() error {
	pause := []string{"pause"}
	c.undo = []string{"unpause"}
	for _, container := range c.of {
		pause, c.undo = append(pause, container), append(c.undo, container)
	}
	_, err := docker(context.Background(), pause...)
	return err
}

func (c *containers) back() error {
	if c.undo == nil {
		return nil
	}
	_, err := docker(context.Background(), c.undo...)
	if err == nil {
		c.undo = nil
	}
	return err
}

func (c *containers) restart(ctx context.Context, broker int32) error {
	_, err := docker(ctx, "restart", c.of[broker])
	return err
}

// docker runs a command of Docker, and returns the words that it prints. If the context ends, the command
// continues, and so a container that stops is started again. Ctrl-C does not reach it.
func docker(ctx context.Context, args ...string) ([]string, error) {
	command := process.New(exec.Command("docker", args...))
	command.InSession()
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	select {
	case <-command.Ended():
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if command.Status() != 0 {
		return nil, fmt.Errorf("docker %s: %s", strings.Join(args, " "), strings.Join(command.Stderr.Lines(), " / "))
	}
	return strings.Fields(strings.Join(command.Stdout.Lines(), " ")), nil
}

// returnTime is how long a broker may take to come back: a killed one checks all its partitions first,
// and a class of 300 has 5,000 on each broker.
const returnTime = 4 * time.Minute

// back lets the brokers run again that were stopped, and waits until they are in sync.
func (r *run) back() error {
	if err := r.kafka.breaker.back(); err != nil {
		return err
	}
	return r.inSync()
}

// inSync waits until all brokers answer, and all replicas of the topic are in sync.
func (r *run) inSync() error {
	in, enough := false, time.Now().Add(returnTime)
	err := r.until(2*returnTime, "", func() bool {
		in = r.kafka.inSync(r.ctx)
		return in || time.Now().After(enough)
	})
	if err == nil && !in {
		err = fmt.Errorf("not all replicas of the topic %s are in sync after %v", r.kafka.topic, returnTime)
	}
	return err
}

// inSync asks each broker whether all replicas of the topic are in sync. A broker that does not know the
// topic yet is not.
func (k *kafka) inSync(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &k.topic
	request.Topics = append(request.Topics, topic)
	for _, broker := range k.ids {
		known, err := request.RequestWith(ctx, k.client.Broker(int(broker)))
		if err != nil || known.Topics[0].ErrorCode != 0 || len(known.Topics[0].Partitions) != k.partitions {
			return false
		}
		for _, partition := range known.Topics[0].Partitions {
			if partition.ErrorCode != 0 || len(partition.ISR) < len(partition.Replicas) {
				return false
			}
		}
	}
	return true
}
