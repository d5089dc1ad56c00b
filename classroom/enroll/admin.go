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

// admin is a connection to the cluster with the rights to change it.
type admin struct {
	*kadm.Client
	raw   *kgo.Client // for requests about all students at once, which kadm does not have
	here  *cluster.Cluster
	class class // the class that the admin belongs to
}

// openAdmin connects with the admin's credentials. The caller closes the connection.
func openAdmin(ctx context.Context, program *cli.Program, flags *settings.Flags) (*admin, error) {
	found, err := flags.Find()
	if err != nil {
		return nil, err
	}
	here, err := cluster.Open(ctx, program, found, cluster.Needs{})
	if err != nil {
		return nil, err
	}
	client, err := here.Client()
	if err != nil {
		return nil, err
	}
	return &admin{Client: kadm.NewClient(client), raw: client, here: here, class: classOf(found.Folder)}, nil
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
