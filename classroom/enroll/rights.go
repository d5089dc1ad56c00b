package main

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// right is one access rule (ACL) of the cluster.
type right struct {
	principal string // User:client7
	host      string // from where, * is anywhere
	kind      kmsg.ACLResourceType
	name      string
	pattern   kmsg.ACLResourcePatternType
	operation kmsg.ACLOperation
	allow     kmsg.ACLPermissionType
}

func principal(student string) string { return "User:" + user(student) }

// rightsOf are what a student may do in the course: write and read the topic of the same name, and
// be a member of any group. Each includes the right to describe the thing. Nothing is said about the
// cluster: an idempotent producer needs no right of its own since Kafka 2.8.
func rightsOf(student string) []right {
	allow := func(operation kmsg.ACLOperation, kind kmsg.ACLResourceType, name string) right {
		return right{
			principal: principal(student), host: "*",
			kind: kind, name: name, pattern: kmsg.ACLResourcePatternTypeLiteral,
			operation: operation, allow: kmsg.ACLPermissionTypeAllow,
		}
	}
	return []right{
		allow(kmsg.ACLOperationWrite, kmsg.ACLResourceTypeTopic, student),
		allow(kmsg.ACLOperationRead, kmsg.ACLResourceTypeTopic, student),
		allow(kmsg.ACLOperationRead, kmsg.ACLResourceTypeGroup, "*"),
	}
}

// rightsKnownTo asks the cluster, or one of its brokers, for the rules of a principal or, for nil, of
// everybody.
func rightsKnownTo(ctx context.Context, asked kmsg.Requestor, principal *string) ([]right, error) {
	req := kmsg.NewPtrDescribeACLsRequest()
	req.ResourceType = kmsg.ACLResourceTypeAny
	req.ResourcePatternType = kmsg.ACLResourcePatternTypeAny
	req.Operation = kmsg.ACLOperationAny
	req.PermissionType = kmsg.ACLPermissionTypeAny
	req.Principal = principal
	resp, err := req.RequestWith(ctx, asked)
	if err != nil {
		return nil, err
	}
	if err := refused(resp.ErrorCode, resp.ErrorMessage); err != nil {
		return nil, err
	}
	var all []right
	for _, resource := range resp.Resources {
		for _, rule := range resource.ACLs {
			all = append(all, right{
				principal: rule.Principal, host: rule.Host,
				kind: resource.ResourceType, name: resource.ResourceName, pattern: resource.ResourcePatternType,
				operation: rule.Operation, allow: rule.PermissionType,
			})
		}
	}
	return all, nil
}

// rightsAtOnce is how many rules one request makes. A request takes the controller about 140 ms,
// whatever it holds, but it refuses those that hold more than 10,000.
const rightsAtOnce = 6000

// grant makes rules. It returns the first refusal among those of a request and goes on with the rest.
func (a *admin) grant(ctx context.Context, rights []right) (made int, err error) {
	for some := range slices.Chunk(rights, rightsAtOnce) {
		req := kmsg.NewPtrCreateACLsRequest()
		for _, r := range some {
			creation := kmsg.NewCreateACLsRequestCreation()
			creation.Principal, creation.Host = r.principal, r.host
			creation.ResourceType, creation.ResourceName, creation.ResourcePatternType = r.kind, r.name, r.pattern
			creation.Operation, creation.PermissionType = r.operation, r.allow
			req.Creations = append(req.Creations, creation)
		}
		resp, requestErr := req.RequestWith(ctx, a.raw)
		if requestErr != nil {
			return made, requestErr
		}
		for _, result := range resp.Results {
			switch no := refused(result.ErrorCode, result.ErrorMessage); {
			case no == nil:
				made++
			case err == nil:
				err = no
			}
		}
	}
	return made, err
}

// withdraw takes all rules of a principal away, whoever made them, and returns how many those were.
func (a *admin) withdraw(ctx context.Context, principal string) (int, error) {
	filter := kmsg.NewDeleteACLsRequestFilter()
	filter.ResourceType = kmsg.ACLResourceTypeAny
	filter.ResourcePatternType = kmsg.ACLResourcePatternTypeAny
	filter.Operation = kmsg.ACLOperationAny
	filter.PermissionType = kmsg.ACLPermissionTypeAny
	filter.Principal = &principal
	req := kmsg.NewPtrDeleteACLsRequest()
	req.Filters = append(req.Filters, filter)
	resp, err := req.RequestWith(ctx, a.raw)
	if err != nil {
		return 0, err
	}
	gone := 0
	for _, result := range resp.Results {
		if err := refused(result.ErrorCode, result.ErrorMessage); err != nil {
			return gone, err
		}
		for _, rule := range result.MatchingACLs {
			if err := refused(rule.ErrorCode, rule.ErrorMessage); err != nil {
				return gone, err
			}
			gone++
		}
	}
	return gone, nil
}
