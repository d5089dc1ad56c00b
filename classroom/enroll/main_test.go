package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
	"tkafka/pkg/settings"
	"tkafka/pkg/testbed"
	"tkafka/pkg/tlsconf"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"enroll": main})
}

// The scripts that need a cluster get an embedded one or, if TKAFKA_TEST_AUTH names the admin's folder
// of a class that has its authority beside it, that class's: there they enroll students of their own.
func TestScripts(t *testing.T) {
	var err error
	if realAdmin, err = testbed.Folder(); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[key{}] = new(world)
			if realAdmin == "" {
				return nil
			}
			// A check sees what the others leave on the cluster while they run.
			release, err := testbed.TakeTurns("enroll")
			if err != nil {
				return err
			}
			env.Defer(release)
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "embedded":
				return realAdmin == "", nil
			case "class": // we can issue credentials for the cluster
				_, err := os.Stat(filepath.Join(classOf(realAdmin).authority(), "ca.key"))
				return realAdmin == "" || err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"class":     startClass,
			"revoke":    revoke,
			"grant":     grant,
			"lose":      lose,
			"topic":     makeTopic,
			"untouched": untouched,
			"mode":      mode,
			"fails":     fails,
			"remember":  remember,
			"same":      same,
		},
	})
}

// realAdmin is the folder of a real cluster's admin, if there is one.
var realAdmin string

type key struct{}

// world is what the commands of one script share.
type world struct {
	admin *admin            // after class
	kafka *embedded.Cluster // after class, unless it is a real one
	files map[string]string // after remember
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(key{}).(*world) }

func adminOf(ts *testscript.TestScript) *admin {
	if a := worldOf(ts).admin; a != nil {
		return a
	}
	ts.Fatalf("the command class comes first")
	return nil
}

func patiently() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// class STUDENT...|NUMBER: makes a class in creds/, with an authority only, and a cluster that trusts it
// at $BROKERS. What these students have on it is removed at the end.
func startClass(ts *testscript.TestScript, _ bool, students []string) {
	if number, err := strconv.Atoi(students[0]); err == nil {
		students, _ = numbered(number).students(nil)
	}
	dir := class(ts.MkAbs("creds"))
	ts.Check(os.Mkdir(string(dir), 0o755))
	var client *kgo.Client
	if realAdmin != "" {
		client = joinRealClass(ts, dir)
	} else {
		cluster, err := startEmbedded(dir, students)
		ts.Check(err)
		ts.Defer(cluster.Close)
		worldOf(ts).kafka = cluster
		ts.Setenv("BROKERS", strings.Join(cluster.Brokers(), ","))
		client, err = cluster.Client()
		ts.Check(err)
	}
	a := newAdmin(client)
	worldOf(ts).admin = a
	ts.Defer(func() {
		ctx, cancel := patiently()
		defer cancel()
		for _, student := range students {
			a.withdraw(ctx, principal(student))
		}
		a.DeleteTopics(ctx, students...)
		a.Close()
	})
}

// joinRealClass copies the authority, the brokers and the admin of a class.
func joinRealClass(ts *testscript.TestScript, dir class) *kgo.Client {
	theirs := classOf(realAdmin)
	ts.Check(os.CopyFS(dir.authority(), os.DirFS(theirs.authority())))
	ts.Check(os.CopyFS(dir.broker(""), os.DirFS(theirs.broker(""))))
	ts.Check(os.CopyFS(dir.admin(), os.DirFS(theirs.admin())))
	found, err := settings.InFolder(dir.admin())
	ts.Check(err)
	ts.Setenv("BROKERS", strings.Join(found.Brokers, ","))
	config, err := tlsconf.Load(found.Folder, found.Password, nil)
	ts.Check(err)
	client, err := kgo.NewClient(kgo.SeedBrokers(found.Brokers...), kgo.DialTLSConfig(config))
	ts.Check(err)
	return client
}

// startEmbedded starts a cluster that trusts the authority of the class, which it makes, and knows
// the admin, who may do everything, and the students.
func startEmbedded(dir class, students []string) (*embedded.Cluster, error) {
	ca, err := makeAuthority(dir.authority(), 2*365*day)
	if err != nil {
		return nil, err
	}
	identity, err := ca.Broker("kafka-1", "localhost", "127.0.0.1")
	if err != nil {
		return nil, err
	}
	everything := func(kind kmsg.ACLResourceType, name string) kfake.ACL {
		return kfake.ACL{Resource: kind, Name: name, Pattern: kmsg.ACLResourcePatternTypeLiteral,
			Operation: kmsg.ACLOperationAll, Allow: true}
	}
	rights := map[string][]kfake.ACL{adminName: {
		everything(kmsg.ACLResourceTypeCluster, "kafka-cluster"),
		everything(kmsg.ACLResourceTypeTopic, "*"),
		everything(kmsg.ACLResourceTypeGroup, "*"),
	}}
	for _, student := range students {
		rights[student] = nil // known by name
	}
	return embedded.Start(embedded.Config{TLS: ca.MutualTLS(identity), Rights: rights})
}

// revoke STUDENT write|read|group: takes one right away by hand.
func revoke(ts *testscript.TestScript, _ bool, args []string) {
	a := adminOf(ts)
	ctx, cancel := patiently()
	defer cancel()
	student := args[0]
	of := map[string]int{"write": 0, "read": 1, "group": 2}
	all := rightsOf(student)
	at, known := of[args[1]]
	if !known {
		ts.Fatalf("no right %s", args[1])
	}
	_, err := a.withdraw(ctx, principal(student))
	ts.Check(err)
	_, err = a.grant(ctx, append(all[:at], all[at+1:]...))
	ts.Check(err)
}

// grant STUDENT read|write TOPIC: gives a right by hand that no student should have.
func grant(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := patiently()
	defer cancel()
	extra := rightsOf(args[0])[map[string]int{"write": 0, "read": 1}[args[1]]]
	extra.name = args[2]
	_, err := adminOf(ts).grant(ctx, []right{extra})
	ts.Check(err)
}

// lose BROKER: makes a broker unreachable.
func lose(ts *testscript.TestScript, _ bool, args []string) {
	broker, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(worldOf(ts).kafka.Kill(int32(broker)))
}

// topic NAME PARTITIONS: makes a topic by hand.
func makeTopic(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := patiently()
	defer cancel()
	partitions, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(testbed.MakeTopic(ctx, adminOf(ts).raw, args[0], partitions))
}

// untouched TOPIC...: no message is in these topics, nor has been, and there is no trace of a check.
func untouched(ts *testscript.TestScript, _ bool, topics []string) {
	a := adminOf(ts)
	ctx, cancel := patiently()
	defer cancel()
	ends, err := a.ListEndOffsets(ctx, topics...)
	ts.Check(err)
	ts.Check(ends.Error())
	for _, end := range ends.Offsets().Sorted() {
		if end.At != 0 {
			ts.Fatalf("%s/%d ends at %d", end.Topic, end.Partition, end.At)
		}
	}
	listed, err := a.ListTopics(ctx)
	ts.Check(err)
	groups, err := a.ListGroups(ctx)
	ts.Check(err)
	for _, name := range append(listed.Names(), groups.Groups()...) {
		if strings.HasPrefix(name, tracePrefix) {
			ts.Fatalf("left behind: %s", name)
		}
	}
}

// mode 600 FILE...: checks the permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	for _, file := range args[1:] {
		info, err := os.Stat(ts.MkAbs(file))
		ts.Check(err)
		if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s", file, got)
		}
	}
}

// fails STATUS COMMAND...: runs a command that has to end with this status.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || fmt.Sprint(exit.ExitCode()) != args[0] {
		ts.Fatalf("it ended with %v, want status %s", err, args[0])
	}
}

// remember DIR: looks at all the files in a folder, for same.
func remember(ts *testscript.TestScript, _ bool, args []string) {
	files, err := look(ts.MkAbs(args[0]))
	ts.Check(err)
	worldOf(ts).files = files
}

// same DIR: all that remember has seen is as it was, to the date. With ! something is not.
func same(ts *testscript.TestScript, neg bool, args []string) {
	files, err := look(ts.MkAbs(args[0]))
	ts.Check(err)
	changed := ""
	for path, before := range worldOf(ts).files {
		if files[path] != before {
			changed = path
		}
	}
	if neg == (changed == "") {
		ts.Fatalf("changed: %q", changed)
	}
}

// look describes the files in a folder and below: mode, date and content.
func look(dir string) (map[string]string, error) {
	files := make(map[string]string)
	return files, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = fmt.Sprint(info.Mode(), info.ModTime(), content)
		return err
	})
}
