package livepage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/observer"
	"tkafka/pkg/process"
)

// The pictures of the README: the page while somebody runs the programs of sections 2 and 3.
// .ci/record-watch makes them again.
func TestPictures(t *testing.T) {
	b := newBrowser(t)
	c := newCourse(t, "client60", "client61")

	commit := b.open(t, c.watch(t, "client61"))
	commit.eval(t, `document.getElementById('commits').click()`)
	c.send(t, 3, "producer", "client61", "--key", "0")
	consumer := c.start(t, "consumercommit", "client61", "client61_group", "--store-time", "3s")
	for range 3 {
		expect(t, consumer, &consumer.Stdout, "Start Storing")
	}
	commit.wait(t, shown("#headline"), "1 member holds all 16 partitions; 1 message is not committed.")
	stop(t, consumer)
	commit.wait(t, shown("#headline"), "The group has no members; 1 message is not committed.")
	commit.pictures(t, "watch-commit")

	group := b.open(t, c.watch(t, "client60"))
	first := c.start(t, "consumer", "client60")
	group.wait(t, shownAll("#cards .held"), []string{"partitions 0-15"})
	c.send(t, 60, "group-producer", "client60")
	group.wait(t, shown("#headline"), "1 member holds all 16 partitions; everything is committed.")
	second := c.start(t, "consumer", "client60")
	group.wait(t, `['m1', 'm2'].map(c => document.querySelectorAll('.lane.' + c).length)`, []int{8, 8})
	for _, member := range []*process.Process{first, second} { // so that they do not commit what is sent now
		if err := member.Pause(); err != nil {
			t.Fatal(err)
		}
	}
	c.send(t, 20, "group-producer", "client60")
	group.wait(t, shown("#headline"), "2 members share 16 partitions; 20 messages are not committed.")
	group.pictures(t, "watch-group")
}

// course is an embedded cluster, and the programs of the tutorial with credentials for it.
type course struct {
	cluster *embedded.Cluster
	folder  string
}

func newCourse(t *testing.T, topics ...string) *course {
	t.Helper()
	folder := t.TempDir()
	for name, program := range map[string]string{"producer": "producer", "consumercommit": "commitoffsets/consumercommit",
		"group-producer": "consumergroup/producer", "consumer": "consumergroup/consumer"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(folder, name), "../../"+program).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	ca, err := issuer.New("authority", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := localcluster.Start(ca, embedded.Config{Topics: topics})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	if err := ca.WriteFolder(filepath.Join(folder, "auth"), "client60", cluster.Brokers()); err != nil {
		t.Fatal(err)
	}
	return &course{cluster, folder}
}

// watch returns a source that follows the topic until the test ends.
func (c *course) watch(t *testing.T, topic string) Source {
	t.Helper()
	client, err := c.cluster.Client()
	if err != nil {
		t.Fatal(err)
	}
	watched := observer.New(client, topic)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- watched.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		client.Close()
	})
	return watched
}

// start starts a program, which is killed when the test ends.
func (c *course) start(t *testing.T, name string, args ...string) *process.Process {
	t.Helper()
	command := exec.Command(filepath.Join(c.folder, name), args...)
	command.Dir, command.Env = c.folder, []string{}
	p := process.New(command)
	p.InSession() // Pause needs it
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// send runs a producer with n lines.
func (c *course) send(t *testing.T, n int, name string, args ...string) {
	t.Helper()
	p := c.start(t, name, args...)
	for i := range n {
		if err := p.Type(fmt.Sprintf("message %d\n", i)); err != nil {
			t.Fatal(err)
		}
	}
	p.CloseInput()
	if status, err := p.Wait(time.Minute); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, p.Stderr.String())
	}
}

// stop does what Ctrl-C does.
func stop(t *testing.T, p *process.Process) {
	t.Helper()
	if err := p.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if status, err := p.Wait(time.Minute); err != nil || status != 0 {
		t.Fatalf("status %d, %v: %s", status, err, p.Stderr.String())
	}
}

func expect(t *testing.T, p *process.Process, from *process.Output, pattern string) {
	t.Helper()
	if _, err := p.Await(from, regexp.MustCompile(pattern), time.Minute); err != nil {
		t.Fatalf("%v: %s%s", err, p.Stdout.String(), p.Stderr.String())
	}
}

// pictures writes the lanes, the members and the time line in both themes, without the margins of the
// page and its other sections: a README shows pictures smaller than they are.
func (page *tab) pictures(t *testing.T, name string) {
	t.Helper()
	const window, width = 1360, 1280 // in a smaller window the members are below the lanes
	page.eval(t, fmt.Sprintf(`(() => {
		document.documentElement.style.fontSize = '16px';
		Object.assign(document.body.style, {margin: 0, padding: '20px', width: '%dpx', fontFamily: '"Liberation Sans", sans-serif'});
		document.getElementById('events').style.maxBlockSize = 'none';
		for (const section of ['rate', 'messages']) document.getElementById(section).style.display = 'none';
	})()`, width))
	for _, theme := range []string{"light", "dark"} {
		page.look(t, window, theme)
		params := cdppage.CaptureScreenshotParams{Clip: &cdppage.Viewport{Width: width, Scale: 1}, CaptureBeyondViewport: new(true)}
		if _, err := fmt.Sscan(page.eval(t, `document.getElementById('partitions').getBoundingClientRect().bottom + 20`), &params.Clip.Height); err != nil {
			t.Fatal(err)
		}
		shot, err := chromedp.Call(page.ctx, cdppage.CaptureScreenshot, params)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(screenshots(t), name+"-"+theme+".png"), shot.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
