package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/embedded"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"enroll": main})
}

// The scripts run on an embedded cluster. If TKAFKA_TEST_AUTH names the admin's folder of a class, they
// run on the cluster of that class, with students of their own. They need its authority, too.
func TestScripts(t *testing.T) {
	if realAdmin = os.Getenv("TKAFKA_TEST_AUTH"); realAdmin != "" && !filepath.IsAbs(realAdmin) {
		realAdmin = filepath.Join("..", "..", realAdmin) // go test was typed in the root of the repository
		realAdmin, _ = filepath.Abs(realAdmin)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[key{}] = new(state)
			if realAdmin == "" {
				return nil
			}
			oneCheck.Lock() // a check reports the groups of another one
			env.Defer(oneCheck.Unlock)
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "embedded":
				return realAdmin == "", nil
			case "class": // the script can issue credentials for the cluster
				_, err := os.Stat(filepath.Join(classOf(realAdmin).authority(), "ca.key"))
				return realAdmin == "" || err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"class":    startClass,
			"revoke":   revoke,
			"grant":    grant,
			"lose":     lose,
			"topic":    makeTopic,
			"empty":    empty,
			"mode":     mode,
			"fails":    fails,
			"remember": remember,
			"same":     same,
		},
	})
}

// realAdmin is the folder of a real cluster's admin, if there is one.
var realAdmin string

var oneCheck sync.Mutex

type key struct{}

// state is what the commands of one script share.
type state struct {
	admin *admin            // after class
	kafka *embedded.Cluster // after class, nil for a real cluster
	files map[string]string // after remember
}

func stateOf(ts *testscript.TestScript) *state { return ts.Value(key{}).(*state) }

func adminOf(ts *testscript.TestScript) *admin {
	if a := stateOf(ts).admin; a != nil {
		return a
	}
	ts.Fatalf("the command class must come first")
	return nil
}

func withinAMinute() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// class STUDENT...|NUMBER: makes the authority of a class in creds/, and a cluster at $BROKERS that accepts
// it. At the end it removes the topics and rights of these students.
func startClass(ts *testscript.TestScript, _ bool, students []string) {
	if number, err := strconv.Atoi(students[0]); err == nil {
		students = numbered(number)
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
		stateOf(ts).kafka = cluster
		ts.Setenv("BROKERS", strings.Join(cluster.Brokers(), ","))
		client, err = cluster.Client()
		ts.Check(err)
	}
	a := &admin{Client: kadm.NewClient(client), raw: client}
	stateOf(ts).admin = a
	ts.Defer(func() {
		ctx, cancel := withinAMinute()
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

// startEmbedded makes the authority of the class, and starts a cluster that accepts it. The cluster knows
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

// revoke STUDENT write|read|group: removes one right.
func revoke(ts *testscript.TestScript, _ bool, args []string) {
	a := adminOf(ts)
	ctx, cancel := withinAMinute()
	defer cancel()
	at := slices.Index([]string{"write", "read", "group"}, args[1])
	_, err := a.withdraw(ctx, principal(args[0]))
	ts.Check(err)
	left := slices.Delete(rightsOf(args[0]), at, at+1)
	_, err = a.grant(ctx, left)
	ts.Check(err)
	ts.Check(a.settled(ctx, args[0], left))
}

// grant STUDENT write|read TOPIC: gives a right that no student should have.
func grant(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := withinAMinute()
	defer cancel()
	extra := rightsOf(args[0])[map[string]int{"write": 0, "read": 1}[args[1]]]
	extra.Name = args[2]
	a := adminOf(ts)
	_, err := a.grant(ctx, []right{extra})
	ts.Check(err)
	ts.Check(a.settled(ctx, args[0], append(rightsOf(args[0]), extra)))
}

// settled waits until each broker knows exactly these rights of a student: a broker learns of a change
// later than the controller.
func (a *admin) settled(ctx context.Context, student string, rights []right) error {
	brokers, err := a.ListBrokers(ctx)
	if err != nil {
		return err
	}
	for _, broker := range brokers {
		for settled := false; !settled; {
			known, err := rightsKnownTo(ctx, a.raw.Broker(int(broker.NodeID)))
			if err != nil {
				return fmt.Errorf("broker %d: %w", broker.NodeID, err)
			}
			known = slices.DeleteFunc(known, func(r right) bool { return r.Principal != principal(student) })
			settled = len(known) == len(rights) && len(without(rights, known)) == 0
		}
	}
	return nil
}

// lose BROKER: makes a broker unreachable.
func lose(ts *testscript.TestScript, _ bool, args []string) {
	broker, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(stateOf(ts).kafka.Kill(int32(broker)))
}

// topic NAME PARTITIONS: makes a topic.
func makeTopic(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := withinAMinute()
	defer cancel()
	partitions, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, err = adminOf(ts).CreateTopic(ctx, int32(partitions), -1, nil, args[0])
	ts.Check(err)
}

// empty TOPIC...: there is no message in these topics, and no group of a check on the cluster.
func empty(ts *testscript.TestScript, _ bool, topics []string) {
	a := adminOf(ts)
	ctx, cancel := withinAMinute()
	defer cancel()
	starts, err := a.ListStartOffsets(ctx, topics...)
	ts.Check(err)
	ends, err := a.ListEndOffsets(ctx, topics...)
	ts.Check(err)
	ts.Check(errors.Join(starts.Error(), ends.Error()))
	ends.Each(func(end kadm.ListedOffset) {
		if start, _ := starts.Lookup(end.Topic, end.Partition); start.Offset != end.Offset {
			ts.Fatalf("%s/%d has messages from %d to %d", end.Topic, end.Partition, start.Offset, end.Offset)
		}
	})
	groups, err := a.ListGroups(ctx)
	ts.Check(err)
	for _, name := range groups.Groups() {
		if strings.HasPrefix(name, groupPrefix) {
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

// fails STATUS COMMAND...: runs a command that must end with this status.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || fmt.Sprint(exit.ExitCode()) != args[0] {
		ts.Fatalf("it ended with %v, want status %s", err, args[0])
	}
}

// remember DIR: reads all files in a folder, for same.
func remember(ts *testscript.TestScript, _ bool, args []string) {
	files, err := look(ts.MkAbs(args[0]))
	ts.Check(err)
	stateOf(ts).files = files
}

// same DIR: the files that remember has read have not changed, nor has their date. With ! one has.
func same(ts *testscript.TestScript, neg bool, args []string) {
	files, err := look(ts.MkAbs(args[0]))
	ts.Check(err)
	changed := ""
	for path, before := range stateOf(ts).files {
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
