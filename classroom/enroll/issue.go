package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/lab/issuer"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

const day = 24 * time.Hour

const (
	mostStudents = 3000  // and groups: the brokers take at most 10,000 rights in one request
	mostDays     = 36500 // a time.Duration can be twice as long
)

// options are what enroll issue makes, and how.
type options struct {
	class    class
	students []string // and groups
	nodes    []string // names of the brokers
	hosts    []string // names and addresses in the brokers' certificates
	brokers  []string // host:port, for the students
	lifetime time.Duration
	password string
	zip      bool
}

func issue() {
	students := pflag.Int("students", 0, "`number` of students: client1, client2, ...")
	file := pflag.String("roster", "", "`file` with names of students and groups: in each line a name or a range\n"+
		"(group1..group20), or CSV with the columns \"name\" and \"group\"")
	out := pflag.String("out", "creds", "`folder` for the class")
	nodes := pflag.StringSlice("nodes", []string{"kafka-1", "kafka-2", "kafka-3"}, "`names` of the brokers")
	hosts := pflag.StringSlice("hosts", []string{"localhost", "127.0.0.1", "::1"},
		"`names` and addresses of the brokers' machines; each broker's\ncertificate contains them and the broker's own name")
	brokers := pflag.StringP("brokers", "b", settings.DefaultBrokers, "`addresses` for the students, host:port,...")
	days := pflag.Int("days", 365, "`number` of days until the credentials expire")
	zip := pflag.Bool("zip", false, "also pack each student's folder into a zip file next to it")

	run("issue", `Makes the credentials of a class: an authority, the brokers, an admin, and a folder to hand out for
each student and each group. Run it again to make what is missing. It never changes existing files.
The password of the stores is KAFKA_KEYSTORE_PASSWORD, or `+settings.DefaultPassword+`.

  enroll issue --students 300
  enroll issue --roster class.csv --zip --brokers kafka.example.org:19093`,
		func(ctx context.Context, _ []string) (err error) {
			o := options{class: class(*out), hosts: *hosts, lifetime: time.Duration(*days) * day, zip: *zip}
			// Not a flag, because other users of this machine can read a command line.
			var isSet bool
			if o.password, isSet = os.LookupEnv("KAFKA_KEYSTORE_PASSWORD"); isSet && len(o.password) < 6 {
				return errors.New("KAFKA_KEYSTORE_PASSWORD: Java's keytool needs at least 6 characters")
			}
			if (*file == "") == (*students == 0) {
				return &cli.Misuse{Problem: "use either --students NUMBER or --roster FILE"}
			}
			if *students < 0 || *students > mostStudents || *days < 1 || *days > mostDays {
				return &cli.Misuse{Problem: fmt.Sprintf("--students is from 1 to %d, and --days from 1 to %d", mostStudents, mostDays)}
			}
			if o.brokers, err = settings.ParseBrokers(*brokers); err != nil {
				return &cli.Misuse{Problem: "--brokers: " + err.Error()}
			}
			names, groups := expand(fmt.Sprint("client1..client", *students)), []string(nil)
			if *file != "" {
				if names, groups, err = readRoster(*file); err != nil {
					return err
				}
			}
			if n := len(names) + len(groups); n < 1 || n > mostStudents {
				return fmt.Errorf("%s: it has %s students and groups, not 1 to %s", *file, cli.Count(n), cli.Count(mostStudents))
			}
			all := newRegister()
			o.nodes = all.add("a broker", *nodes...)
			o.students = slices.Concat(all.add("a student", names...), all.add("a group", groups...))
			if err := all.err(); err != nil {
				return err
			}
			return o.issue(ctx)
		})
}

// issue makes what is missing.
func (o *options) issue(ctx context.Context) error {
	if err := os.MkdirAll(o.class.student(""), 0o755); err != nil {
		return err
	}
	ca, err := o.authority()
	if err != nil {
		return err
	}
	made, packed := 0, 0
	all := slices.Concat(o.nodes, []string{adminName}, o.students)
	for i, name := range all {
		folder, brokers := o.class.student(name), o.brokers
		switch {
		case i < len(o.nodes):
			folder, brokers = o.class.broker(name), nil
		case i == len(o.nodes):
			folder = o.class.admin()
		}
		added, err := o.complete(ca, name, folder, brokers)
		if err != nil {
			return err
		}
		if added > 0 {
			made++
		}
		archive := folder + ".zip"
		if o.zip && i > len(o.nodes) && (added > 0 || !exists(archive)) {
			packed++
			if err := issuer.Pack(folder, archive); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	cli.Say("%s: made or completed %s of %s folders, the others existed", o.class, cli.Count(made), cli.Count(len(all)))
	if o.zip {
		cli.Say("packed %s of %s zip files, the others existed", cli.Count(packed), cli.Count(len(o.students)))
	}
	cli.Say("hand out the folders in %s: each student uses one instead of auth/", o.class.student(""))
	o.class.reportExposed()
	return nil
}

// complete makes the files that a folder lacks, and returns how many. Without brokers it is a broker's folder.
func (o *options) complete(ca *issuer.CA, name, folder string, brokers []string) (added int, err error) {
	content := issuer.Folder{CA: ca, Brokers: brokers, Password: o.password}
	if brokers == nil {
		content.Identity, err = ca.Broker(name, append([]string{name}, o.hosts...)...)
	} else {
		content.Identity, err = ca.Client(name)
	}
	if err != nil {
		return 0, err
	}
	added, err = content.Complete(folder)
	if errors.Is(err, issuer.ErrForeign) {
		err = cli.WithHint(err, "set KAFKA_KEYSTORE_PASSWORD if the class has another password; "+
			"otherwise move the folder away, or name another class with --out")
	}
	return added, err
}

// authority loads the authority of the class, or makes it. It is valid for twice as long as the
// credentials. So it can still sign credentials of the full lifetime for a student who comes late.
func (o *options) authority() (*issuer.CA, error) {
	dir := o.class.authority()
	isNew := !exists(dir)
	if isNew { // private keys will be in the class, so git must ignore it
		if err := os.WriteFile(filepath.Join(string(o.class), ".gitignore"), []byte("*\n"), 0o644); err != nil {
			return nil, err
		}
	}
	ca, err := issuer.Open(dir, "tkafka class", 2*o.lifetime)
	if err != nil {
		return nil, cli.WithHint(err, "put ca.crt and ca.key back, or move the folder away")
	}
	if isNew {
		cli.Say("made the authority %s", dir)
		cli.Say("hint: keep its ca.key secret: it can sign a certificate for any student")
	}
	lasting, err := ca.Lasting(o.lifetime)
	if err != nil {
		most := int(time.Until(ca.Cert().NotAfter) / day)
		err = cli.WithHint(fmt.Errorf("%s: %w", dir, err), "use at most --days %d, or make a new class with --out", most)
	}
	return lasting, err
}

// reportExposed reports the private keys of the class that other users can read.
func (c class) reportExposed() {
	var exposed []string
	for _, keys := range []string{"ca/" + issuer.KeyFile, "*/" + tlsconf.KeystoreFile, "*/*/" + tlsconf.KeystoreFile, "clients/*.zip"} {
		paths, _ := filepath.Glob(filepath.Join(string(c), keys))
		for _, path := range paths {
			// On a disk without such permissions, as those of Windows in WSL, all files look executable.
			if info, err := os.Stat(path); err == nil && info.Mode()&0o077 != 0 && info.Mode()&0o111 == 0 {
				exposed = append(exposed, path)
			}
		}
	}
	if len(exposed) > 0 {
		cli.Warn(cli.WithHint(fmt.Errorf("other users can read private keys: %s", few(exposed)), "chmod -R go= %s", c))
	}
}
