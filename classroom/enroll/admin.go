package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/settings"
)

// admin is a connection to the cluster with the rights to change it.
type admin struct {
	*kadm.Client
	raw   *kgo.Client // for requests about all students at once, which kadm does not have
	found *settings.Settings
	tls   *tls.Config
	class class // the class that the admin belongs to
}

// openAdmin connects with the admin's credentials. The caller closes the connection.
func openAdmin(ctx context.Context, found *settings.Settings) (*admin, error) {
	client, err := cluster.Open(ctx, found, "")
	if err != nil {
		return nil, err
	}
	return &admin{Client: kadm.NewClient(client), raw: client, found: found, class: classOf(found.Folder),
		tls: client.OptValue(kgo.DialTLSConfig).(*tls.Config)}, nil
}

// fresh makes kadm ask the brokers for metadata. Without it, an answer can be five seconds old.
func fresh(ctx context.Context) context.Context { return kadm.WithAuthorizedOps(ctx) }

// refusal explains an error that the cluster returned to the admin. The message is the broker's own
// text, if it sent one.
func refusal(err error, message *string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.TopicAuthorizationFailed):
		return cli.WithHint(fmt.Errorf("these credentials do not have the right: %w", err), "use the admin's folder: --auth creds/admin")
	case errors.Is(err, kerr.SecurityDisabled):
		return cli.WithHint(fmt.Errorf("the cluster does not check rights, everybody can do everything: %w", err),
			"set authorizer.class.name on each broker")
	case message != nil && *message != "":
		return fmt.Errorf("%s (%w)", strings.TrimSuffix(*message, "."), err)
	}
	return err
}

// right is one access rule (ACL) of the cluster.
type right = kadm.DescribedACL

func principal(student string) string { return "User:" + user(student) }

// rightsOf returns the rights of students in the course: each may write and read the topic of the same
// name, and read each group, as its members must. These rights include the right to describe. Students
// need no right on the cluster: since Kafka 2.8 an idempotent producer works without it.
func rightsOf(students ...string) (rights []right) {
	for _, student := range students {
		all := right{Principal: principal(student), Host: "*", Pattern: kadm.ACLPatternLiteral, Permission: kmsg.ACLPermissionTypeAllow}
		write, read, group := all, all, all
		write.Type, write.Name, write.Operation = kmsg.ACLResourceTypeTopic, student, kadm.OpWrite
		read.Type, read.Name, read.Operation = kmsg.ACLResourceTypeTopic, student, kadm.OpRead
		group.Type, group.Name, group.Operation = kmsg.ACLResourceTypeGroup, "*", kadm.OpRead
		rights = append(rights, write, read, group)
	}
	return rights
}

// without returns those of the rights that are not in known.
func without(rights, known []right) []right {
	set := make(map[right]bool, len(known))
	for _, r := range known {
		set[r] = true
	}
	return slices.DeleteFunc(slices.Clone(rights), func(r right) bool { return set[r] })
}

// rightsKnownTo asks the cluster, or one of its brokers, for all rights. kadm cannot ask one broker.
func rightsKnownTo(ctx context.Context, asked kmsg.Requestor) (all []right, err error) {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType = kmsg.ACLResourceTypeAny
	req.ResourcePatternType = kmsg.ACLResourcePatternTypeAny
	req.Operation = kmsg.ACLOperationAny
	req.PermissionType = kmsg.ACLPermissionTypeAny
	resp, err := req.RequestWith(ctx, asked)
	if err != nil {
		return nil, err
	}
	if err := refusal(kerr.ErrorForCode(resp.ErrorCode), resp.ErrorMessage); err != nil {
		return nil, err
	}
	for _, resource := range resp.Resources {
		for _, rule := range resource.ACLs {
			all = append(all, right{
				Principal: rule.Principal, Host: rule.Host,
				Type: resource.ResourceType, Name: resource.ResourceName, Pattern: resource.ResourcePatternType,
				Operation: rule.Operation, Permission: rule.PermissionType,
			})
		}
	}
	return all, nil
}

// grant makes rights, and returns how many. It continues after a refusal, and returns the first one.
// kadm would send a request for each student. The controller needs about 140 ms for each request.
func (a *admin) grant(ctx context.Context, rights []right) (made int, err error) {
	for some := range slices.Chunk(rights, 6000) { // the controller refuses more than 10,000
		req := kmsg.NewPtrCreateACLsRequest()
		for _, r := range some {
			req.Creations = append(req.Creations, kmsg.CreateACLsRequestCreation{
				ResourceType: r.Type, ResourceName: r.Name, ResourcePatternType: r.Pattern,
				Principal: r.Principal, Host: r.Host, Operation: r.Operation, PermissionType: r.Permission,
			})
		}
		resp, requestErr := req.RequestWith(ctx, a.raw)
		if requestErr != nil {
			return made, requestErr
		}
		for _, result := range resp.Results {
			if failure := refusal(kerr.ErrorForCode(result.ErrorCode), result.ErrorMessage); failure == nil {
				made++
			} else if err == nil {
				err = failure
			}
		}
	}
	return made, err
}

// withdraw removes all rights of a principal, and returns how many.
func (a *admin) withdraw(ctx context.Context, principal string) (removed int, err error) {
	all := kadm.NewACLs().AnyResource().ResourcePatternType(kadm.ACLPatternAny).Operations(kadm.OpAny).
		Allow(principal).AllowHosts().Deny(principal).DenyHosts()
	results, err := a.DeleteACLs(ctx, all)
	if err != nil {
		return 0, err
	}
	for _, result := range results {
		if result.Err != nil {
			return removed, refusal(result.Err, &result.ErrMessage)
		}
		for _, rule := range result.Deleted {
			if rule.Err != nil {
				return removed, refusal(rule.Err, &rule.ErrMessage)
			}
			removed++
		}
	}
	return removed, nil
}
