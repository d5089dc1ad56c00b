// Package livepage serves a page that shows a topic, its partitions and the groups that read it, as they
// change. The page is plain HTML, CSS and ES modules in the folder page/. It gets its data from /events, a
// stream of server-sent events. The same data is at /api/state as JSON, and at /metrics for Prometheus.
//
// Names, keys and messages come from anybody who may write to the cluster, and the browser belongs to
// the student. So the page treats them as text only, and the server answers only requests for its own
// host names.
package livepage

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"tkafka/pkg/observer"
)

// Source is what the page shows: an *observer.Observer.
type Source interface {
	Picture() *observer.Picture
	Events() []observer.Event     // the last 1,000, oldest first
	Messages() []observer.Message // the newest 500, oldest first
	Rates() observer.Rates
	Follow() (updates <-chan observer.Update, stop func())
}

// Config describes how the page is reached.
type Config struct {
	Hosts   []string // more host names, besides localhost and the listener's address; without a port
	Viewers int      // how many browser tabs may watch at the same time; 0 means 200
}

// Server serves the page.
type Server struct {
	source  Source
	hosts   map[string]bool
	viewers int
	hub     *hub
	handler http.Handler
}

// New returns a server for the page. It follows the source only while somebody watches.
func New(source Source, config Config) *Server {
	s := &Server{source: source, hosts: make(map[string]bool), viewers: config.Viewers, hub: newHub(source)}
	if s.viewers == 0 {
		s.viewers = 200
	}
	s.allow(append([]string{"localhost", "127.0.0.1", "::1"}, config.Hosts...)...)
	mux := http.NewServeMux()
	files := staticFiles()
	mux.Handle("/", files)
	mux.HandleFunc("/events", s.events)
	mux.HandleFunc("/api/state", s.state)
	mux.Handle("/metrics", metrics(source, s.hub))
	s.handler = s.guard(mux)
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Serve answers requests until the context ends, and then closes the listener and all streams. An error
// is one of the listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsUnspecified() {
		s.allow(address.IP.String())
	}
	// A stream sets its own deadline for each write. It ends with the context, as each request does.
	server := &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
