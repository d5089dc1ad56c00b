// Package cluster connects a program to the cluster it was told to use: over mutual TLS, after a
// check that says in plain words what is wrong, and with a watch on the brokers from then on.
package cluster

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const (
	// checkTime bounds all of Open: a student waits less than five seconds for the cluster, the start of
	// the program on a busy machine included.
	checkTime = 4 * time.Second
	// checkDialTime is what one broker may take to accept a connection during that check.
	checkDialTime = 2500 * time.Millisecond
)

// Cluster is a cluster that has been checked and can be worked with.
type Cluster struct {
	program  *cli.Program
	settings *settings.Settings
	tls      *tls.Config // nil where the settings say PLAINTEXT
	watch    *watch
	checked  bool // all was well at the start
}

// Needs names what a program is going to work with, so that Open can check it.
type Needs struct {
	Topic string // empty: no topic is checked
	Read  bool   // the right to read the topic
	Write bool   // the right to write it
	Group string // a consumer group to be a member of; empty: none
}

// Open finds the settings, loads the credentials and checks the cluster: that it can be reached,
// that it accepts the credentials, that the topic exists, and that these credentials may do with
// topic and group what the program needs. It waits less than five seconds for the cluster, and its
// errors say what to do next. A broker that does not answer while others do is told, and no error:
// the program goes on without it.
func Open(ctx context.Context, program *cli.Program, flags *settings.Flags, needs Needs) (*Cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found, err := flags.Find()
	if err != nil {
		return nil, err
	}
	c := &Cluster{program: program, settings: found}
	c.watch = newWatch(c)
	if found.TLS {
		warn := func(message string) { program.Say("%s", message) }
		if c.tls, err = tlsconf.Load(found.Folder, found.Password, warn); err != nil {
			return nil, err
		}
	}
	if err := c.check(ctx, needs); err != nil {
		return nil, err
	}
	c.checked = true
	return c, nil
}

// Options are what every client of this cluster begins with: where it is, who we are, and the
// watch on its brokers.
func (c *Cluster) Options() []kgo.Opt {
	return append(c.connection(c.settings.Brokers...), kgo.WithHooks(c.watch))
}

// connection returns the options to connect by way of these addresses.
func (c *Cluster) connection(addresses ...string) []kgo.Opt {
	options := []kgo.Opt{
		kgo.ClientID(c.program.Name),      // client.id
		kgo.SeedBrokers(addresses...),     // bootstrap.servers
		kgo.DisableClientMetrics(),        // enable.metrics.push = false
		kgo.DialTimeout(10 * time.Second), // socket.connection.setup.timeout.ms
	}
	if c.tls != nil {
		options = append(options, kgo.DialTLSConfig(c.tls)) // security.protocol = SSL
	}
	return options
}
