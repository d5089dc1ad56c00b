package page

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
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
)

// browser is a Chromium without a window, for all tests. The first tab starts it.
var (
	browser      context.Context
	startBrowser = sync.OnceValue(func() error { return chromedp.Do(browser) })
)

func TestMain(m *testing.M) {
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
	os.Exit(status)
}

// tab is the page of one source.
type tab struct {
	ctx     context.Context
	address string
	mu      sync.Mutex
	errors  []string // of scripts and of the policy
}

// open serves the source, and opens the page in a new tab. At the end, the page must have had no errors.
func open(t *testing.T, source source) *tab {
	t.Helper()
	if browser == nil && os.Getenv("CI") == "" {
		t.Skip("no browser: install the Debian package chromium")
	} else if browser == nil || startBrowser() != nil {
		t.Fatal("no browser: install the Debian package chromium")
	}
	ctx, cancel := chromedp.NewContext(browser)
	t.Cleanup(cancel)
	page := &tab{ctx: ctx, address: serve(t, source)}
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
	page.run(t, chromedp.Navigate("http://"+page.address+"/"))
	page.look(t, 1280, "light")
	t.Cleanup(func() {
		page.mu.Lock()
		defer page.mu.Unlock()
		if len(page.errors) > 0 {
			t.Errorf("the page has errors:\n%s", strings.Join(page.errors, "\n"))
		}
	})
	return page
}

// serve serves the source until the test ends, and returns the address.
func serve(t *testing.T, source source) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveAt(t, listener, source)
	return listener.Addr().String()
}

func serveAt(t *testing.T, listener net.Listener, source source) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, newHandler(source)) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (page *tab) run(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(page.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

// eval returns the value of a JavaScript expression as JSON.
func (page *tab) eval(t *testing.T, expression string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(page.ctx, time.Minute)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[any]("(async () => ("+expression+") ?? null)()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return inJSON(value)
}

func inJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// wait waits until the expression has the value.
func (page *tab) wait(t *testing.T, expression string, want any) {
	t.Helper()
	var got string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = page.eval(t, expression); got == inJSON(want) {
			return
		}
	}
	t.Fatalf("%s is\n%s, not\n%s", expression, got, inJSON(want))
}

// look sets the width of the window and the theme.
func (page *tab) look(t *testing.T, width int, theme string) {
	t.Helper()
	page.run(t, chromedp.EmulateViewport(int64(width), 900))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}
	if _, err := chromedp.Call(page.ctx, emulation.SetEmulatedMedia, media); err != nil {
		t.Fatal(err)
	}
	page.settle(t)
}

// settle waits until the page has drawn what it knows.
func (page *tab) settle(t *testing.T) {
	t.Helper()
	page.eval(t, `new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 100))`)
}

// shot writes a picture of the page, at most so many pixels high, into the folder that TKAFKA_SCREENSHOTS names.
func (page *tab) shot(t *testing.T, name string, width, height float64) {
	t.Helper()
	folder := os.Getenv("TKAFKA_SCREENSHOTS")
	if folder == "" {
		return
	}
	page.settle(t)
	params := cdppage.CaptureScreenshotParams{Clip: &cdppage.Viewport{Width: width, Height: height, Scale: 1}, CaptureBeyondViewport: new(true)}
	shot, err := chromedp.Call(page.ctx, cdppage.CaptureScreenshot, params)
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name+".png"), shot.Data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shots writes pictures of the whole page: on a phone, on a screen and on a projector, in light and dark.
func (page *tab) shots(t *testing.T, name string) {
	t.Helper()
	for _, width := range []int{400, 1280, 1920} {
		for _, theme := range []string{"light", "dark"} {
			if os.Getenv("TKAFKA_SCREENSHOTS") != "" {
				var height float64
				page.look(t, width, theme)
				fmt.Sscan(page.eval(t, `document.documentElement.scrollHeight`), &height)
				page.shot(t, fmt.Sprintf("%s-%d-%s", name, width, theme), float64(width), height)
			}
		}
	}
}
