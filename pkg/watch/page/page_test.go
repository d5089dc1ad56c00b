package page

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tkafka/pkg/watch/observer"
)

func get(handler http.Handler, method, host, path string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://localhost:8080"+path, nil)
	r.Host = host
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

// A page of another site can give its own name this server's address, but not this server's name.
func TestHost(t *testing.T) {
	handler := newHandler(newScripted(topic(1)), "192.0.2.7", "vm.example")
	for host, want := range map[string]int{
		"localhost:8080": 200, "LOCALHOST:8080": 200, "localhost": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200,
		"localhost:9000": 200, // ssh -L 9000:localhost:8080
		"192.0.2.7:3007": 200, "vm.example:3007": 200,
		"evil.example:8080": 403, "evil.example": 403, "localhost.evil.example:8080": 403, "127.0.0.1.evil.example": 403,
		"192.0.2.8:3007": 403, "": 403, "localhost:8080:8080": 403, "<script>": 403,
	} {
		for _, path := range []string{"/", "/picture"} {
			if got := get(handler, "GET", host, path); got.Code != want || want == 403 && !strings.Contains(got.Body.String(), "--host") {
				t.Errorf("%s for host %q: %d, not %d", path, host, got.Code, want)
			}
		}
	}
}

// Each file has its type and the headers that keep other pages out, and nothing can be changed. All files together
// have less than 100 kB.
func TestFiles(t *testing.T) {
	handler := newHandler(newScripted(topic(1)))
	paths, err := fs.Glob(files, "web/*")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]string{".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
	weight := 0
	for _, path := range append(paths, "web/", "web/picture") {
		path = strings.TrimSuffix(strings.TrimPrefix(path, "web"), "index.html")
		got := get(handler, "GET", "localhost", path)
		weight += got.Body.Len()
		if dot := strings.LastIndex(path, "."); got.Code != 200 || dot > 0 && !strings.HasPrefix(got.Header().Get("Content-Type"), types[path[dot:]]) {
			t.Errorf("%s: %d, %q", path, got.Code, got.Header().Get("Content-Type"))
		}
		csp := got.Header().Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s has the policy %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": ""} {
			if got := got.Header().Get(name); got != want {
				t.Errorf("%s: %s is %q, not %q", path, name, got, want)
			}
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
			if got := get(handler, method, "localhost", path); got.Code != 405 {
				t.Errorf("%s %s: %d", method, path, got.Code)
			}
		}
	}
	if weight > 100_000 {
		t.Errorf("the page has %d bytes", weight)
	}
}

// The answer about a picture that somebody has comes when there is another one.
func TestPicture(t *testing.T) {
	source := newScripted(topic(3))
	address := serve(t, source)
	ask := func(after string) (picture observer.Picture) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/picture"+after, nil)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if err := json.NewDecoder(response.Body).Decode(&picture); err != nil {
			t.Fatal(err)
		}
		return picture
	}
	first := ask("")
	if len(first.Topic.Partitions) != 3 {
		t.Errorf("%+v", first)
	}
	time.AfterFunc(100*time.Millisecond, func() { source.show(nil, observer.Event{Text: "new"}) })
	if second := ask("?after=" + fmt.Sprint(first.Version)); len(second.Events) != 1 {
		t.Errorf("%+v", second)
	}
}
