// Package page serves a page that shows a topic, its partitions and the groups that read it, as they
// change. The page is plain HTML, CSS and ES modules in the folder web/. It asks for one picture after the
// other at /picture, which is there for other programs, too.
//
// Names, keys and messages come from anybody who may write to the cluster, and the browser belongs to
// the student. So the page treats them as text only, and the server answers only requests for its own
// host names.
package page

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tkafka/pkg/watch/observer"
)

//go:embed web
var files embed.FS

// source is what the page shows: an *observer.Observer.
type source interface {
	// Next returns the newest picture. It waits until there is another one than that with this version.
	Next(ctx context.Context, version int64) (*observer.Picture, error)
}

// newHandler serves the page to browsers that name one of these hosts. The names that only this machine has are
// always among them.
func newHandler(source source, hosts ...string) http.Handler {
	mime.AddExtensionType(".js", "text/javascript; charset=utf-8") // some Windows registries have text/plain
	mux := http.NewServeMux()
	web, err := fs.Sub(files, "web")
	if err != nil {
		panic(err) // the files are in the program
	}
	mux.Handle("GET /", http.FileServerFS(web))
	// With the version of the last picture in ?after, the answer comes as soon as there is another one.
	mux.HandleFunc("GET /picture", func(w http.ResponseWriter, r *http.Request) {
		after, _ := strconv.ParseInt(r.FormValue("after"), 10, 64)
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		picture, err := source.Next(ctx, after)
		if err != nil {
			w.WriteHeader(http.StatusNoContent) // so that the page notices a dead connection
			return
		}
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(picture)
	})
	return guard(mux, append(hosts, "localhost", "127.0.0.1", "::1"))
}

// Policy lets the page load its own files and nothing else, and run no code that stands in its markup.
// Trusted types forbid to make markup from a string.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard sets the headers that keep other pages out. A foreign page can give its own name the address of this
// server (DNS rebinding). Then the browser takes this server for a part of that page, but it still sends that
// page's name. The port does not matter: it differs behind "ssh -L 9000:localhost:8080".
func guard(next http.Handler, hosts []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
		} {
			w.Header().Set(name, value)
		}
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = strings.Trim(r.Host, "[]")
		}
		if !slices.ContainsFunc(hosts, func(known string) bool { return strings.EqualFold(known, host) }) {
			http.Error(w, fmt.Sprintf("This page is not for the host %q. Open it as localhost, or start it with --host.", host), http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answer answers requests until the context ends, and then closes the listener and all connections. An error
// is one of the listener.
func answer(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{
		Handler:           handler,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
