package livepage

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/performance"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tkafka/pkg/observer"
)

// text is what an element shows.
const text = `(e => e.hidden ? '' : e.innerText.replace(/\s+/g, ' ').trim())`

func shown(selector string) string {
	return fmt.Sprintf("%s(document.querySelector(%q))", text, selector)
}

func shownAll(selector string) string {
	return fmt.Sprintf("[...document.querySelectorAll(%q)].map(%s)", selector, text)
}

// The page has the numbers of its source: offsets, lag, members, and what they hold.
func TestNumbers(t *testing.T) {
	source := scene(16, 2, 1200)
	page := newBrowser(t).open(t, source)
	page.look(t, 1280, "light")
	check := func() {
		t.Helper()
		picture := source.Picture()
		group := picture.Groups[1]
		var rows []string
		for i, p := range picture.Partitions {
			holder := fmt.Sprint(group.Commits[i].Holder)
			if holder == "0" {
				holder = "–"
			}
			rows = append(rows, fmt.Sprintf("%d %s %s %s", p.Partition, holder, thousands(group.Commits[i].Lag), thousands(p.End)))
		}
		page.wait(t, `[...document.querySelectorAll('.lane')].map(e => ['.name', '.chip', '.lag', '.end'].map(c => e.querySelector(c).textContent).join(' '))`, rows)
		for i, p := range picture.Partitions {
			c := group.Commits[i]
			length := fmt.Sprintf(`(() => { const {width} = document.querySelectorAll('.lane')[%d].querySelector('.done').getBoundingClientRect(),
				all = document.querySelectorAll('.track')[%d].getBoundingClientRect().width; return Math.round(width / all * 1500 / 10) })()`, i, i)
			if c.Lag > 50 {
				page.wait(t, length, (c.Offset+5)/10)
			}
			_ = p
		}
	}
	check()
	page.wait(t, shown("#headline"), "2 members share 16 partitions; "+thousands(source.Picture().Groups[1].Lag)+" messages are not committed.")
	page.wait(t, shownAll("#cards .held"), []string{"partitions 0-7", "partitions 8-15"})

	source.show(func(p *observer.Picture) { // member 2 is killed
		group := &p.Groups[1]
		group.Members = group.Members[:1]
		for i := 8; i < 16; i++ {
			group.Commits[i].Holder = 0
		}
		p.Partitions[3].End++
		p.Partitions[12].End += 20
		commit(p, group, 3, p.Partitions[3].End)
		commit(p, group, 12, group.Commits[12].Offset)
	})
	check()
	page.wait(t, shown("#headline"), "1 member holds 8 of 16 partitions; "+thousands(source.Picture().Groups[1].Lag)+" messages are not committed.")
	page.wait(t, `document.querySelectorAll('.lane.nobody').length`, 8)
	page.wait(t, shownAll("#cards .held"), []string{"partitions 0-7"})
}

func thousands(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// Each unusual state is shown as what it is.
func TestStates(t *testing.T) {
	b := newBrowser(t)
	folder := screenshots(t)
	nothing := topic("client60", 0)
	nothing.Topic.Exists = false
	empty := topic("client60", 16)
	unread := topic("client60", 4)
	for i := range unread.Partitions {
		unread.Partitions[i].End = int64(i)
	}
	faults := topic("client60", 6)
	for i := range faults.Partitions {
		faults.Partitions[i].Start, faults.Partitions[i].End = 5, 20
	}
	group := addGroup(faults, "faults", observer.Classic, 2)
	for i := range 5 {
		commit(faults, group, i, 12)
	}
	group.Commits[0].Offset, group.Commits[0].Fault = 2, "expired"
	group.Commits[1].Offset, group.Commits[1].Fault = 99, "beyond"
	faults.Partitions[3].Leader = -1
	group.Commits[4].Holder = 0
	many := topic("client60", 16)
	addGroup(many, "crowd", observer.Consumer, 16)
	crowd := &many.Groups[0]
	crowd.Members = append(crowd.Members, observer.Member{Number: 17, ID: "17", Client: "late"})
	crowd.Members[0].Target = []int32{0, 1}
	crowd.Members[1].Target = []int32{} // it must give up all
	share := topic("client60", 4)
	addGroup(share, "shared", observer.Share, 2)
	for i := range share.Groups[0].Commits {
		share.Groups[0].Commits[i].Holder = 0
	}
	troubled := topic("client60", 1)
	troubled.Trouble = &observer.Trouble{Since: time.Now(), Error: "the broker refuses our certificate", Hint: "ask for a new folder"}
	for _, test := range []struct {
		name    string
		picture *observer.Picture
		checks  []any // expressions and their values
	}{
		{"missing", nothing, []any{shown("#headline"), "There is no topic client60, or you have no right to see it.",
			shown("#start code"), "go run ./classroom/cluster --topics client60"}},
		{"empty", empty, []any{shown("#headline"), "No group reads this topic yet.", shown("#start code"), "go run ./producer client60"}},
		{"unread", unread, []any{shown("#start code"), "go run ./consumergroup/consumer client60 my_group"}},
		{"faults", faults, []any{shownAll(".lane .lag"), []string{"expired", "beyond", "8", "no leader", "8", "–"},
			shownAll("#legend .term"), []string{"committed", "not committed: will be read, or read again after a crash",
				"held by nobody", "deleted"},
			`document.querySelector('.lane .unseen').textContent`,
			"Member 1 holds partition 0: the group committed offset 2, but 3 messages after it were deleted before the group read them."}},
		{"crowd", many, []any{shown("#cards li:last-child .held"), "no partitions: 17 members share 16",
			shownAll("#cards li:nth-child(-n+3) .held"), []string{"partition 0, going to 0-1", "partition 1, going to none", "partition 2"}}},
		{"share", share, []any{shown("#headline"), "2 members share the messages; nothing is committed yet."}},
		{"trouble", troubled, []any{`document.querySelector('#trouble').innerText.replace(/\d\d:\d\d:\d\d/, 'now')`,
			"The picture is from now: the broker refuses our certificate\nask for a new folder"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			page := b.open(t, newScripted(test.picture))
			page.look(t, 1280, "light")
			for i := 0; i < len(test.checks); i += 2 {
				page.wait(t, test.checks[i].(string), test.checks[i+1])
			}
			page.settle(t)
			page.shot(t, folder+"/state-"+test.name+".png")
		})
	}
}

// Names, keys and values from anybody are only text, and hide nothing.
func TestHostileText(t *testing.T) {
	markup := `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script><style>*{display:none}</style>`
	hostile := []string{markup, "\x1b[31mred\x1b[2J\x07", "safe\u202eexe.txt\u2066x\u200f", "__proto__", "constructor", `{{7*7}}`, strings.Repeat("z\u0300", 3000)}
	picture := topic("client60", 2)
	for _, name := range hostile {
		group := addGroup(picture, name, observer.Classic, 1)
		group.State = name
		group.Members[0].ID, group.Members[0].Client, group.Members[0].Host = name, name, name
		commit(picture, group, 0, 0)
	}
	source := newScripted(picture)
	b := newBrowser(t)
	page := b.open(t, source)
	page.look(t, 1280, "light")
	for i, name := range hostile {
		source.show(nil, observer.Event{Kind: observer.Joined, Text: name, Client: name}, observer.Event{Kind: name, Text: name},
			observer.Message{Partition: 1, Offset: int64(i), Key: &name, Value: name, Holders: map[string]int{name: 1}})
	}
	source.show(nil, observer.Message{Partition: 1, Offset: 100, Value: strings.Repeat("<b>1 MB</b>", 1<<20/11)})
	page.wait(t, `document.querySelectorAll('#rows tr').length`, len(hostile)+1)
	page.wait(t, `[...document.querySelectorAll('#rows .value bdi')].some(e => e.textContent === '\\x1b[31mred\\x1b[2J\\x07')`, true)
	page.wait(t, `[...document.querySelectorAll('#rows .value bdi')].some(e => e.textContent === 'safe\\u202eexe.txt\\u2066x\\u200f')`, true)
	page.wait(t, `document.querySelectorAll('main img, main script, main style, main b').length`, 0)
	page.wait(t, `document.body.textContent.length < 30000`, true)
	page.wait(t, `document.documentElement.scrollWidth <= innerWidth`, true)
	page.wait(t, `document.title.startsWith('client60')`, true)
	for i := range 4 { // each group in turn
		page.eval(t, fmt.Sprintf(`document.querySelectorAll('.tabs button')[%d].click()`, i))
		page.settle(t)
		page.wait(t, `/[\x00-\x08\x0e-\x1f\x7f-\x9f\u200f\u202a-\u202e\u2066-\u2069]/.exec(document.body.textContent)`, nil)
	}
	page.shot(t, screenshots(t)+"/state-hostile.png")
}

// Messages that come quickly wait for the next change of the table. A browser may end the wait early.
func TestTimer(t *testing.T) {
	source := newScripted(topic("client60", 1))
	page := newBrowser(t).open(t, source)
	page.wait(t, `document.querySelectorAll('.lane').length`, 1)
	page.eval(t, `(() => { // nothing else draws the page now
		for (let id = 0; id < 1000; id++) clearInterval(id);
		const wait = setTimeout;
		window.setTimeout = (work, time) => wait(work, time / 2);
		return 1;
	})()`)
	source.show(nil, observer.Message{Offset: 0, Value: "a"})
	page.wait(t, `document.querySelectorAll('#rows tr').length`, 1)
	for offset := range int64(3) {
		source.show(nil, observer.Message{Offset: offset + 1, Value: "b"})
	}
	page.wait(t, `document.querySelectorAll('#rows tr').length`, 4)
}

// Every element explains itself, to a mouse and to the keyboard.
func TestExplanations(t *testing.T) {
	page := newBrowser(t).open(t, scene(16, 2, 1200))
	page.look(t, 1280, "light")
	page.wait(t, `document.querySelectorAll('.lane').length`, 16)
	page.wait(t, `document.querySelectorAll('[data-help], [data-explained]').length`, 40)

	const focused = `(document.activeElement.id || document.activeElement.className.split(' ')[0] || document.activeElement.tagName)`
	seen := []string{}
	for range 40 {
		page.run(t, chromedp.KeyEvent(kb.Tab))
		if page.eval(t, `document.activeElement === document.body`) == "true" {
			break
		}
		at := page.eval(t, focused+` + (document.querySelector('#tip').hidden ? '' : ' explained')`)
		seen = append(seen, at)
		if at == `"lane explained"` && !slices.Contains(seen[:len(seen)-1], at) {
			page.wait(t, `document.activeElement.getAttribute('aria-describedby')`, "tip")
			page.wait(t, shown("#tip"), "Member 1 holds partition 0: the group has committed up to offset 945 of 947, and 2 messages will be read, or read again after a crash. more")
			page.run(t, chromedp.KeyEvent(kb.Tab))
			page.wait(t, `document.activeElement.getAttribute('href')`, "/help#uncommitted")
			page.run(t, chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(kb.ModifierShift)))
			page.run(t, chromedp.KeyEvent(kb.ArrowDown))
			page.wait(t, `document.activeElement.textContent.includes('partition 1:')`, true)
			page.run(t, chromedp.KeyEvent(kb.Enter))
			page.wait(t, `document.querySelector('#only-partition').value`, "1")
			page.run(t, chromedp.KeyEvent(kb.Escape))
			page.wait(t, `document.querySelector('#tip').hidden`, true)
		}
	}
	for _, want := range []string{`"term explained"`, `"lane explained"`, `"graph explained"`, `"LI explained"`} {
		if !slices.Contains(seen, want) {
			t.Errorf("Tab does not reach %s: %s", want, seen)
		}
	}
	page.eval(t, `document.querySelector('#members-title .term').click()`)
	page.wait(t, shown("#tip span"), "A member is one consumer of a group, and each partition is assigned to exactly one member.")
	page.eval(t, `(scrollTo(0, 0), new Promise(requestAnimationFrame))`)
	page.eval(t, `document.querySelector('#legend .term:nth-child(2)').click()`)
	view, err := chromedp.Run(page.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(screenshots(t)+"/state-tip.png", view, 0o644); err != nil {
		t.Fatal(err)
	}
	page.run(t, chromedp.Navigate("http://"+page.address+"/help#lag"))
	page.wait(t, `document.activeElement.id`, "lag")
	page.shot(t, screenshots(t)+"/help.png")
}

// The page reports a server that is gone, and continues by itself. A hidden tab holds no connection.
func TestConnection(t *testing.T) {
	source := scene(16, 2, 1200)
	b := newBrowser(t)
	page := b.open(t, source)
	page.wait(t, shown("#connection"), "live")
	hide := func(hidden bool) {
		page.eval(t, fmt.Sprintf(`(Object.defineProperty(document, 'hidden', {value: %v, configurable: true}), document.dispatchEvent(new Event('visibilitychange')))`, hidden))
	}
	hide(true)
	eventually(t, "a hidden tab holds no connection", func() bool { return source.following() == 0 })
	source.show(nil, observer.Event{Kind: observer.Left, Text: "while it was hidden"})
	hide(false)
	page.wait(t, shown("#events li bdi"), "while it was hidden")
	page.wait(t, `document.querySelectorAll('#events li').length`, len(source.Events()))

	// A server of its own, so that it can stop.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	run := func(listener net.Listener, source Source) (stop func()) {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- New(source, Config{}).Serve(ctx, listener) }()
		return func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	stop := run(listener, source)
	page.run(t, chromedp.Navigate("http://"+address+"/"))
	page.wait(t, shown("#connection"), "live")
	stop()
	page.wait(t, shown("#trouble"), "The watch program does not answer. Trying again …")
	page.shot(t, screenshots(t)+"/state-gone.png")
	if listener, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	other := newScripted(topic("client60", 4))
	other.show(nil, observer.Event{Kind: observer.Joined, Text: "after a restart"})
	stop = run(listener, other)
	defer stop()
	page.wait(t, shown("#connection"), "live")
	page.wait(t, shownAll("#events li bdi"), []string{"after a restart"})
	page.mu.Lock() // the browser reports refused connections
	page.errors = slices.DeleteFunc(page.errors, func(text string) bool { return strings.HasSuffix(text, "net::ERR_CONNECTION_REFUSED") })
	page.mu.Unlock()
}

// axe-core finds no violation. .ci/axe brings it, and TKAFKA_AXE names the file.
func TestAccessible(t *testing.T) {
	path := os.Getenv("TKAFKA_AXE")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TKAFKA_AXE is not set: .ci/axe brings it")
		}
		t.Skip("TKAFKA_AXE is not set: .ci/axe brings it")
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	for _, address := range []string{"/", "/help"} {
		page := b.open(t, scene(16, 9, 1200))
		page.run(t, chromedp.Navigate("http://"+page.address+address))
		for _, theme := range []string{"light", "dark"} {
			for _, width := range []int{400, 1280} {
				page.look(t, width, theme)
				page.eval(t, "(() => {"+string(axe)+"\nreturn 1})()")
				found := page.eval(t, `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r =>
					r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary).join('; ')))`)
				if found != "[]" {
					t.Errorf("%s, %d pixels, %s: %s", address, width, theme, found)
				}
			}
		}
	}
}

// 256 partitions that all change ten times a second leave the tab time.
func TestBusy(t *testing.T) {
	measures(t)
	source := scene(256, 64, 90000)
	page := newBrowser(t).open(t, source)
	page.look(t, 1920, "light")
	page.wait(t, `document.querySelectorAll('.lane').length`, 256)
	busy := `(async () => { let longest = 0, drawn = 0, last = performance.now();
		const end = last + 4000; while (last < end) { await new Promise(requestAnimationFrame); const now = performance.now(); longest = Math.max(longest, now - last); last = now; drawn++ }
		return [drawn / 4, Math.round(longest)] })()`
	if _, err := chromedp.Call(page.ctx, performance.Enable, performance.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	before, err := chromedp.Call(page.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan string, 1)
	go func() { result <- page.eval(t, busy) }()
	for range 40 {
		source.show(func(p *observer.Picture) {
			for i := range p.Partitions {
				p.Partitions[i].End += 20
				commit(p, &p.Groups[1], i, p.Groups[1].Commits[i].Offset+19)
			}
		}, observer.Message{Offset: 1, Value: "x"}, 500)
		time.Sleep(100 * time.Millisecond)
	}
	after, err := chromedp.Call(page.ctx, performance.GetMetrics, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	for i, metric := range after.Metrics {
		if strings.HasSuffix(metric.Name, "Duration") {
			t.Logf("%s: %.0f ms of each second", metric.Name, (metric.Value-before.Metrics[i].Value)*1000/4)
		}
	}
	t.Logf("pictures of the screen per second, and the longest time between two in ms: %s", <-result)
}
