// Package browser opens pages in a Chromium without a window. Only tests import it.
package browser

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var (
	stop = func() {}
	// start starts the browser for the first tab.
	start = sync.OnceValues(func() (context.Context, error) {
		// Debian's browser without windows is the quickest. The program of this name in /usr/bin is a script, which would leave it behind.
		for _, name := range []string{"/usr/lib/chromium/chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome"} {
			path, err := exec.LookPath(name)
			if err != nil {
				continue
			}
			ctx, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path),
				chromedp.NoSandbox, chromedp.Flag("hide-scrollbars", true), chromedp.WSURLReadTimeout(time.Minute),
				chromedp.Flag("js-flags", "--liftoff-only"))...) // no second compiler of WebAssembly: a test is too short for it
			stop = cancel
			ctx, _ = chromedp.NewContext(ctx)
			return ctx, chromedp.Do(ctx)
		}
		return nil, exec.ErrNotFound
	})
)

// Main runs the tests of a package, ends the browser, and returns the status of the tests.
func Main(m *testing.M) int {
	flag.Set("test.parallel", "4") // a tab waits most of the time
	defer func() { stop() }()
	return m.Run()
}

// A Tab shows a page. What fails ends its test.
type Tab struct {
	t      *testing.T
	ctx    context.Context
	mu     sync.Mutex
	errors []string // of scripts and of the policy
}

// Open opens a page in a new tab, after a script that changes the browser. At the end of the test, the page must have had
// no errors.
func Open(t *testing.T, url, script string) *Tab {
	t.Helper()
	browser, err := start()
	if errors.Is(err, exec.ErrNotFound) && os.Getenv("CI") == "" {
		t.Skip("no browser: install the Debian package chromium-headless-shell")
	} else if err != nil {
		t.Fatal("no browser: install the Debian package chromium-headless-shell: ", err)
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	tab := &Tab{t: t, ctx: ctx}
	tab.check(chromedp.Listen(ctx, func(event any) {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			tab.errors = append(tab.errors, fmt.Sprint(event.ExceptionDetails.Text, " ", event.ExceptionDetails.Exception))
		case *cdplog.EventEntryAdded:
			if event.Entry.Level == cdplog.EntryLevelError {
				tab.errors = append(tab.errors, event.Entry.Text)
			}
		}
	}))
	t.Cleanup(func() {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		if len(tab.errors) > 0 {
			t.Errorf("the page has errors:\n%s", strings.Join(tab.errors, "\n"))
		}
	})
	_, err = chromedp.Call(ctx, cdplog.Enable, cdp.Empty{})
	tab.check(err)
	_, err = chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	tab.check(err)
	tab.Run(chromedp.Navigate(url))
	tab.Look(1280, "light")
	return tab
}

func (tab *Tab) check(err error) {
	tab.t.Helper()
	if err != nil {
		tab.t.Fatal(err)
	}
}

// Expect forgets the errors that have this text.
func (tab *Tab) Expect(text string) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.errors = slices.DeleteFunc(tab.errors, func(found string) bool { return strings.Contains(found, text) })
}

func (tab *Tab) Run(actions ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
	defer cancel()
	tab.check(chromedp.Do(ctx, actions...))
}

// Eval returns the value of a JavaScript expression as JSON. The expression may await.
func (tab *Tab) Eval(expression string) string {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[any]("(async () => ("+expression+") ?? null)()", chromedp.EvalAwaitPromise))
	tab.check(err)
	return inJSON(value)
}

func inJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// Wait waits until the expression has the value.
func (tab *Tab) Wait(expression string, want any) {
	tab.t.Helper()
	var got string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got = tab.Eval(expression); got == inJSON(want) {
			return
		}
	}
	tab.t.Fatalf("%s is\n%s, not\n%s; the page shows\n%s", expression, got, inJSON(want), tab.Eval("document.body.innerText"))
}

// Matches waits until the expression is a string that matches the pattern.
func (tab *Tab) Matches(expression, pattern string) {
	tab.t.Helper()
	tab.Wait(fmt.Sprintf(`(value => RegExp(%q, 'm').test(value) || value)(await %s)`, pattern, expression), true)
}

func (tab *Tab) Click(selector string) {
	tab.t.Helper()
	tab.Eval(fmt.Sprintf(`document.querySelector(%q).click()`, selector))
}

// text is what an element shows.
const text = `(e => !e || e.hidden ? '' : e.innerText.replace(/\s+/g, ' ').trim())`

// Text is an expression for what an element shows, in one line.
func Text(selector string) string {
	return fmt.Sprintf("%s(document.querySelector(%q))", text, selector)
}

// Texts is the same for each element that the selector finds.
func Texts(selector string) string {
	return fmt.Sprintf("[...document.querySelectorAll(%q)].map(%s)", selector, text)
}

// Look sets the width of the window and the theme.
func (tab *Tab) Look(width int, theme string) {
	tab.t.Helper()
	tab.Run(chromedp.EmulateViewport(int64(width), 900))
	_, err := chromedp.Call(tab.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	tab.check(err)
	tab.Settle()
}

// Settle waits until the page has drawn what it knows.
func (tab *Tab) Settle() {
	tab.t.Helper()
	tab.Eval(`new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 100))`)
}

// Shot writes a picture of the page, so many pixels wide and high, into the folder that TKAFKA_SCREENSHOTS names.
func (tab *Tab) Shot(name string, width, height float64) {
	tab.t.Helper()
	folder := os.Getenv("TKAFKA_SCREENSHOTS")
	if folder == "" {
		return
	}
	tab.Settle()
	shot, err := chromedp.Call(tab.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{
		Clip: &page.Viewport{Width: width, Height: height, Scale: 1}, CaptureBeyondViewport: new(true)})
	tab.check(err)
	tab.check(os.MkdirAll(folder, 0o755))
	tab.check(os.WriteFile(filepath.Join(folder, name+".png"), shot.Data, 0o644))
}

// Shots writes pictures of the whole page, if TKAFKA_SCREENSHOTS is set: on a phone, on a screen and on a projector, in light
// and dark.
func (tab *Tab) Shots(name string) {
	tab.t.Helper()
	if os.Getenv("TKAFKA_SCREENSHOTS") == "" {
		return
	}
	for _, width := range []int{390, 1280, 1920} {
		for _, theme := range []string{"light", "dark"} {
			var height float64
			tab.Look(width, theme)
			fmt.Sscan(tab.Eval(`document.documentElement.scrollHeight`), &height)
			tab.Shot(fmt.Sprintf("%s-%d-%s", name, width, theme), float64(width), height)
		}
	}
	tab.Look(1280, "light")
}

// Accessible is a test: axe-core finds no violation. .ci/axe brings it, and TKAFKA_AXE names the file.
func (tab *Tab) Accessible(t *testing.T) {
	path := os.Getenv("TKAFKA_AXE")
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("TKAFKA_AXE is not set: .ci/axe brings it")
		}
		t.Skip("TKAFKA_AXE is not set: .ci/axe brings it")
	}
	axe, err := os.ReadFile(path)
	tab.check(err)
	tab.Eval("(() => {" + string(axe) + "})()")
	for _, width := range []int{390, 1280} {
		for _, theme := range []string{"light", "dark"} {
			tab.Look(width, theme)
			found := tab.Eval(`axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
				.then(r => r.violations.map(v => v.id + ': ' + v.help + ' ' + v.nodes.slice(0, 3).map(n => n.html + ' ' + n.failureSummary)))`)
			if found != "[]" {
				t.Errorf("%d pixels, %s: %s", width, theme, found)
			}
		}
	}
}
