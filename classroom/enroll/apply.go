package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/lab/broker"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const topicsAtOnce = 50 // in one request; the controller refuses about 580 topics of 16 partitions

func apply() {
	flags := settings.AddFlags()
	partitions := pflag.Int("partitions", broker.DefaultPartitions, "`number` of partitions of each topic")
	copies := pflag.Int("copies", 3, "`number` of replicas of each partition, at most one on each broker")
	readOnly := pflag.StringSlice("read-only", nil, "`names` of topics that all students may read, and nobody but the staff may write")
	run("apply", `Makes a topic for each student and each group on the cluster: for each folder in clients/, next to
the admin's folder. Gives the student or group the right to write and read it, and to be a member of
any group. Run it again to make what is missing: the class keeps the flags of the last time.

  enroll apply --auth creds/admin
  enroll apply --auth creds/admin --copies 2 --read-only experiment,experiment-document`,
		func(ctx context.Context, _ []string) error {
			if *partitions < 1 || *partitions > 1000 || *copies < 1 || *copies > 1000 {
				return &cli.Misuse{Problem: "--partitions and --copies are from 1 to 1000"}
			}
			a, err := find(flags)
			if err != nil {
				return err
			}
			given := pflag.CommandLine.Changed
			if given("partitions") {
				a.topics.Partitions = *partitions
			}
			if given("copies") {
				a.topics.Copies = *copies
			}
			if given("read-only") {
				a.topics.ReadOnly = *readOnly
			}
			if _, _, err := a.names(); err != nil { // before it connects
				return err
			}
			if err := a.connect(ctx); err != nil {
				return err
			}
			defer a.Close()
			return a.apply(ctx)
		})
}

// admin is a connection to the cluster with the rights to change it.
type admin struct {
	*kadm.Client
	raw    *kgo.Client // for requests that kadm does not have
	found  *settings.Settings
	class  class // the class that the admin belongs to
	topics topics
}

// find finds the admin's class. It does not connect.
func find(flags *settings.Flags) (*admin, error) {
	found, err := flags.Find()
	if err != nil {
		return nil, err
	}
	a := &admin{found: found, class: classOf(found.Folder)}
	a.topics, err = a.class.topics()
	return a, err
}

// connect connects with the admin's credentials. The caller closes the connection.
func (a *admin) connect(ctx context.Context) error {
	security, err := tlsconf.Load(a.found.Folder, a.found.Password, cli.Warn)
	if err != nil {
		return a.found.WithSource(err)
	}
	a.raw, err = kgo.NewClient(kgo.AlwaysRetryEOF(), kgo.SeedBrokers(a.found.Brokers...), kgo.DialTLSConfig(security), kgo.WithHooks(cluster.Reporter()))
	if err != nil {
		return err
	}
	a.Client = kadm.NewClient(a.raw)
	if err := cluster.Check(ctx, a.raw, ""); err != nil {
		a.Close()
		return a.found.WithSource(err)
	}
	return nil
}

// names returns the students and groups, and the topics of the class. If a topic cannot be made, it prints why.
func (a *admin) names() (students, topics []string, err error) {
	if students, err = a.class.students(); err != nil {
		return nil, nil, err
	}
	topics = slices.Concat(students, a.topics.ReadOnly)
	for _, problem := range broker.TopicProblems(topics) {
		cli.Say("%s", problem)
		err = errors.New("nothing was done")
	}
	return students, topics, err
}

// apply makes the topics and rights that are missing. It reports each topic that fails, and continues.
func (a *admin) apply(ctx context.Context) error {
	students, topics, err := a.names()
	if err != nil {
		return err
	}
	failed, err := a.makeTopics(ctx, topics)
	if err != nil {
		return err
	}
	known, err := rightsKnownTo(ctx, a.raw)
	if err != nil {
		return fmt.Errorf("rights: %w", err)
	}
	wanted := a.rights(students)
	missing := slices.DeleteFunc(slices.Clone(wanted), func(r right) bool { return known[r] })
	if err := a.grant(ctx, wanted); err != nil {
		return fmt.Errorf("rights: %w", err)
	}
	cli.Say("rights: made %s, %s existed", cli.Count(len(missing)), cli.Count(len(wanted)-len(missing)))
	if failed > 0 {
		return fmt.Errorf("%s of %s topics failed", cli.Count(failed), cli.Count(len(topics)))
	}
	return a.class.keep(a.topics)
}

// makeTopics makes the topics that are missing, and returns how many topics failed.
func (a *admin) makeTopics(ctx context.Context, topics []string) (failed int, err error) {
	metadata, err := a.Metadata(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("topics: %w", refusal(err))
	}
	replicas := min(a.topics.Copies, len(metadata.Brokers))
	made, existing := 0, []string(nil)
	failedWith := func(topic string, err error) {
		failed++
		cli.Warn(fmt.Errorf("topic %s: %w", topic, err))
	}
	// All topics, because a broker may still know a topic that has just been deleted.
	for some := range slices.Chunk(topics, topicsAtOnce) {
		responses, err := a.CreateTopics(ctx, int32(a.topics.Partitions), int16(replicas), nil, some...)
		if err != nil {
			return failed, fmt.Errorf("topics: made %s: %w", cli.Count(made), refusal(err))
		}
		for _, response := range responses.Sorted() {
			switch err := refusal(response.Err); {
			case err == nil:
				made++
			case errors.Is(err, kerr.TopicAlreadyExists):
				existing = append(existing, response.Topic)
			default:
				failedWith(response.Topic, err)
			}
		}
	}
	for range 50 { // another broker may not know a new topic yet
		if len(existing) == 0 {
			break
		}
		if metadata, err = a.Metadata(fresh(ctx), existing...); err != nil {
			return failed, fmt.Errorf("topics: %w", refusal(err))
		}
		if metadata.Topics.Error() == nil || cli.Pause(ctx, 100*time.Millisecond) != nil {
			break
		}
	}
	for _, topic := range existing {
		if err := a.topics.flawOf(metadata.Topics[topic], len(metadata.Brokers)); err != nil {
			failedWith(topic, err)
		}
	}
	cli.Say("topics: made %s with %d replicas, %s existed", cli.Count(made), replicas, cli.Count(len(existing)))
	return failed, nil
}

// fresh makes kadm ask the brokers for metadata. Without it, an answer can be five seconds old.
func fresh(ctx context.Context) context.Context { return kadm.WithAuthorizedOps(ctx) }

// flawOf returns how a topic differs from what the class needs. It may have more replicas than there
// are brokers: then a broker is down. Nothing is known about a topic that is not in the metadata yet.
func (t topics) flawOf(topic kadm.TopicDetail, brokers int) error {
	n, replicas := len(topic.Partitions), topic.Partitions.NumReplicas()
	if wanted := min(t.Copies, brokers); topic.Err == nil && (n != t.Partitions || replicas < wanted) {
		return cli.WithHint(fmt.Errorf("it has %d partitions with %d replicas, not %d with %d", n, replicas, t.Partitions, wanted),
			"delete it with enroll remove %s, then run enroll apply again", topic.Topic)
	}
	return nil
}

// refusal explains an error that the cluster returned to the admin.
func refusal(err error) error {
	if errors.Is(err, kerr.ClusterAuthorizationFailed) || errors.Is(err, kerr.TopicAuthorizationFailed) {
		return cli.WithHint(fmt.Errorf("these credentials do not have the right: %w", err), "use the admin's folder: --auth creds/admin")
	}
	return err
}

// right is what a user may do (an ACL).
type right struct {
	user      string
	kind      kmsg.ACLResourceType
	name      string
	operation kmsg.ACLOperation
}

// rightsOf returns the rights of students and groups in the course: each may write and read the topic of the same
// name, and read each group, as its members must. These rights include the right to describe. They
// need no right on the cluster: since Kafka 2.8 an idempotent producer works without it.
func rightsOf(students ...string) (rights []right) {
	for _, student := range students {
		user := "User:" + student
		rights = append(rights,
			right{user, kmsg.ACLResourceTypeTopic, student, kmsg.ACLOperationWrite},
			right{user, kmsg.ACLResourceTypeTopic, student, kmsg.ACLOperationRead},
			right{user, kmsg.ACLResourceTypeGroup, "*", kmsg.ACLOperationRead})
	}
	return rights
}

// rights returns all rights of a class: those of its students, and everybody may read the topics for all.
func (a *admin) rights(students []string) []right {
	rights := rightsOf(students...)
	for _, topic := range a.topics.ReadOnly {
		rights = append(rights, right{"User:*", kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationRead})
	}
	return rights
}

// rightsKnownTo asks the cluster, or one of its brokers, for all rights. kadm cannot ask one broker.
func rightsKnownTo(ctx context.Context, asked kmsg.Requestor) (map[right]bool, error) {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType = kmsg.ACLResourceTypeAny
	req.ResourcePatternType = kmsg.ACLResourcePatternTypeLiteral
	req.Operation = kmsg.ACLOperationAny
	req.PermissionType = kmsg.ACLPermissionTypeAllow
	resp, err := req.RequestWith(ctx, asked)
	if err == nil {
		err = refusal(kerr.ErrorForCode(resp.ErrorCode))
	}
	if err != nil {
		return nil, err
	}
	known := make(map[right]bool)
	for _, resource := range resp.Resources {
		for _, rule := range resource.ACLs {
			known[right{rule.Principal, resource.ResourceType, resource.ResourceName, rule.Operation}] = rule.Host == "*"
		}
	}
	return known, nil
}

// grant makes rights, also those that exist: a broker may still know a right that has just been removed.
// kadm would send a request for each student, and the controller needs about 140 ms for each request.
func (a *admin) grant(ctx context.Context, rights []right) error {
	req := kmsg.NewPtrCreateACLsRequest()
	for _, r := range rights {
		creation := kmsg.NewCreateACLsRequestCreation()
		creation.Principal, creation.Host, creation.PermissionType = r.user, "*", kmsg.ACLPermissionTypeAllow
		creation.ResourceType, creation.ResourceName, creation.Operation = r.kind, r.name, r.operation
		creation.ResourcePatternType = kmsg.ACLResourcePatternTypeLiteral
		req.Creations = append(req.Creations, creation)
	}
	resp, err := req.RequestWith(ctx, a.raw)
	if err != nil {
		return err
	}
	for _, result := range resp.Results {
		if err := refusal(kerr.ErrorForCode(result.ErrorCode)); err != nil {
			return err
		}
	}
	return nil
}
