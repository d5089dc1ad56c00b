package page

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tkafka/pkg/cli"
	"tkafka/pkg/watch/browser"
	"tkafka/pkg/watch/observer"
)

var shown, shownAll = browser.Text, browser.Texts

// The page has the numbers of its source: offsets, lag, members, and what they hold. With TKAFKA_SCREENSHOTS, this and
// other tests make pictures: who changes the page should look at them.
func TestNumbers(t *testing.T) {
	t.Parallel()
	source := scene(16, 2, 1200)
	page := open(t, source)
	check := func() {
		t.Helper()
		picture := source.picture
		group := picture.Groups[1]
		var rows []string
		for i, p := range picture.Topic.Partitions {
			holder := fmt.Sprint(group.Commits[i].Holder)
			if holder == "0" {
				holder = "–"
			}
			rows = append(rows, fmt.Sprintf("%d %s %s %s", i, holder, cli.Count(group.Commits[i].Lag), cli.Count(p.End)))
		}
		page.Wait(`[...document.querySelectorAll('.lane')].map(e => ['.name', '.chip', '.lag', '.end'].map(c => e.querySelector(c).textContent).join(' '))`, rows)
		for i, c := range group.Commits {
			if length := fmt.Sprintf(`Math.abs([...document.querySelectorAll('.log .done')][%d].getBoundingClientRect().width /
				document.querySelector('.track').getBoundingClientRect().width * 1500 - %d) < 10`, i, c.Offset); c.Lag > 50 {
				page.Wait(length, true)
			}
		}
	}
	check()
	page.Shots("two-members")
	page.Wait(shown("#headline"), "2 members share 16 partitions; the lag is "+cli.Count(source.picture.Groups[1].Lag)+".")
	page.Wait(shownAll("#cards .held"), []string{"partitions 0-7", "partitions 8-15"})

	source.show(func(p *observer.Picture) { // member 2 is killed
		group := &p.Groups[1]
		group.Members = group.Members[:1]
		for i := 8; i < 16; i++ {
			group.Commits[i].Holder = 0
		}
		p.Topic.Partitions[3].End++
		p.Topic.Partitions[12].End += 20
		commit(p, group, 3, p.Topic.Partitions[3].End)
		commit(p, group, 12, group.Commits[12].Offset)
	})
	check()
	page.Wait(shown("#headline"), "1 member holds 8 of 16 partitions; the lag is "+cli.Count(source.picture.Groups[1].Lag)+".")
	page.Wait(`document.querySelectorAll('.lane.nobody').length`, 8)
	page.Wait(shownAll("#cards .held"), []string{"partitions 0-7"})
}

// Each unusual state is shown as what it is.
func TestStates(t *testing.T) {
	t.Parallel()
	empty := topic(16)
	unread := topic(4)
	for i := range unread.Topic.Partitions {
		unread.Topic.Partitions[i].End = int64(i)
	}
	faults := topic(6)
	for i := range faults.Topic.Partitions {
		faults.Topic.Partitions[i].Start, faults.Topic.Partitions[i].End = 5, 20
	}
	group := addGroup(faults, "faults", observer.Classic, 2)
	for i := range 5 {
		commit(faults, group, i, 12)
	}
	group.Commits[0].Offset, group.Commits[0].Fault = 2, "expired"
	group.Commits[1].Offset, group.Commits[1].Fault = 99, "beyond"
	faults.Topic.Partitions[3].Leader = -1
	group.Commits[4].Holder = 0
	partly := topic(4) // partition 3 has no messages
	addGroup(partly, "partly", observer.Classic, 1)
	for i := range 3 {
		partly.Topic.Partitions[i].End = 7
	}
	commit(partly, &partly.Groups[0], 0, 7)
	commit(partly, &partly.Groups[0], 1, 7)
	many := topic(16)
	addGroup(many, "crowd", observer.Consumer, 16)
	crowd := &many.Groups[0]
	crowd.Members = append(crowd.Members, observer.Member{Number: 17, ID: "17", Client: "late", Partitions: []int32{}})
	crowd.Members[0].Target = []int32{0, 1}
	crowd.Members[1].Target = []int32{} // it must give up all
	share := topic(4)
	addGroup(share, "shared", observer.Share, 2)
	for i := range share.Groups[0].Commits {
		share.Groups[0].Commits[i].Holder = 0
	}
	troubled := topic(1)
	troubled.Trouble = &observer.Trouble{Error: "the broker refuses our certificate", Hint: "ask for a new folder"}
	for _, test := range []struct {
		name    string
		picture *observer.Picture
		checks  []any // expressions and their values
	}{
		{"empty", empty, []any{shown("#headline"), "No group reads this topic yet.", shown("#start code"), "go run ./producer client60"}},
		{"unread", unread, []any{shown("#start code"), "go run ./consumergroup/consumer client60 my_group"}},
		{"faults", faults, []any{shownAll(".lane .lag"), []string{"expired", "beyond", "8", "no leader", "8", "–"},
			shownAll("#legend .term"), []string{"committed", "not committed: will be read, or read again after a crash",
				"held by nobody", "deleted"},
			`document.querySelector('.lane .unseen').textContent`,
			"Member 1 holds partition 0: the group committed offset 2, but the log begins at 5: what was in between was deleted before the group read it."}},
		{"partly", partly, []any{shown("#headline"), "1 member holds all 4 partitions; nothing is committed in 1 partition."}},
		{"crowd", many, []any{shown("#cards li:last-child .held"), "no partitions: 17 members share 16",
			shownAll("#cards li:nth-child(-n+3) .held"), []string{"partition 0, going to 0-1", "partition 1, going to none", "partition 2"}}},
		{"share", share, []any{shown("#headline"), "2 members share the messages; nothing is committed yet."}},
		{"trouble", troubled, []any{`document.querySelector('#trouble').innerText.replace(/\d\d:\d\d:\d\d/, 'now')`,
			"The picture is from now: the broker refuses our certificate\nask for a new folder"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := open(t, newScripted(test.picture))
			for i := 0; i < len(test.checks); i += 2 {
				page.Wait(test.checks[i].(string), test.checks[i+1])
			}
			page.Shots(test.name)
		})
	}
}

// Names, keys and values from anybody are only text, and hide nothing.
func TestHostileText(t *testing.T) {
	t.Parallel()
	markup := `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script><style>*{display:none}</style>`
	hostile := []string{markup, "\x1b[31mred\x1b[2J\x07", "safe\u202eexe.txt\u2066x\u200f", "__proto__", "constructor", `{{7*7}}`, strings.Repeat("z\u0300", 3000)}
	picture := topic(2)
	for _, name := range hostile {
		group := addGroup(picture, name, observer.Classic, 1)
		group.State = name
		group.Members[0].ID, group.Members[0].Client, group.Members[0].Host = name, name, name
		commit(picture, group, 0, 0)
	}
	source := newScripted(picture)
	page := open(t, source)
	for i, name := range hostile {
		source.show(nil, observer.Event{Kind: observer.Joined, Text: name}, observer.Event{Kind: name, Text: name},
			observer.Message{Partition: 1, Offset: int64(i), Key: &name, Value: name, Holders: map[string]int{name: 1}})
	}
	source.show(nil, observer.Message{Partition: 1, Offset: 100, Value: strings.Repeat("<b>1 MB</b>", 1<<20/11), Holders: map[string]int{}})
	page.Wait(`document.querySelectorAll('#rows tr').length`, len(hostile)+1)
	page.Wait(`[...document.querySelectorAll('#rows .value bdi')].some(e => e.textContent === '\\x1b[31mred\\x1b[2J\\x07')`, true)
	page.Wait(`[...document.querySelectorAll('#rows .value bdi')].some(e => e.textContent === 'safe\\u202eexe.txt\\u2066x\\u200f')`, true)
	page.Wait(`document.querySelectorAll('main img, main script, main style, main b').length`, 0)
	page.Wait(`document.body.textContent.length < 30000`, true)
	page.Wait(`document.documentElement.scrollWidth <= innerWidth`, true)
	page.Wait(`document.title.startsWith('client60')`, true)
	for i := range 4 { // each group in turn
		page.Eval(fmt.Sprintf(`document.querySelectorAll('.tabs button')[%d].click()`, i))
		page.Settle()
		page.Wait(`/[\x00-\x08\x0e-\x1f\x7f-\x9f\u200f\u202a-\u202e\u2066-\u2069]/.exec(document.body.textContent)`, nil)
	}
	page.Shots("hostile")
}

// Every element explains itself, to a mouse and to the keyboard.
func TestExplanations(t *testing.T) {
	t.Parallel()
	page := open(t, scene(16, 2, 1200))
	page.Wait(`document.querySelectorAll('[data-help], [data-explained]').length`, 38)
	seen := []string{}
	for range 40 {
		page.Run(chromedp.KeyEvent(kb.Tab))
		at := page.Eval(`(document.activeElement.className.split(' ')[0] || document.activeElement.tagName) + (document.querySelector('#tip').hidden ? '' : ' explained')`)
		if at == `"lane explained"` && !slices.Contains(seen, at) {
			page.Wait(`document.activeElement.getAttribute('aria-describedby')`, "tip")
			page.Wait(shown("#tip")+`.split('. ')[0]`, "Member 1 holds partition 0: the group has committed up to offset 1,040 of 1,200, and the lag is 160: what is there will be read, or read again after a crash")
			page.Run(chromedp.KeyEvent(kb.ArrowDown))
			page.Wait(`document.activeElement.textContent.includes('partition 1:')`, true)
			page.Run(chromedp.KeyEvent(kb.Enter))
			page.Wait(`document.querySelector('#only-partition').value`, "1")
			page.Run(chromedp.KeyEvent(kb.Escape))
			page.Wait(`document.querySelector('#tip').hidden`, true)
		}
		seen = append(seen, at)
	}
	for _, want := range []string{`"term explained"`, `"lane explained"`, `"LI explained"`} {
		if !slices.Contains(seen, want) {
			t.Errorf("Tab does not reach %s: %s", want, seen)
		}
	}
	page.Eval(`document.querySelector('#legend .term:nth-child(2)').click()`)
	page.Wait(shown("#tip")+`.split('.')[0]`, "Not committed: these messages will be read, or read again after a crash")
	page.Shot("tip", 1280, 900)
}

// The page reports a server that is gone, and continues by itself. A hidden tab asks for nothing.
func TestConnection(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	source := scene(16, 2, 1200)
	stop := serveAt(t, listener, source)
	page := open(t, source) // at another address
	page.Run(chromedp.Navigate("http://" + listener.Addr().String() + "/"))
	page.Wait(shown("#connection"), "live")
	hide := func(hidden bool) {
		page.Eval(fmt.Sprintf(`(Object.defineProperty(document, 'hidden', {value: %v, configurable: true}), document.dispatchEvent(new Event('visibilitychange')))`, hidden))
	}
	hide(true)
	source.show(nil) // answers the question that was on its way
	page.Settle()
	asked := source.count()
	source.show(nil, observer.Event{Kind: observer.Left, Text: "while it was hidden"})
	if page.Settle(); source.count() != asked {
		t.Error("a hidden tab asks the server")
	}
	hide(false)
	page.Wait(shown("#events li bdi"), "while it was hidden")

	stop()
	page.Wait(shown("#trouble"), "The watch program does not answer. Trying again …")
	if listener, err = net.Listen("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	other := newScripted(topic(4))
	other.show(nil, observer.Event{Kind: observer.Joined, Text: "after a restart"})
	serveAt(t, listener, other)
	page.Wait(shown("#connection"), "live")
	page.Wait(shownAll("#events li bdi"), []string{"after a restart"})
	page.Expect("net::ERR_CONNECTION_REFUSED")
}

// axe-core finds no violation.
func TestAccessible(t *testing.T) {
	t.Parallel()
	open(t, scene(16, 9, 1200)).Accessible(t)
}
