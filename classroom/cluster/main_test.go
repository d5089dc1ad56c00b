package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"cluster": main})
}

func TestScripts(t *testing.T) {
	t.Setenv("KAFKA_KEYSTORE_PASSWORD", settings.DefaultPassword) // connect reads it, and the shell may have another value
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start":   start,
			"prints":  prints,
			"end":     end,
			"send":    send,
			"receive": receive,
			"occupy":  occupy,
			"foreign": foreign,
			"mode":    mode,
			"fails":   fails,

			"overwrite":     overwrite,
			"fill-disk":     fillDisk,
			"free-disk":     freeDisk,
			"others-folder": othersFolder,
		},
	})
}

// Clusters that start at the same time have the same authority.
func TestAuthorityOfSimultaneousStarts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cluster")
	authorities := make(chan *issuer.CA)
	const starts = 8
	for range starts {
		go func() {
			ca, err := newUserAuthority(dir)
			if err != nil {
				t.Error(err)
			}
			authorities <- ca
		}()
	}
	kept := <-authorities
	for range starts - 1 {
		if ca := <-authorities; ca == nil || kept == nil || !ca.Cert().Equal(kept.Cert()) {
			t.Error("two clusters have different authorities")
		}
	}
	if files, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(files) != 1 {
		t.Errorf("%d folders are left, want 1 (%v)", len(files), err)
	}
}

// running is a cluster between start and end.
type running struct {
	cmd     *exec.Cmd
	brokers string
	stderr  output
	ended   chan error
}

// output collects the output of a process. Other goroutines can read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

var clusters sync.Map // the running cluster of each script

// start [flags]: starts a cluster, and waits until it has printed its brokers.
func start(ts *testscript.TestScript, _ bool, args []string) {
	r := &running{cmd: exec.Command("cluster", args...), ended: make(chan error, 1)}
	r.cmd.Dir = ts.MkAbs(".")
	r.cmd.Env = append(os.Environ(), "HOME="+ts.Getenv("HOME"), "XDG_CONFIG_HOME=") // not the folders of the real user
	r.cmd.Stderr = &r.stderr
	stdout, err := r.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(r.cmd.Start())
	ts.Defer(func() { r.cmd.Process.Kill() })

	lines := bufio.NewReader(stdout)
	r.brokers, err = lines.ReadString('\n')
	if err != nil {
		ts.Fatalf("the cluster printed no brokers (%v):\n%s", err, r.stderr.String())
	}
	go func() {
		rest := new(strings.Builder)
		lines.WriteTo(rest)
		err := r.cmd.Wait()
		if rest.Len() > 0 {
			err = fmt.Errorf("more than the brokers on standard output: %q (%v)", rest, err)
		}
		r.ended <- err
	}()
	clusters.Store(ts, r)
	ts.Logf("%s%s", r.brokers, r.stderr.String())
}

func current(ts *testscript.TestScript) *running {
	r, ok := clusters.Load(ts)
	if !ok {
		ts.Fatalf("no cluster was started")
	}
	return r.(*running)
}

// prints TEXT: waits until the cluster has printed the text on standard error.
func prints(ts *testscript.TestScript, _ bool, args []string) {
	r := current(ts)
	for end := time.Now().Add(5 * time.Second); !strings.Contains(r.stderr.String(), args[0]); {
		if time.Now().After(end) {
			ts.Fatalf("the cluster did not print %q, but\n%s", args[0], r.stderr.String())
		}
		time.Sleep(time.Millisecond)
	}
}

// end TERM|INT|KILL: sends the signal to the cluster. After TERM and INT it must end with status 0 within
// cli.LeaveTime, with ! with status 1.
func end(ts *testscript.TestScript, neg bool, args []string) {
	r := current(ts)
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	ts.Check(r.cmd.Process.Signal(signals[args[0]]))
	select {
	case err := <-r.ended:
		want := 0
		if neg {
			want = 1
		}
		if args[0] != "KILL" && r.cmd.ProcessState.ExitCode() != want {
			ts.Fatalf("stopped by %s: %v\n%s", args[0], err, r.stderr.String())
		}
	case <-time.After(cli.LeaveTime + 500*time.Millisecond): // the test needs some time, too
		ts.Fatalf("still running %v after %s", cli.LeaveTime, args[0])
	}
}

// connect returns a client with the credentials in a folder, like the programs of a student.
func connect(ts *testscript.TestScript, folder string, options ...kgo.Opt) *kgo.Client {
	found, err := settings.InFolder(ts.MkAbs(folder))
	ts.Check(err)
	config, err := tlsconf.Load(found.Folder, found.Password, func(error) {})
	ts.Check(err)
	client, err := kgo.NewClient(append(options,
		kgo.SeedBrokers(found.Brokers...),
		kgo.DialTLSConfig(config),
	)...)
	ts.Check(err)
	return client
}

// send FOLDER TOPIC TEXT...: sends messages. With ! the cluster must refuse the client or a message.
func send(ts *testscript.TestScript, neg bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := connect(ts, args[0], kgo.DefaultProduceTopic(args[1]))
	defer client.Close()
	err := client.Ping(ctx)
	for _, text := range args[2:] {
		if err == nil {
			err = client.ProduceSync(ctx, kgo.StringRecord(text)).FirstErr()
		}
	}
	if (err != nil) != neg {
		ts.Fatalf("sending: %v", err)
	}
}

// receive FOLDER TOPIC GROUP TEXT...: a group member receives exactly these messages, in any order, and
// commits them.
func receive(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	client := connect(ts, args[0], kgo.ConsumeTopics(args[1]), kgo.ConsumerGroup(args[2]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	defer client.Close() // leaves the group, so the next member need not wait
	missing := make(map[string]bool)
	for _, text := range args[3:] {
		missing[text] = true
	}
	for len(missing) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			ts.Fatalf("missing %v: %v", missing, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !missing[string(r.Value)] {
				ts.Fatalf("received %q", r.Value)
			}
			delete(missing, string(r.Value))
		})
	}
	ts.Check(client.CommitUncommittedOffsets(ctx))
	lag, err := kadm.NewClient(client).Lag(ctx, args[2])
	ts.Check(err)
	if total := lag[args[2]].Lag.Total(); total != 0 {
		ts.Fatalf("%d messages were not received", total)
	}
}

// occupy ENV: uses a port until the script ends, and sets the variable to its number.
func occupy(ts *testscript.TestScript, _ bool, args []string) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { socket.Close() })
	_, port, err := net.SplitHostPort(socket.Addr().String())
	ts.Check(err)
	ts.Setenv(args[0], port)
}

// foreign FOLDER: writes credentials of another cluster to the folder.
func foreign(ts *testscript.TestScript, _ bool, args []string) {
	ca, err := issuer.New("the course", time.Hour)
	ts.Check(err)
	identity, err := ca.Client("client7")
	ts.Check(err)
	ts.Check(issuer.Folder{CA: ca, Identity: identity, Brokers: []string{"kafka.example.com:19093"}}.Write(ts.MkAbs(args[0])))
}

// mode 600 FILE: checks the permissions of a file.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s", args[1], got)
	}
}

// fails STATUS COMMAND...: runs a command that must end with this status.
func fails(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || fmt.Sprint(exit.ExitCode()) != args[0] {
		ts.Fatalf("the command ended with %v, want status %s", err, args[0])
	}
}

// overwrite PATTERN: overwrites eight bytes in the middle of each file.
func overwrite(ts *testscript.TestScript, _ bool, args []string) {
	paths, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(paths) == 0 {
		ts.Fatalf("there is no file %s", args[0])
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		ts.Check(err)
		copy(data[len(data)/2:], "damaged!")
		ts.Check(os.WriteFile(path, data, 0o600))
	}
}

// fill-disk DATA TOPIC: the disk is full for the messages of a topic that has none yet.
func fillDisk(ts *testscript.TestScript, _ bool, args []string) {
	for partition := range embedded.DefaultPartitions {
		folder := ts.MkAbs(filepath.Join(args[0], "partitions", fmt.Sprintf("%s-%d", args[1], partition)))
		ts.Check(os.MkdirAll(folder, 0o700))
		ts.Check(os.Symlink("/dev/full", filepath.Join(folder, "0.dat")))
	}
}

// free-disk DATA TOPIC: undoes fill-disk.
func freeDisk(ts *testscript.TestScript, _ bool, args []string) {
	for partition := range embedded.DefaultPartitions {
		ts.Check(os.RemoveAll(ts.MkAbs(filepath.Join(args[0], "partitions", fmt.Sprintf("%s-%d", args[1], partition)))))
	}
}

// others-folder ENV: sets the variable to a folder of another user. Only root can make one.
func othersFolder(ts *testscript.TestScript, _ bool, args []string) {
	folder := "/"
	if os.Geteuid() == 0 {
		folder = ts.MkAbs("others")
		ts.Check(os.Mkdir(folder, 0o777))
		ts.Check(os.Chown(folder, 4711, 4711))
	}
	ts.Setenv(args[0], folder)
}
