package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/issuer"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const day = 24 * time.Hour

// mostStudents is a limit of the brokers: they take at most 10,000 rights in one request.
const mostStudents = 3000

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

func issue() {
	students := pflag.Int("students", 0, "`number` of students: client1, client2, ...")
	file := pflag.String("roster", "", "`file` with their names: one per line, or CSV with a column \"name\"")
	out := pflag.String("out", "creds", "`folder` for the class")
	nodes := pflag.StringSlice("nodes", []string{"kafka-1", "kafka-2", "kafka-3"}, "`names` of the brokers")
	hosts := pflag.StringSlice("hosts", []string{"localhost", "127.0.0.1", "::1"},
		"`names` and addresses of the brokers' machines; each broker's\ncertificate contains them and the broker's own name")
	brokers := pflag.StringP("brokers", "b", settings.DefaultBrokers, "`addresses` for the students, host:port,...")
	days := pflag.Int("days", 365, "`number` of days until the credentials expire")
	zip := pflag.Bool("zip", false, "also pack each student's folder into a zip file next to it")

	run("issue", `Makes the credentials of a class: an authority, the brokers, an admin, and a folder to hand out for
each student. Run it again to make what is missing. It never changes existing files.
The password of the stores is KAFKA_KEYSTORE_PASSWORD, or `+settings.DefaultPassword+`.

  enroll issue --students 300
  enroll issue --roster class.csv --zip --brokers kafka.example.org:19093`,
		func(ctx context.Context, _ []string) (err error) {
			o := options{class: class(*out), hosts: *hosts, lifetime: time.Duration(*days) * day, zip: *zip}
			if err := o.parse(*students, *file, *brokers, *days); err != nil {
				return err
			}
			if o.nodes, err = usable(*nodes); err != nil {
				return err
			}
			var names []string
			for i := range *students {
				names = append(names, fmt.Sprint("client", i+1))
			}
			if *file != "" {
				if names, err = readRoster(*file); err != nil {
					return err
				}
			}
			if o.students, err = usable(names, o.nodes...); err != nil {
				return err
			}
			return o.issue(ctx)
		})
}

// parse checks the command line, and the password.
func (o *options) parse(students int, file, brokers string, days int) (err error) {
	misuse := func(format string, args ...any) error { return &cli.Misuse{Problem: fmt.Sprintf(format, args...)} }
	const mostDays = 36500 // twice as many are still within the range of a time.Duration
	switch {
	case o.class == "":
		return misuse("--out is empty")
	case days < 1 || days > mostDays:
		return misuse("--days %d is not from 1 to %d", days, mostDays)
	case (file == "") == (students == 0):
		return misuse("use either --students NUMBER or --roster FILE")
	case students < 0 || students > mostStudents:
		return misuse("--students %d is not from 1 to %s", students, cli.Count(mostStudents))
	}
	for _, host := range o.hosts {
		if net.ParseIP(host) == nil && !nameRule.MatchString(strings.ToLower(host)) {
			return misuse("--hosts: %q is neither a host name nor an address", host)
		}
	}
	if o.brokers, err = settings.ParseBrokers(brokers); err != nil {
		return misuse("--brokers: %v", err)
	}
	// The password is not a flag, because other users of this machine can read a command line.
	const variable, shortest = "KAFKA_KEYSTORE_PASSWORD", 6
	password, isSet := os.LookupEnv(variable)
	if o.password = password; isSet && len(password) < shortest {
		return fmt.Errorf("%s: Java's keytool needs at least %d characters", variable, shortest)
	}
	return nil
}

// issue makes what is missing.
func (o *options) issue(ctx context.Context) error {
	err := os.MkdirAll(o.class.student(""), 0o755)
	// Private keys are in this folder, so git must ignore it.
	if ignored := filepath.Join(string(o.class), ".gitignore"); err == nil && !exists(ignored) {
		err = os.WriteFile(ignored, []byte("*\n"), 0o644)
	}
	if err != nil {
		return err
	}
	ca, err := o.authority()
	if err != nil {
		return err
	}
	made, packed := 0, 0
	complete := func(name, folder string, brokers []string) (added int, err error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		content := issuer.Folder{CA: ca, Brokers: brokers, Password: o.password}
		if brokers == nil {
			content.Identity, err = ca.Broker(name, append([]string{name}, o.hosts...)...)
		} else {
			content.Identity, err = ca.Client(name)
		}
		if err == nil {
			added, err = content.Complete(folder)
		}
		if _, foreign := errors.AsType[*issuer.ForeignError](err); foreign {
			err = cli.WithHint(err, "set KAFKA_KEYSTORE_PASSWORD if the class has another password; "+
				"otherwise move the folder away, or name another class with --out")
		}
		if added > 0 {
			made++
		}
		return added, err
	}
	for _, node := range o.nodes {
		if _, err := complete(node, o.class.broker(node), nil); err != nil {
			return err
		}
	}
	if _, err := complete(adminName, o.class.admin(), o.brokers); err != nil {
		return err
	}
	for _, student := range o.students {
		folder := o.class.student(student)
		added, err := complete(student, folder, o.brokers)
		if archive := folder + ".zip"; err == nil && o.zip && (added > 0 || !exists(archive)) {
			packed++
			err = issuer.Pack(folder, archive)
		}
		if err != nil {
			return err
		}
	}
	cli.Say("%s: made or completed %s of %s folders, the others existed", o.class, cli.Count(made), cli.Count(len(o.nodes)+1+len(o.students)))
	if o.zip {
		cli.Say("packed %s of %s zip files, the others existed", cli.Count(packed), cli.Count(len(o.students)))
	}
	cli.Say("hand out the folders in %s: each student uses one instead of auth/", o.class.student(""))
	return o.class.reportExposed()
}

// authority loads the authority of the class, or makes it. It is valid for twice as long as the
// credentials. So it can still sign credentials of the full lifetime for a student who comes late.
func (o *options) authority() (*issuer.CA, error) {
	dir := o.class.authority()
	ca, err := issuer.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if ca, err = makeAuthority(dir, 2*o.lifetime); err == nil {
			cli.Say("made the authority %s", dir)
			cli.Say("hint: keep its ca.key secret: it can sign a certificate for any student")
		}
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
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".new-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temporary) // if it was not renamed
	if err := ca.Save(temporary); err != nil {
		return nil, err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return nil, cli.WithHint(fmt.Errorf("%s has files already: %w", dir, err),
			"if ca.key or ca.crt is missing there, put it back, or move the folder away")
	}
	return ca, nil
}

// reportExposed reports the private keys of the class that other users can read.
func (c class) reportExposed() error {
	var exposed []string
	err := filepath.WalkDir(string(c), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		secret := name == issuer.KeyFile || name == tlsconf.KeystoreFile || strings.HasSuffix(name, ".zip")
		// On a disk without such permissions, as those of Windows in WSL, all files look executable.
		if info, err := entry.Info(); err == nil && secret && info.Mode()&0o077 != 0 && info.Mode()&0o111 == 0 {
			exposed = append(exposed, path)
		}
		return nil
	})
	if len(exposed) > 0 {
		cli.Warn(cli.WithHint(fmt.Errorf("other users can read private keys: %s", few(exposed)), "chmod -R go= %s", c))
	}
	return err
}
