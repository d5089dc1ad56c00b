package livepage

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
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
	folder := build(t, map[string]string{"producer": "producer", "consumercommit": "commitoffsets/consumercommit",
		"group-producer": "consumergroup/producer", "consumer": "consumergroup/consumer"})
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
	t.Cleanup(client.Close)
	return watch(t, client, topic)
}

func (c *course) start(t *testing.T, name string, args ...string) *process.Process {
	t.Helper()
	return start(t, c.folder, []string{}, filepath.Join(c.folder, name), args...)
}

// send runs a producer with n lines.
func (c *course) send(t *testing.T, n int, name string, args ...string) {
	t.Helper()
	var lines []string
	for i := range n {
		lines = append(lines, fmt.Sprintf("message %d", i))
	}
	feed(t, c.start(t, name, args...), lines...)
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
