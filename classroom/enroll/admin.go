package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/settings"
)

// admin is the cluster with the rights to change it.
type admin struct {
	*kadm.Client
	raw *kgo.Client // for what kadm would need many requests for
}

// openAdmin connects with the admin's credentials. The caller closes it.
func openAdmin(ctx context.Context, program *cli.Program, found *settings.Settings) (*admin, error) {
	here, err := cluster.Open(ctx, program, found, cluster.Needs{})
	if err != nil {
		return nil, err
	}
	client, err := here.Client()
	if err != nil {
		return nil, err
	}
	return newAdmin(client), nil
}

func newAdmin(client *kgo.Client) *admin { return &admin{Client: kadm.NewClient(client), raw: client} }

// fresh makes kadm ask the brokers for metadata. Otherwise it answers from what it heard in the last
// five seconds, unless it has to tell which operations are allowed.
func fresh(ctx context.Context) context.Context { return kadm.WithAuthorizedOps(ctx) }

// refusal words an answer of the cluster to an admin: an error code, and the broker's own words where
// it has some.
func refusal(err error, message string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.ClusterAuthorizationFailed), errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.GroupAuthorizationFailed):
		return fmt.Errorf("these credentials may not do that, it takes an admin's: --auth creds/admin (%w)", err)
	case errors.Is(err, kerr.SecurityDisabled):
		return fmt.Errorf("the cluster checks no rights: everybody may do everything (authorizer.class.name is not set): %w", err)
	case message != "":
		return fmt.Errorf("%s (%w)", strings.TrimSuffix(message, "."), err)
	}
	return err
}

// refused words an error code and the message beside it.
func refused(code int16, message *string) error {
	text := ""
	if message != nil {
		text = *message
	}
	return refusal(kerr.ErrorForCode(code), text)
}
