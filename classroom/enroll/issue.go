package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"tkafka/pkg/cli"
	"tkafka/pkg/issuer"
	"tkafka/pkg/settings"
)

const day = 24 * time.Hour

// mostDays keeps twice as many days within what a time.Duration can hold.
const mostDays = 36500

// order is what enroll issue was asked for.
type order struct {
	class    class
	students []string
	nodes    []string
	hosts    []string // names and addresses in the brokers' certificates
	brokers  []string // host:port, where students find the cluster
	lifetime time.Duration
	password string
	zip      bool
}

func issue() {
	program := cli.New("enroll issue",
		"Makes the credentials of a class: an authority, the brokers, an admin, and a folder to hand out for\n"+
			"each student. Run again, it adds what is missing and touches nothing else.\n"+
			"The stores' password is KAFKA_KEYSTORE_PASSWORD, or "+settings.DefaultPassword+".",
		"enroll issue --students 300\nenroll issue --roster class.csv --zip --brokers kafka.example.org:19093")
	students := program.Flags.Int("students", 0, "`number` of students: client1, client2, ...")
	file := program.Flags.String("roster", "", "`file` with their names: one a line, or CSV with a column\ncalled name")
	out := program.Flags.String("out", "creds", "`folder` for the class")
	nodes := program.Flags.StringSlice("nodes", []string{"kafka-1", "kafka-2", "kafka-3"}, "`names` of the brokers")
	hosts := program.Flags.StringSlice("hosts", []string{"localhost", "127.0.0.1", "::1"},
		"`names` and addresses of the brokers' machines: they stand in\neach broker's certificate beside its own name")
	brokers := program.Flags.StringP("brokers", "b", settings.DefaultBrokers, "`addresses` for the students, host:port,...")
	days := program.Flags.Int("days", 365, "`number` of days until the credentials expire")
	zip := program.Flags.Bool("zip", false, "pack each student's folder into a zip file beside it")

	run(program, func(ctx context.Context, _ []string) error {
		o := order{class: class(*out), nodes: *nodes, hosts: *hosts, lifetime: time.Duration(*days) * day, zip: *zip}
		list, err := o.understand(*students, *file, *brokers, *days)
		if err != nil {
			return err
		}
		if o.students, err = accept(program, list, o.nodes); err != nil {
			return err
		}
		if o.password, err = password(); err != nil {
			return err
		}
		return o.carryOut(ctx, program)
	})
}

// understand checks the command line and finds out who the students are.
func (o *order) understand(students int, file, brokers string, days int) (roster, error) {
	misuse := func(format string, args ...any) (roster, error) {
		return roster{}, &cli.Misuse{Problem: fmt.Sprintf(format, args...)}
	}
	if o.class == "" {
		return misuse("--out is empty")
	}
	if days < 1 || days > mostDays {
		return misuse("--days %d: from 1 to %d", days, mostDays)
	}
	if err := checkNodes(o.nodes); err != nil {
		return misuse("%v", err)
	}
	if err := checkHosts(o.hosts); err != nil {
		return misuse("%v", err)
	}
	var err error
	if o.brokers, err = settings.ParseBrokers(brokers); err != nil {
		return misuse("--brokers: %v", err)
	}
	const most = 10_000 // no class is larger, but a slip of the finger is
	switch {
	case file != "" && students != 0:
		return misuse("--students and --roster are two ways to say who attends: take one")
	case file != "":
		return readRoster(file)
	case students < 1 || students > most:
		return misuse("--students N or --roster FILE tells who attends, %s students at most", cli.Count(most))
	}
	return numbered(students), nil
}

// hostName is a name of the domain name system.
var hostName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$`)

func checkHosts(hosts []string) error {
	for _, host := range hosts {
		if net.ParseIP(host) == nil && (len(host) > 253 || !hostName.MatchString(host)) {
			return fmt.Errorf("--hosts: %q is neither a host name nor an address", host)
		}
	}
	return nil
}

// password is what the stores are protected with. It is no flag: others on this machine can read a
// command line.
func password() (string, error) {
	const variable, shortest = "KAFKA_KEYSTORE_PASSWORD", 6
	password, ok := os.LookupEnv(variable)
	if !ok {
		return settings.DefaultPassword, nil
	}
	if len(password) < shortest {
		return "", fmt.Errorf("%s: Java's keytool wants %d characters at least", variable, shortest)
	}
	return password, nil
}

// carryOut makes what is missing of the order.
func (o *order) carryOut(ctx context.Context, program *cli.Program) error {
	if err := os.MkdirAll(string(o.class), 0o755); err != nil {
		return err
	}
	if err := ignoreAll(string(o.class)); err != nil {
		return err
	}
	ca, made, err := o.authority()
	if err != nil {
		return err
	}
	if made {
		program.Say("made the authority %s: whoever gets its ca.key can be any student, so keep it to yourself", o.class.authority())
	}

	var folders, archives, elsewhere atomic.Int64
	parties := o.parties()
	shown := newProgress(program, "issued", len(parties))
	defer shown.end()
	err = each(ctx, runtime.NumCPU(), parties, func(_ context.Context, p party) error {
		added, err := o.complete(ca, p)
		if err != nil {
			return err
		}
		if added > 0 {
			folders.Add(1)
		} else if p.leadsElsewhere() {
			elsewhere.Add(1)
		}
		if o.zip && p.student {
			packed, err := issuer.Pack(p.folder, p.folder+".zip")
			if err != nil {
				return err
			}
			if packed {
				archives.Add(1)
			}
		}
		shown.step()
		return nil
	})
	shown.end()
	if err != nil {
		return err
	}
	program.Say("%s: made or completed %s of %s folders; one that was whole stays as it was",
		o.class, cli.Count(folders.Load()), cli.Count(len(parties)))
	if n := elsewhere.Load(); n > 0 {
		program.Say("%s of the folders that were there lead to other brokers than %s: give the --brokers of the class, "+
			"or delete their %s and run this again", cli.Count(n), strings.Join(o.brokers, ","), settings.PropertiesFile)
	}
	if o.zip {
		program.Say("packed %s of %s zip files; one that was there stays as it was", cli.Count(archives.Load()), cli.Count(len(o.students)))
	}
	program.Say("each student gets a folder of %s, to be put in place of auth/", o.class.student(""))
	return nil
}

// ignoreAll keeps private keys out of git, wherever the folder is.
func ignoreAll(dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, ".gitignore"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = file.WriteString("*\n")
	return errors.Join(err, file.Close())
}

// authority loads the authority of the class, or makes it. It lives twice as long as what it signs:
// whoever comes late gets credentials for as long as the others did, until theirs end.
func (o *order) authority() (ca *issuer.CA, made bool, err error) {
	dir := o.class.authority()
	ca, err = issuer.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		made = true
		ca, err = makeAuthority(dir, 2*o.lifetime)
	}
	if err != nil {
		return nil, false, err
	}
	lasting, err := ca.Lasting(o.lifetime)
	if err != nil {
		most := int(time.Until(ca.Cert().NotAfter) / day)
		return nil, false, fmt.Errorf("%s: %w: --days %d is the most, or start a new class with --out", dir, err, most)
	}
	return lasting, made, nil
}

// makeAuthority leaves both its files in dir or, if it is stopped, none: they are made in a folder
// that then gets the name. Like the files themselves, this replaces nothing: there is no renaming to
// a folder in which something is.
func makeAuthority(dir string, lifetime time.Duration) (*issuer.CA, error) {
	ca, err := issuer.New("tkafka class", lifetime)
	if err != nil {
		return nil, err
	}
	half, err := os.MkdirTemp(filepath.Dir(dir), ".ca-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(half)
	if err := ca.Save(half); err != nil {
		return nil, err
	}
	if err := os.Rename(half, dir); err != nil {
		return nil, fmt.Errorf("%s holds no ca.key, but something else: put the key back, or move the folder away: %w", dir, err)
	}
	return ca, nil
}

// party is somebody who gets an identity.
type party struct {
	name    string
	folder  string
	brokers []string // none for a broker
	student bool
}

func (o *order) parties() []party {
	var parties []party
	for _, node := range o.nodes {
		parties = append(parties, party{name: node, folder: o.class.broker(node)})
	}
	parties = append(parties, party{name: adminName, folder: o.class.admin(), brokers: o.brokers})
	for _, name := range o.students {
		parties = append(parties, party{name: name, folder: o.class.student(name), brokers: o.brokers, student: true})
	}
	return parties
}

// leadsElsewhere tells whether the folder, which is whole, has other addresses than were asked for: the
// class would be sent to two clusters.
func (p party) leadsElsewhere() bool {
	if p.brokers == nil {
		return false
	}
	there, err := settings.InFolder(p.folder)
	return err == nil && !slices.Equal(there.Brokers, p.brokers)
}

// complete adds what a folder lacks, and returns how many files that were.
func (o *order) complete(ca *issuer.CA, p party) (int, error) {
	folder := issuer.Folder{CA: ca, Brokers: p.brokers, Password: o.password}
	var err error
	if p.brokers == nil {
		hosts := o.hosts
		if !slices.Contains(hosts, p.name) {
			hosts = append([]string{p.name}, hosts...)
		}
		folder.Identity, err = ca.Broker(p.name, hosts...)
	} else {
		folder.Identity, err = ca.Client(p.name)
	}
	if err != nil {
		return 0, err
	}
	added, err := folder.Complete(p.folder)
	var foreign *issuer.ForeignError
	switch {
	case errors.As(err, &foreign):
		return 0, fmt.Errorf("%w: %s did not issue them: move the folder away, or name another class with --out", err, o.class.authority())
	case err != nil && !strings.Contains(err.Error(), p.folder):
		return 0, fmt.Errorf("%s: %w", p.folder, err)
	}
	return added, err
}
