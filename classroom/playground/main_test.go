package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"tkafka/pkg/lab/process"
)

var (
	browser context.Context // a Chromium without a window, for all tests
	start   = sync.OnceValue(func() error { return chromedp.Do(browser) })
	folder  string // where the site is, after the first call of site
	site    = sync.OnceValue(func() (err error) {
		folder, err = os.MkdirTemp("", "playground-test-")
		return errors.Join(err, build(context.Background(), folder))
	})
)

func TestMain(m *testing.M) {
	if os.Getenv("TKAFKA_PLAYGROUND") != "" {
		main()
	}
	stop := func() {}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			browser, stop = chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
				chromedp.NoSandbox, chromedp.Flag("hide-scrollbars", true), chromedp.WSURLReadTimeout(time.Minute))...)
			browser, _ = chromedp.NewContext(browser)
			break
		}
	}
	flag.Set("test.parallel", "4") // a tab waits most of the time
	status := m.Run()
	stop()
	os.RemoveAll(folder)
	os.Exit(status)
}

// tab is the page in a tab of the browser.
type tab struct {
	ctx    context.Context
	mu     sync.Mutex
	errors []string // of scripts and of the policy
}

// open serves the site below a path, as any static host does, and opens the page. The script runs before the page does.
func open(t *testing.T, script string) *tab {
	t.Helper()
	if browser == nil && os.Getenv("CI") == "" {
		t.Skip("no browser: install the Debian package chromium")
	} else if browser == nil || start() != nil {
		t.Fatal("no browser: install the Debian package chromium")
	}
	if err := site(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/kafka", http.FileServer(http.Dir(folder))))
	t.Cleanup(func() {
		server.CloseClientConnections() // a tab that is closed may leave one
		server.Close()
	})
	ctx, stop := chromedp.NewContext(browser)
	t.Cleanup(stop)
	page := &tab{ctx: ctx}
	report := func(text string) {
		page.mu.Lock()
		defer page.mu.Unlock()
		page.errors = append(page.errors, text)
	}
	err := chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			report(fmt.Sprint(event.ExceptionDetails.Text, " ", event.ExceptionDetails.Exception))
		case *cdplog.EventEntryAdded:
			if event.Entry.Level == cdplog.EntryLevelError {
				report(event.Entry.Text)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, cdplog.Enable, cdp.Empty{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: script}); err != nil {
		t.Fatal(err)
	}
	page.look(t, 1280, 800, "light")
	within, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(within, chromedp.Navigate(server.URL+"/kafka/")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		page.mu.Lock()
		defer page.mu.Unlock()
		if len(page.errors) > 0 {
			t.Errorf("the page has errors:\n%s", strings.Join(page.errors, "\n"))
		}
	})
	return page
}

// eval returns the value of a JavaScript expression.
func (page *tab) eval(t *testing.T, expression string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(page.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[any]("(async () => String(("+expression+") ?? ''))()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return value.(string)
}

// wait waits until the expression has the value.
func (page *tab) wait(t *testing.T, expression, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = page.eval(t, expression); got == want {
			return
		}
	}
	page.shot(t, "failed")
	t.Fatalf("%s is\n%s, not\n%s\nprinted: %s\nnote: %s", expression, got, want, page.eval(t, text("#printed")), page.eval(t, text("#note")))
}

// matches waits until the value of the expression matches.
func (page *tab) matches(t *testing.T, expression, pattern string) {
	t.Helper()
	page.wait(t, fmt.Sprintf(`(value => RegExp(%q).test(value) || value)(await %s)`, pattern, expression), "true")
}

func text(selector string) string {
	return fmt.Sprintf(`document.querySelector(%q).innerText.replace(/\s+/g, ' ').trim()`, selector)
}

func (page *tab) click(t *testing.T, selector string) {
	t.Helper()
	page.eval(t, fmt.Sprintf(`document.querySelector(%q).click()`, selector))
}

// look sets the size of the window and the theme.
func (page *tab) look(t *testing.T, width, height int64, theme string) {
	t.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(page.ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(page.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		t.Fatal(err)
	}
}

// shot writes a picture of the window into the folder that TKAFKA_SCREENSHOTS names.
func (page *tab) shot(t *testing.T, name string) {
	t.Helper()
	folder := os.Getenv("TKAFKA_SCREENSHOTS")
	if folder == "" {
		return
	}
	shot, err := chromedp.Call(page.ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{})
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), shot.Data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shots writes pictures of a phone, a laptop and a projector, in light and dark.
func (page *tab) shots(t *testing.T, name string) {
	t.Helper()
	if os.Getenv("TKAFKA_SCREENSHOTS") == "" {
		return
	}
	for _, size := range [][2]int64{{390, 844}, {1280, 800}, {1920, 1080}} {
		for _, theme := range []string{"light", "dark"} {
			page.look(t, size[0], size[1], theme)
			time.Sleep(200 * time.Millisecond)
			page.shot(t, fmt.Sprintf("%s-%d-%s", name, size[0], theme))
		}
	}
	page.look(t, 1280, 800, "light")
}

// A student does the whole lesson. What a step shows is checked by the page; here, what the programs have printed.
func TestLesson(t *testing.T) {
	t.Parallel()
	page := open(t, "")
	page.wait(t, text("#connection"), "live")
	page.shots(t, "step-0")
	for step, printed := range []string{
		`partition \d+, offset 0`,
		`assigned 16 of 16 partitions: 0-15 hello$`,
		`message 1.* message 2|message 2.* message 1`,
		`the group skips 6 older offsets .*assigned 16 of 16`,
		`assigned 16 of 16 partitions: 0-15 important Start Storing End Storing Message committed$`,
		`Message committed precious Start Storing .*assigned 16 of 16 partitions: 0-15$`,
		`partition \d+, offset \d+, key \d+, value message \d+$`,
		`gave back partitions .*assigned 16 of 16 partitions: 0-15`,
		`assigned 1 of 16 partitions: \d+`,
		`key five, value message 20$`,
	} {
		page.click(t, "#do")
		page.wait(t, text("#progress"), fmt.Sprintf("Step %d of 10: done ✓", step+1))
		page.matches(t, text("#printed"), printed)
		page.shots(t, fmt.Sprintf("step-%d", step+1))
		page.click(t, "#next")
	}
	page.wait(t, text("#steps code:last-child"), "go run ./consumer client60")
	page.shots(t, "end")
}

// The picture of the README. .ci/record-watch makes it again.
func TestPictures(t *testing.T) {
	if os.Getenv("TKAFKA_SCREENSHOTS") == "" {
		t.Skip("TKAFKA_SCREENSHOTS is not set: this makes pictures and asserts nothing")
	}
	page := open(t, "")
	page.wait(t, text("#connection"), "live")
	page.eval(t, `document.body.style.fontFamily = '"Liberation Sans", sans-serif'`)
	for range 6 {
		page.click(t, "#next")
	}
	page.click(t, "#do")
	page.wait(t, text("#progress"), "Step 7 of 10: done ✓")
	for _, theme := range []string{"light", "dark"} {
		page.look(t, 1280, 960, theme)
		time.Sleep(time.Second) // the page draws again
		page.shot(t, "playground-"+theme)
	}
}

// The bar does what its buttons are called, and refuses too much with a sentence. Meanwhile, the page answers.
func TestBar(t *testing.T) {
	t.Parallel()
	page := open(t, "")
	page.wait(t, text("#connection"), "live")
	set := func(form, name, value string) {
		page.eval(t, fmt.Sprintf(`Object.assign(document.forms[%q].elements[%q], {value: %q}).dispatchEvent(new Event('change', {bubbles: true}))`, form, name, value))
	}
	set("run", "program", "share")
	set("run", "group", "shared")
	page.click(t, "#run [name=start]")
	page.matches(t, text("#printed"), `joined share group shared`)
	page.wait(t, "document.querySelector('#run a').getAttribute('href')", "consumergroup/share/main.go.txt")
	page.matches(t, "(await fetch('consumergroup/share/main.go.txt')).text()", `kgo\.ShareGroup\(`)
	set("send", "line", "broken")
	page.click(t, "#send [value='1']")
	page.matches(t, text("#printed"), `delivery 2 `)
	page.click(t, "#run [name=stop]")

	set("run", "program", "store-first")
	set("run", "group", "my_group")
	set("run", "time", "30")
	page.click(t, "#run [name=start]")
	page.matches(t, text("#printed"), `assigned 16 of 16 partitions: 0-15 broken Start Storing$`)
	page.wait(t, `document.querySelector('.tabs [aria-pressed=true] bdi').textContent`, "my_group")
	page.click(t, "#run [name=kill]")
	page.matches(t, text("#note"), `misses a killed member after 6 seconds, by default 45`)
	page.wait(t, `[...document.querySelectorAll('.tabs bdi')].map(group => group.textContent)`, "shared") // my_group has no offsets
	page.matches(t, text("#printed"), `broken Start Storing$`)

	set("run", "group", "<b>group</b>")
	page.click(t, "#run [name=start]")
	page.matches(t, text("#note"), `at most 60 letters`)
	page.eval(t, "document.forms.send.elements.line.value = 'x'.repeat(1 << 20)")
	page.click(t, "#send [value='1']")
	page.matches(t, text("#note"), `1,048,576 bytes.* 10,000`)

	page.eval(t, `(() => {
		globalThis.waits = [];
		const look = () => { const since = performance.now(); setTimeout(() => { waits.push(performance.now() - since); look(); }); };
		look();
	})()`)
	set("send", "key", "each")
	page.eval(t, `(() => { for (let n = 0; n < 25; n++) document.querySelector("#send [value='1000']").click() })()`)
	page.matches(t, text("#note"), `You have sent 19,001 messages.* at most 20,000`)
	set("run", "group", "crowd")
	set("run", "program", "latest")
	page.eval(t, `(() => { for (let n = 0; n < 100; n++) document.querySelector('#run [name=start]').click() })()`)
	page.matches(t, text("#note"), `24 members run`)
	page.wait(t, text("#headline")+`.split(' partitions')[0]`, "24 members share 16")
	page.matches(t, text("#summary"), `19,001 `)
	worst, err := strconv.Atoi(page.eval(t, `Math.round(waits.sort((a, b) => a - b).at(-Math.ceil(waits.length / 100)))`))
	if t.Logf("99 of 100 times, the page answers within %d ms", worst); err != nil || worst > 200 {
		t.Error(worst, err)
	}
	page.shots(t, "crowd")
}

// An old browser gets a sentence.
func TestOldBrowser(t *testing.T) {
	t.Parallel()
	page := open(t, "delete globalThis.DecompressionStream")
	page.matches(t, text("#trouble"), "too old")
	page = open(t, "Object.defineProperty(globalThis, 'Worker', {get() { throw Error('no workers') }})")
	page.matches(t, text("#note"), "your browser is too old")
	page.errors = nil
}

// All files together are small enough for a class in a bad network, and the page loads its own files only.
func TestSite(t *testing.T) {
	if err := site(); err != nil {
		t.Fatal(err)
	}
	weight := int64(0)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if info, _ := entry.Info(); err == nil && !entry.IsDir() {
			weight += info.Size()
		}
		return err
	})
	if t.Logf("%d bytes", weight); err != nil || weight > 5e6 {
		t.Error(weight, err)
	}
	index, err := os.ReadFile(filepath.Join(folder, "index.html"))
	policy := `<head><meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; ` +
		`connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types worker">`
	if err != nil || !strings.Contains(string(index), policy) || !strings.Contains(string(index), `<section id="play"`) {
		t.Errorf("%v\n%s", err, index)
	}
}

// The command serves the page until Ctrl-C.
func TestCommand(t *testing.T) {
	t.Parallel()
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), "TKAFKA_PLAYGROUND=yes", "DISPLAY=", "WAYLAND_DISPLAY=")
	program := process.New(command)
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(program.Kill)
	match, err := program.Await(&program.Stderr, regexp.MustCompile(`at (http://127.0.0.1:\d+/) until Ctrl-C`), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(match[1] + "commitoffsets/consumercommit/main.go.txt")
	if err != nil || answer.StatusCode != 200 {
		t.Error(answer, err)
	}
	program.Signal(os.Interrupt)
	if status, err := program.Wait(time.Minute); status != 0 || err != nil {
		t.Error(status, err)
	}
}

// A program that has not the words which the playground replaces is named.
func TestChangedPrograms(t *testing.T) {
	root := t.TempDir()
	for _, program := range programs {
		text, err := os.ReadFile(filepath.Join("../..", program[0], "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(`"fail", ""`), []byte(`"fail", "x"`))
		if err := write(root, map[string][]byte{program[0] + "/main.go": text}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := changedPrograms(root); err == nil || !strings.Contains(err.Error(), "consumergroup/share/main.go") {
		t.Error(err)
	}
}

// axe-core finds no violation. .ci/axe brings it, and TKAFKA_AXE names the file.
func TestAccessible(t *testing.T) {
	t.Parallel()
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
	page := open(t, "")
	page.wait(t, text("#connection"), "live")
	page.click(t, "#run [name=start]")
	page.click(t, "#do")
	page.wait(t, text("#progress"), "Step 1 of 10: done ✓")
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{390, 1280} {
			page.look(t, width, 844, theme)
			page.eval(t, "(() => {"+string(axe)+"\nreturn 1})()")
			page.wait(t, `(await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})).violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary).join('; ')).join('\n')`, "")
		}
	}
}
