package livepage

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
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

// browser is a Chromium without a window.
type browser struct{ ctx context.Context }

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no browser: install the Debian package chromium")
		}
		t.Skip("no browser: install the Debian package chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("hide-scrollbars", true), chromedp.WSURLReadTimeout(time.Minute))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return &browser{ctx}
}

// tab is the page of one source.
type tab struct {
	ctx     context.Context
	address string
	mu      sync.Mutex
	errors  []string // of scripts and of the policy
}

// open serves the source, and opens the page in a new tab. At the end, the page must have had no errors.
func (b *browser) open(t *testing.T, source Source) *tab {
	t.Helper()
	address := serve(t, source)
	ctx, cancel := chromedp.NewContext(b.ctx)
	t.Cleanup(cancel)
	page := &tab{ctx: ctx, address: address}
	report := func(text string) {
		page.mu.Lock()
		defer page.mu.Unlock()
		page.errors = append(page.errors, text)
	}
	err := chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			text := event.ExceptionDetails.Text
			if event.ExceptionDetails.Exception != nil {
				text += " " + event.ExceptionDetails.Exception.Description
			}
			report(text)
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
	page.run(t, chromedp.Navigate("http://"+address+"/"))
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
func serve(t *testing.T, source Source) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, Handler(source)) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listener.Addr().String()
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
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wait waits until the expression has the value.
func (page *tab) wait(t *testing.T, expression string, want any) {
	t.Helper()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = page.eval(t, expression); got == string(text) {
			return
		}
	}
	t.Fatalf("%s is\n%s, not\n%s", expression, got, text)
}

// look sets the width of the window and the theme.
func (page *tab) look(t *testing.T, width int, theme string) {
	t.Helper()
	height := map[int]int64{400: 800, 1280: 800, 1920: 1080}[width]
	page.run(t, chromedp.EmulateViewport(int64(width), height))
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
	page.eval(t, `new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 600))`)
}

// shot writes the whole page as a picture. The browser draws only what is in sight, so the window becomes as
// high as the page.
func (page *tab) shot(t *testing.T, path string) {
	t.Helper()
	var size [3]int64
	if err := json.Unmarshal([]byte(page.eval(t, `[innerWidth, innerHeight, document.documentElement.scrollHeight]`)), &size); err != nil {
		t.Fatal(err)
	}
	page.run(t, chromedp.EmulateViewport(size[0], size[2]))
	page.eval(t, `new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))`)
	shot, err := chromedp.Call(page.ctx, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{})
	if err != nil {
		t.Fatal(err)
	}
	page.run(t, chromedp.EmulateViewport(size[0], size[1]))
	if err := os.WriteFile(path, shot.Data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// screenshots is the folder for pictures.
func screenshots(t *testing.T) string {
	folder := os.Getenv("TKAFKA_SCREENSHOTS")
	if folder == "" {
		return t.ArtifactDir()
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}
