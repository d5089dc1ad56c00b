package page

import (
	"context"
	"net"
	"os"
	"sync"
	"testing"

	"tkafka/pkg/watch/browser"
)

func TestMain(m *testing.M) { os.Exit(browser.Main(m)) }

// open serves the source, and opens the page in a new tab.
func open(t *testing.T, source source) *browser.Tab {
	t.Helper()
	return browser.Open(t, "http://"+serve(t, source)+"/", "")
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
	go func() { ended <- answer(ctx, listener, newHandler(source)) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}
