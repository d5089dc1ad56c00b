package main

import (
	"bytes"
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

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/issuer"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const day = 24 * time.Hour

// options are what enroll issue makes.
type options struct {
	class    class
	students []string
	nodes    []string // names of the brokers
	hosts    []string // names and addresses in the brokers' certificates
	brokers  []string // host:port, for the students
	lifetime time.Duration
	password string
	zip      bool
}

// identity is a broker, the admin or a student: somebody who gets a certificate.
type identity struct {
	name    string
	folder  string
	brokers []string // nil for a broker
	student bool
}

func issue() {
	about := "Makes the credentials of a class: an authority, the brokers, an admin, and a folder to hand out for\n" +
		"each student. Run it again to make what is missing. It never changes existing files.\n" +
		"The password of the stores is KAFKA_KEYSTORE_PASSWORD, or " + settings.DefaultPassword + "." +
		"\n\n  enroll issue --students 300\n  enroll issue --roster class.csv --zip --brokers kafka.example.org:19093"
	students := pflag.Int("students", 0, "`number` of students: client1, client2, ...")
	file := pflag.String("roster", "", "`file` with their names: one per line, or CSV with a column \"name\"")
	out := pflag.String("out", "creds", "`folder` for the class")
	nodes := pflag.StringSlice("nodes", []string{"kafka-1", "kafka-2", "kafka-3"}, "`names` of the brokers")
	hosts := pflag.StringSlice("hosts", []string{"localhost", "127.0.0.1", "::1"},
		"`names` and addresses of the brokers' machines; each broker's\ncertificate contains them and the broker's own name")
	brokers := pflag.StringP("brokers", "b", settings.DefaultBrokers, "`addresses` for the students, host:port,...")
	days := pflag.Int("days", 365, "`number` of days until the credentials expire")
	zip := pflag.Bool("zip", false, "also pack each student's folder into a zip file next to it")

	run("issue", about, func(ctx context.Context, _ []string) error {
		o := options{class: class(*out), nodes: *nodes, hosts: *hosts, lifetime: time.Duration(*days) * day, zip: *zip}
		list, err := o.parse(*students, *file, *brokers, *days)
		if err != nil {
			return err
		}
		if o.students, err = o.class.accept(list, o.nodes...); err != nil {
			return err
		}
		if o.password, err = password(); err != nil {
			return err
		}
		return o.issue(ctx)
	})
}

// parse checks the command line, and returns the students' names.
func (o *options) parse(students int, file, brokers string, days int) (roster, error) {
	misuse := func(format string, args ...any) (roster, error) {
		return roster{}, &cli.Misuse{Problem: fmt.Sprintf(format, args...)}
	}
	const mostDays = 36500      // twice as many are still within the range of a time.Duration
	const mostStudents = 10_000 // a larger number is a typing error
	switch {
	case o.class == "":
		return misuse("--out is empty")
	case days < 1 || days > mostDays:
		return misuse("--days %d is not from 1 to %d", days, mostDays)
	case file == "" && students == 0:
		return misuse("--students NUMBER or --roster FILE is missing")
	case file != "" && students != 0:
		return misuse("--students and --roster exclude each other")
	case students < 0 || students > mostStudents:
		return misuse("--students %d is not from 1 to %s", students, cli.Count(mostStudents))
	}
	if err := checkNodes(o.nodes); err != nil {
		return misuse("%v", err)
	}
	for _, host := range o.hosts {
		if net.ParseIP(host) == nil && (len(host) > 253 || !hostName.MatchString(host)) {
			return misuse("--hosts: %q is neither a host name nor an address", host)
		}
	}
	var err error
	if o.brokers, err = settings.ParseBrokers(brokers); err != nil {
		return misuse("--brokers: %v", err)
	}
	if file != "" {
		return readRoster(file)
	}
	return rosterOf(numbered(students)...), nil
}

var hostName = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$`)

// password returns the password of the stores. It is not a flag, because other users of this machine
// can read a command line.
func password() (string, error) {
	const variable, shortest = "KAFKA_KEYSTORE_PASSWORD", 6
	password, ok := os.LookupEnv(variable)
	if !ok {
		return settings.DefaultPassword, nil
	}
	if len(password) < shortest {
		return "", fmt.Errorf("%s: Java's keytool needs at least %d characters", variable, shortest)
	}
	return password, nil
}

// issue makes what is missing.
func (o *options) issue(ctx context.Context) error {
	err := os.MkdirAll(string(o.class), 0o755)
	// Private keys are in this folder, so git must ignore it.
	if ignored := filepath.Join(string(o.class), ".gitignore"); err == nil && !exists(ignored) {
		err = os.WriteFile(ignored, []byte("*\n"), 0o644)
	}
	if err != nil {
		return err
	}
	unlock, err := o.class.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := issuer.RemoveTemporary(string(o.class)); err != nil {
		return err
	}
	isNew := !exists(o.class.authority())
	ca, err := o.authority()
	if err != nil {
		return err
	}
	if isNew {
		cli.Say("made the authority %s", o.class.authority())
		cli.Say("hint: " + "keep its ca.key secret: it can sign a certificate for any student")
	}

	var done, folders, archives, different atomic.Int64
	var identities []identity
	for _, node := range o.nodes {
		identities = append(identities, identity{name: node, folder: o.class.broker(node)})
	}
	identities = append(identities, identity{name: adminName, folder: o.class.admin(), brokers: o.brokers})
	for _, name := range o.students {
		identities = append(identities, identity{name: name, folder: o.class.student(name), brokers: o.brokers, student: true})
	}
	err = each(ctx, runtime.NumCPU(), len(identities), func(_ context.Context, at int) error {
		i := identities[at]
		added, err := o.complete(ca, i)
		if err != nil {
			return err
		}
		if added > 0 {
			folders.Add(1)
		} else if found, err := settings.InFolder(i.folder); i.brokers != nil && err == nil && !slices.Equal(found.Brokers, i.brokers) {
			different.Add(1) // the class would use two clusters
		}
		if o.zip && i.student {
			packed, err := issuer.Pack(i.folder, i.folder+".zip")
			if err != nil {
				return err
			}
			if packed {
				archives.Add(1)
			}
		}
		progress("issued %d of %d", done.Add(1), len(identities))
		return nil
	})
	cli.Bottom("")
	if err != nil {
		return err
	}
	cli.Say("%s: made or completed %s of %s folders, the others existed",
		o.class, cli.Count(folders.Load()), cli.Count(len(identities)))
	if n := different.Load(); n > 0 {
		cli.Say("existing folders with other brokers than %s: %s", strings.Join(o.brokers, ","), cli.Count(n))
		cli.Say("hint: "+"use the same --brokers as before, or delete %s in these folders and run this again", settings.PropertiesFile)
	}
	if o.zip {
		cli.Say("packed %s of %s zip files, the others existed", cli.Count(archives.Load()), cli.Count(len(o.students)))
	}
	o.reportExposed(identities)
	cli.Say("hand out the folders in %s: each student uses one in place of auth/", o.class.student(""))
	return nil
}

// authority loads the authority of the class, or makes it. It is valid for twice as long as the
// credentials. So it can still sign credentials of the full lifetime for a student who comes late.
func (o *options) authority() (*issuer.CA, error) {
	dir := o.class.authority()
	ca, err := issuer.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		ca, err = makeAuthority(dir, 2*o.lifetime)
	}
	if err != nil {
		return nil, err
	}
	lasting, err := ca.Lasting(o.lifetime)
	if err != nil {
		most := int(time.Until(ca.Cert().NotAfter) / day)
		return nil, cli.WithHint(fmt.Errorf("%s: %w", dir, err), "use at most --days %d, or make a new class with --out", most)
	}
	return lasting, nil
}

// makeAuthority makes both files of an authority in another folder and then renames that folder. If it
// is stopped, dir has none of them. It replaces nothing: the renaming fails if dir has files.
func makeAuthority(dir string, lifetime time.Duration) (*issuer.CA, error) {
	ca, err := issuer.New("tkafka class", lifetime)
	if err != nil {
		return nil, err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), issuer.Temporary+"*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary)
	if err := ca.Save(temporary); err != nil {
		return nil, err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return nil, cli.WithHint(fmt.Errorf("%s has files, but no ca.key: %w", dir, err), "put ca.key back, or move the folder away")
	}
	return ca, nil
}

// reportExposed reports the private keys of the class that are not secret.
func (o *options) reportExposed(identities []identity) {
	folders := []string{o.class.authority()}
	keys := []string{filepath.Join(o.class.authority(), issuer.KeyFile)}
	for _, i := range identities {
		folders = append(folders, i.folder)
		keys = append(keys, filepath.Join(i.folder, tlsconf.KeystoreFile))
	}
	var withKey, exposed []string
	for _, folder := range folders {
		path := filepath.Join(folder, tlsconf.CAFile)
		if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte("PRIVATE KEY-----")) {
			withKey = append(withKey, path)
		}
	}
	for _, path := range keys {
		// On a disk without such permissions, as those of Windows in WSL, all files look executable.
		if info, err := os.Stat(path); err == nil && info.Mode()&0o077 != 0 && info.Mode()&0o111 == 0 {
			exposed = append(exposed, path)
		}
	}
	if len(withKey) > 0 {
		cli.Say("%s: a private key is in it%s", withKey[0], andMore(withKey))
		cli.Say("hint: " + "remove it: with the authority's key, anybody can sign certificates")
	}
	if len(exposed) > 0 {
		cli.Say("%s: its mode lets other users read the private key%s", exposed[0], andMore(exposed))
		cli.Say("hint: "+"chmod -R go= %s", o.class)
	}
}

// andMore counts the files that a line does not name.
func andMore(files []string) string {
	switch more := len(files) - 1; more {
	case 0:
		return ""
	case 1:
		return ", and 1 more file"
	default:
		return fmt.Sprintf(", and %s more files", cli.Count(more))
	}
}

// complete makes the files that a folder lacks, and returns how many.
func (o *options) complete(ca *issuer.CA, i identity) (int, error) {
	folder := issuer.Folder{CA: ca, Brokers: i.brokers, Password: o.password}
	var err error
	if i.brokers == nil {
		folder.Identity, err = ca.Broker(i.name, append([]string{i.name}, o.hosts...)...)
	} else {
		folder.Identity, err = ca.Client(i.name)
	}
	if err != nil {
		return 0, err
	}
	added, err := folder.Complete(i.folder)
	if _, foreign := errors.AsType[*issuer.ForeignError](err); foreign {
		return 0, cli.WithHint(fmt.Errorf("%w: %s did not issue them", err, o.class.authority()),
			"move the folder away, or name another class with --out")
	}
	return added, err
}
