package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const (
	// visitsAtOnce is how many students are logged in at a time. Most of a visit is the 3 seconds for
	// which a broker holds a new group open for more members (group.initial.rebalance.delay.ms), so
	// there can be more of them than there are processors.
	visitsAtOnce = 60

	// patience is how long something may differ from what it should be without any progress: the brokers
	// learn of a change one after another, a moment after it was acknowledged.
	patience = 5 * time.Second

	// cleanUpTime is what is left for removing our traces once we were told to stop.
	cleanUpTime = cli.LeaveTime - 500*time.Millisecond

	// tracePrefix begins the name of each topic and group that a check makes.
	tracePrefix = "enroll-check-"
)

func check() {
	program := cli.New("enroll check [student]",
		"Logs in as every student: the own topic can be written and read, another's cannot, a group can be\n"+
			"joined. Looks at addresses, certificates, replicas, retention and clocks of the brokers, too.\n"+
			"No student's topic gets a message from it. Ends with status 1 if anything is wrong.",
		"enroll check --auth creds/admin\nenroll check client7 --auth creds/admin --json")
	found := settings.AddFlags(program.Flags)
	asJSON := program.Flags.Bool("json", false, "print JSON instead of a table")

	run(program, func(ctx context.Context, args []string) error {
		began := time.Now()
		c, err := openChecker(ctx, program, found)
		if err != nil {
			return err
		}
		defer c.admin.Close()
		whom := c.students
		if len(args) > 1 {
			if whom = []string{user(args[1])}; !slices.Contains(c.students, whom[0]) {
				return fmt.Errorf("no credentials of %s: there is no folder %s", whom[0], c.class.student(whom[0]))
			}
		}
		found, err := c.check(ctx, whom)
		if err != nil {
			return err
		}
		write := found.writeTable
		if *asJSON {
			write = found.writeJSON
		}
		if err := write(os.Stdout); err != nil {
			return err
		}
		summary := fmt.Sprintf("%s (%.1f s)", found.summary(), time.Since(began).Seconds())
		if !found.OK {
			return errors.New(summary)
		}
		program.Say("%s", summary)
		return nil
	})
}

// checker looks whether a class can work.
type checker struct {
	program  *cli.Program
	class    class
	students []string // all there are
	admin    *admin
	tls      *tls.Config // the admin's side of a connection
	brokers  []string    // the addresses that the admin was told
	mark     string      // in the names of this run's traces: two can run at once
	patience time.Duration
}

func openChecker(ctx context.Context, program *cli.Program, found *settings.Settings) (*checker, error) {
	err := found.Find()
	if err != nil {
		return nil, err
	}
	if !found.TLS {
		return nil, fmt.Errorf("%s: security.protocol=PLAINTEXT: brokers that do not ask for a certificate cannot tell students apart", found.Folder)
	}
	class := classOf(found.Folder)
	students, err := class.enrolled(program, "")
	if err != nil {
		return nil, err
	}
	config, err := tlsconf.Load(found.Folder, found.Password, nil)
	if err != nil {
		return nil, err
	}
	a, err := openAdmin(ctx, program, found)
	if err != nil {
		return nil, err
	}
	return &checker{
		program: program, class: class, students: students, admin: a,
		tls: config, brokers: found.Brokers,
		mark: strings.ToLower(rand.Text()[:8]), patience: patience,
	}, nil
}

// check looks at the cluster and at some of the students. An error means that it could not be
// finished; what it finds is in the report.
func (c *checker) check(ctx context.Context, whom []string) (*report, error) {
	patience := c.patience
	if !c.settle(ctx, whom) {
		patience = 0 // it has been tried: nothing changes any more
	}
	metadata, err := c.admin.Metadata(fresh(ctx), c.students...)
	if err != nil {
		return nil, refusal(err, "")
	}
	found := &report{}
	for _, look := range []func(context.Context, kadm.Metadata) []finding{
		c.authority, c.addresses, c.roundTrip, c.copies, c.retention,
	} {
		found.Cluster = append(found.Cluster, look(ctx, metadata)...)
	}

	found.Students = make([]visited, len(whom))
	queue := make([]int, len(whom))
	for i := range queue {
		queue[i] = i
	}
	shown := newProgress(c.program, "students", len(whom))
	err = each(ctx, visitsAtOnce, queue, func(ctx context.Context, i int) error {
		found.Students[i] = c.visit(ctx, whom[i], metadata, patience)
		shown.step()
		return nil
	})
	shown.end()
	found.Cluster = append(found.Cluster, c.cleanUp(ctx, whom))
	if err != nil {
		return nil, errStopped
	}
	found.judge()
	return found, nil
}

// authority looks at the certificate that all others hang on.
func (c *checker) authority(context.Context, kadm.Metadata) []finding {
	chain, err := chainOf(c.tls)
	if err != nil {
		return []finding{{What: "authority", Result: wrong, Detail: err.Error()}}
	}
	until := validity(chain[len(chain)-1])
	own := validity(chain[0])
	return []finding{
		{What: "authority", Result: until.result, Detail: until.String()},
		{What: "admin", Result: own.result, Detail: own.String()},
	}
}

// chainOf is the certificate that a client presents, and those behind it up to the authority's.
func chainOf(config *tls.Config) ([]*x509.Certificate, error) {
	presented, err := config.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil {
		return nil, err
	}
	var chain []*x509.Certificate
	for _, der := range presented.Certificate {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		chain = append(chain, cert)
	}
	return chain, nil
}

// term is how long a certificate is good.
type term struct {
	result result
	until  time.Time
}

// soon is when it is time to think of new credentials.
const soon = 14 * day

func validity(cert *x509.Certificate) term {
	t := term{result: ok, until: cert.NotAfter}
	switch now := time.Now(); {
	case now.After(cert.NotAfter), now.Before(cert.NotBefore):
		t.result = wrong
	case now.Add(soon).After(cert.NotAfter):
		t.result = note
	}
	return t
}

func (t term) String() string {
	date := t.until.UTC().Format(time.DateOnly)
	switch t.result {
	case wrong:
		return "its certificate is not valid now (it ends " + date + ")"
	case note:
		return "its certificate ends soon, on " + date
	}
	return "its certificate ends on " + date
}

// groupOf is the group that is joined in a student's name. Each joins another, so that nobody waits
// for anybody, and nobody meets a student's members.
func (c *checker) groupOf(student string) string { return tracePrefix + c.mark + "-" + student }

func (c *checker) groupsOf(students []string) (groups []string) {
	for _, student := range students {
		groups = append(groups, c.groupOf(student))
	}
	return groups
}

// cleanUp removes the groups of the visits and tells what stays behind, of this check or of an
// earlier one that was killed. It does so even when the check was stopped.
func (c *checker) cleanUp(ctx context.Context, whom []string) finding {
	limit := 3 * sessionTime
	if ctx.Err() != nil {
		limit = cleanUpTime
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	ours := c.groupsOf(whom)
	var left []string
	var err error
	// A busy broker can have missed that we left a group, which it gives up when the session ends.
	retry(ctx, limit/2, func() bool {
		// Those that were never made are not found; what could not be deleted is in the list.
		c.admin.DeleteGroups(ctx, ours...)
		var listed kadm.ListedGroups
		if listed, err = c.admin.ListGroups(ctx); err != nil {
			return false
		}
		ours, left = nil, nil
		for _, name := range listed.Groups() {
			if strings.HasPrefix(name, tracePrefix) {
				left = append(left, "group "+name)
				if strings.HasPrefix(name, c.groupOf("")) {
					ours = append(ours, name)
				}
			}
		}
		return len(ours) == 0
	})
	topics, topicsErr := c.admin.ListTopics(fresh(ctx))
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, tracePrefix) {
			left = append(left, "topic "+name)
		}
	}
	if err := errors.Join(topicsErr, err); err != nil {
		return finding{What: "traces", Result: wrong, Detail: "what is left could not be listed: " + brief(err)}
	}
	if len(left) > 0 {
		return finding{What: "traces", Result: note, Detail: "a check has left behind, or another one is running: " + few(left)}
	}
	return finding{What: "traces", Result: ok, Detail: "nothing of this check is left on the cluster"}
}

// few names some of many.
func few(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
