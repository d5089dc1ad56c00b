package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/issuer"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

func TestMain(m *testing.M) {
	flag.Set("test.parallel", "8") // most of the time each test waits
	testscript.Main(m, map[string]func(){"enroll": main})
}

// realAdmin is the folder of a real cluster's admin, or "". "go test" was typed in the root of the repository.
var realAdmin = os.Getenv("TKAFKA_TEST_AUTH")

// The scripts run on an embedded cluster. If TKAFKA_TEST_AUTH names the admin's folder of a class, they
// run on the cluster of that class, with students of their own. They need its authority, too.
func TestScripts(t *testing.T) {
	t.Parallel()
	if realAdmin != "" && !filepath.IsAbs(realAdmin) {
		realAdmin, _ = filepath.Abs(filepath.Join("..", "..", realAdmin))
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Values[key{}] = new(state)
			return nil
		},
		Condition: func(condition string) (bool, error) {
			switch condition {
			case "embedded":
				return realAdmin == "", nil
			case "class": // the script can issue credentials for the cluster
				return realAdmin == "" || exists(filepath.Join(classOf(realAdmin).authority(), issuer.KeyFile)), nil
			}
			return false, fmt.Errorf("unknown condition %q", condition)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"class": startClass, "revoke": revoke, "grant": grant, "settle": settle, "topic": makeTopic, "empty": empty,
			"mode": mode, "fails": fails, "remember": remember, "same": same,
		},
	})
}

type key struct{}

// state is what the commands of one script share.
type state struct {
	*admin                   // after class
	files  map[string]string // after remember
}

func stateOf(ts *testscript.TestScript) *state { return ts.Value(key{}).(*state) }

var background = context.Background()

// class STUDENT...|NUMBER: makes the authority of a class in creds/, and a cluster at $BROKERS that accepts
// it. At the end it removes the topics and rights of these students.
func startClass(ts *testscript.TestScript, _ bool, students []string) {
	if number, err := strconv.Atoi(students[0]); err == nil {
		students = nil
		for i := range number {
			students = append(students, fmt.Sprint("client", i+1))
		}
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
		ts.Setenv("BROKERS", strings.Join(cluster.Brokers(), ","))
		client, err = cluster.Client()
		ts.Check(err)
	}
	a := &admin{Client: kadm.NewClient(client), raw: client}
	stateOf(ts).admin = a
	ts.Defer(func() {
		for _, student := range students {
			a.withdraw(background, student)
		}
		a.DeleteTopics(background, students...)
		a.Close()
	})
}

// joinRealClass copies the authority, the brokers and the admin of a class.
func joinRealClass(ts *testscript.TestScript, dir class) *kgo.Client {
	for _, folder := range []string{"ca", "brokers", adminName} {
		ts.Check(os.CopyFS(filepath.Join(string(dir), folder), os.DirFS(filepath.Join(string(classOf(realAdmin)), folder))))
	}
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
func startEmbedded(dir class, students []string) (*broker.Cluster, error) {
	ca, err := issuer.Open(dir.authority(), "tkafka class", 2*365*day)
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
	return broker.Start(broker.Config{CA: ca, Rights: rights})
}

// revoke STUDENT write|read|group: removes one right.
func revoke(ts *testscript.TestScript, _ bool, args []string) {
	a := stateOf(ts)
	_, err := a.withdraw(background, args[0])
	ts.Check(err)
	at := slices.Index([]string{"write", "read", "group"}, args[1])
	left := slices.Delete(rightsOf(args[0]), at, at+1)
	ts.Check(a.admin.grant(background, left))
	ts.Check(a.settle(args[0], left))
}

// grant STUDENT write|read TOPIC: gives a right that no student should have.
func grant(ts *testscript.TestScript, _ bool, args []string) {
	a := stateOf(ts)
	extra := rightsOf(args[0])[map[string]int{"write": 0, "read": 1}[args[1]]]
	extra.name = args[2]
	ts.Check(a.admin.grant(background, []right{extra}))
	ts.Check(a.settle(args[0], append(rightsOf(args[0]), extra)))
}

// settle STUDENT [removed]: waits until each broker knows the rights of a student, or that they and the topic are removed.
func settle(ts *testscript.TestScript, _ bool, args []string) {
	a, student := stateOf(ts).admin, args[0]
	if len(args) == 1 {
		ts.Check(a.settle(student, rightsOf(student)))
		return
	}
	ts.Check(a.settle(student, nil))
	brokers, err := a.ListBrokers(background)
	ts.Check(err)
	for _, broker := range brokers {
		for known := true; known; {
			request := kmsg.NewPtrMetadataRequest()
			request.Topics = []kmsg.MetadataRequestTopic{{Topic: &student}}
			response, err := request.RequestWith(background, a.raw.Broker(int(broker.NodeID)))
			ts.Check(err)
			known = response.Topics[0].ErrorCode == 0
		}
	}
}

// settle waits until each broker knows exactly these rights of a student: a broker learns of a change
// later than the controller.
func (a *admin) settle(student string, rights []right) error {
	brokers, err := a.ListBrokers(background)
	for _, broker := range brokers {
		for settled := false; !settled && err == nil; {
			var known map[right]bool
			known, err = rightsKnownTo(background, a.raw.Broker(int(broker.NodeID)))
			theirs := 0
			for r := range known {
				if r.user == "User:"+student {
					theirs++
				}
			}
			settled = theirs == len(rights) && !slices.ContainsFunc(rights, func(r right) bool { return !known[r] })
		}
	}
	return err
}

// topic NAME PARTITIONS: makes a topic.
func makeTopic(ts *testscript.TestScript, _ bool, args []string) {
	partitions, err := strconv.Atoi(args[1])
	ts.Check(err)
	_, err = stateOf(ts).CreateTopic(background, int32(partitions), -1, nil, args[0])
	ts.Check(err)
}

// empty TOPIC...: there is no message in these topics, and no group of a check of them.
func empty(ts *testscript.TestScript, _ bool, topics []string) {
	a := stateOf(ts)
	groups, err := a.ListGroups(background)
	ts.Check(err)
	for _, topic := range topics {
		n, err := a.messagesIn(topic)
		ts.Check(err)
		if _, left := groups[groupPrefix+topic]; left || n > 0 {
			ts.Fatalf("%s has %d messages; group left: %v", topic, n, left)
		}
	}
}

// messagesIn counts the messages in a topic.
func (a *admin) messagesIn(topic string) (messages int64, err error) {
	starts, err1 := a.ListStartOffsets(background, topic)
	ends, err2 := a.ListEndOffsets(background, topic)
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		messages += end.Offset - start.Offset
	})
	return messages, errors.Join(err1, err2, ends.Error())
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
	exit, ended := errors.AsType[*exec.ExitError](err)
	if !ended || fmt.Sprint(exit.ExitCode()) != args[0] {
		ts.Fatalf("it ended with %v, want status %s", err, args[0])
	}
}

// remember DIR: reads all files in a folder, for same.
func remember(ts *testscript.TestScript, _ bool, args []string) {
	files, err := look(ts.MkAbs(args[0]))
	ts.Check(err)
	stateOf(ts).files = files
}

// same DIR: the files that remember has read have not changed, nor has their date.
func same(ts *testscript.TestScript, _ bool, args []string) {
	files, err := look(ts.MkAbs(args[0]))
	ts.Check(err)
	for path, before := range stateOf(ts).files {
		if files[path] != before {
			ts.Fatalf("changed: %s", path)
		}
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
