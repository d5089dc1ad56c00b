package livepage

import (
	"fmt"
	"net"
	"net/http"
	"strings"
)

// allow adds host names. It is called before the first request only.
func (s *Server) allow(hosts ...string) {
	for _, host := range hosts {
		s.hosts[strings.ToLower(host)] = true
	}
}

// policy lets the page load its own files and nothing else, and run no code that stands in its markup.
// Trusted types forbid to make markup from a string.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// guard refuses what the page never sends, and sets the headers that keep other pages out.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", policy)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Opener-Policy", "same-origin")
		header.Set("Cross-Origin-Embedder-Policy", "require-corp")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		switch {
		case !s.hosts[hostname(r.Host)]:
			// A foreign page can give its own name the address of this server (DNS rebinding). Then the
			// browser takes this server for a part of that page, but it still sends that page's name.
			http.Error(w, fmt.Sprintf("This page is not for the host %q. Open it as localhost, or start it with --host.", hostname(r.Host)),
				http.StatusForbidden)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			header.Set("Allow", "GET, HEAD")
			http.Error(w, "Only GET and HEAD are possible here.", http.StatusMethodNotAllowed)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// hostname removes the port. It does not protect from rebinding, and it differs behind "ssh -L 9000:localhost:8080".
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	return strings.ToLower(host)
}
