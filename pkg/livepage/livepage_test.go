package livepage

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tkafka/pkg/observer"
)

func get(t *testing.T, server http.Handler, method, host, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "http://localhost:8080"+path, nil)
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A page of another site can give its own name this server's address, but not this server's name.
func TestHost(t *testing.T) {
	server := New(newScripted(topic("client60", 1)), Config{Hosts: []string{"192.0.2.7", "vm.example"}})
	for host, want := range map[string]int{
		"localhost:8080": 200, "LOCALHOST:8080": 200, "localhost": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200,
		"localhost:9000": 200, // ssh -L 9000:localhost:8080
		"192.0.2.7:3007": 200, "vm.example:3007": 200,
		"evil.example:8080": 403, "evil.example": 403, "localhost.evil.example:8080": 403, "127.0.0.1.evil.example": 403,
		"192.0.2.8:3007": 403, "": 403, "localhost:8080:8080": 403, "<script>": 403,
	} {
		for _, path := range []string{"/", "/api/state", "/metrics"} {
			if got := get(t, server, "GET", host, path); got.StatusCode != want {
				t.Errorf("%s for host %q: %d, not %d", path, host, got.StatusCode, want)
			}
		}
	}
	refused := get(t, server, "HEAD", "evil.example:8080", "/events")
	if text := body(t, refused); refused.StatusCode != 403 || !strings.Contains(text, `"evil.example"`) || !strings.Contains(text, "--host") {
		t.Errorf("%d: %s", refused.StatusCode, text)
	}
}

func TestMethodsAndHeaders(t *testing.T) {
	server := New(newScripted(topic("client60", 1)), Config{})
	for _, path := range []string{"/", "/help", "/page.js", "/events", "/api/state", "/metrics", "/nothing"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE"} {
			if got := get(t, server, method, "localhost", path); got.StatusCode != 405 || got.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: %d", method, path, got.StatusCode)
			}
		}
		response := get(t, server, "HEAD", "localhost", path, "Origin", "http://evil.example")
		want := 200
		if path == "/nothing" {
			want = 404
		}
		if text := body(t, response); response.StatusCode != want || path != "/nothing" && path != "/api/state" && path != "/metrics" && text != "" {
			t.Errorf("HEAD %s: %d, %q", path, response.StatusCode, text)
		}
		header := response.Header
		csp := header.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; ") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s has the policy %q", path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp",
			"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": ""} {
			if got := header.Get(name); got != want {
				t.Errorf("%s: %s is %q, not %q", path, name, got, want)
			}
		}
	}
}

// The whole page must have less than 100 KB on its way to the browser.
func TestStaticFiles(t *testing.T) {
	server := New(newScripted(topic("client60", 1)), Config{})
	weight := 0
	err := fs.WalkDir(page, "page", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, _ := page.ReadFile(name)
		path := strings.TrimPrefix(name, "page")
		path = strings.TrimSuffix(strings.TrimSuffix(path, "index.html"), ".html")
		response := get(t, server, "GET", "localhost", path, "Accept-Encoding", "gzip, br")
		packed := body(t, response)
		weight += len(packed)
		reader, err := gzip.NewReader(strings.NewReader(packed))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if got, err := io.ReadAll(reader); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s has other content than its file: %v", path, err)
		}
		if got := body(t, get(t, server, "GET", "localhost", path)); got != string(content) {
			t.Errorf("%s has other content without gzip", path)
		}
		kind := response.Header.Get("Content-Type")
		if kind == "" || strings.HasSuffix(name, ".js") && !strings.HasPrefix(kind, "text/javascript") {
			t.Errorf("%s has the type %q", path, kind)
		}
		if again := get(t, server, "GET", "localhost", path, "If-None-Match", response.Header.Get("ETag")); again.StatusCode != 304 {
			t.Errorf("%s, again: %d", path, again.StatusCode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("page weight: %d bytes compressed", weight)
	if weight > 100_000 {
		t.Errorf("the page has %d bytes", weight)
	}
}

// frame is one server-sent event.
type frame struct {
	name, id string
	data     map[string]json.RawMessage
}

// follow opens a stream, and returns its frames.
func follow(t *testing.T, address, lastEventID string) (next func() frame, leave func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Last-Event-ID", lastEventID)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	if response.StatusCode != 200 || response.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%d %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
	lines := bufio.NewReader(response.Body)
	return func() frame { return readFrame(t, lines) }, cancel
}

func readFrame(t *testing.T, lines *bufio.Reader) (f frame) {
	t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		field, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "id":
			f.id = value
		case "event":
			f.name = value
		case "data":
			if err := json.Unmarshal([]byte(value), &f.data); err != nil {
				t.Fatal(err)
			}
		case "":
			if f.name != "" {
				return f
			}
		}
	}
}

func (f frame) events(t *testing.T) (ids []int64) {
	t.Helper()
	var events []observer.Event
	if f.data["events"] != nil {
		if err := json.Unmarshal(f.data["events"], &events); err != nil {
			t.Fatal(err)
		}
	}
	for _, event := range events {
		ids = append(ids, event.ID)
	}
	return ids
}

// A viewer gets everything, then what has changed. After a lost connection, it gets each event that it missed.
func TestStream(t *testing.T) {
	picture := topic("client60", 2)
	addGroup(picture, "one", observer.Classic, 1)
	addGroup(picture, "two", observer.Classic, 1)
	source := newScripted(picture)
	source.show(nil, observer.Event{Kind: observer.Joined, Text: "member 1 joined"})
	address := serve(t, source, Config{})

	next, leave := follow(t, address, "")
	full := next()
	if full.name != "full" || fmt.Sprint(full.events(t)) != "[1]" || len(full.data["start"]) == 0 {
		t.Fatalf("the first frame is %s %s", full.name, full.data)
	}
	source.show(func(p *observer.Picture) { p.Groups[1].Lag = 7 }, observer.Event{Kind: observer.Left, Text: "member 1 left"})
	if update := next(); update.name != "update" || string(update.data["names"]) != `["one","two"]` || fmt.Sprint(update.events(t)) != "[2]" {
		t.Errorf("the update is %s %s", update.name, update.data)
	}
	source.show(func(p *observer.Picture) { p.Groups[1].Lag = 8 })
	update := next()
	if text := string(update.data["groups"]); update.data["partitions"] != nil || !strings.HasPrefix(text, `{"two":{`) || strings.Contains(text, `"one"`) {
		t.Errorf("an update with one change is %s", update.data)
	}
	leave()
	eventually(t, "nobody follows the source", func() bool { return source.following() == 0 })

	source.show(nil, observer.Event{Kind: observer.Joined, Text: "member 1 joined again"})
	next, _ = follow(t, address, full.id)
	if got := next(); fmt.Sprint(got.events(t)) != "[2 3]" {
		t.Errorf("after a lost connection, the events are %v", got.events(t))
	}
	next, _ = follow(t, address, "another-2")
	if got := next(); fmt.Sprint(got.events(t)) != "[1 2 3]" {
		t.Errorf("after a restart of the server, the events are %v", got.events(t))
	}
	if source.following() != 1 {
		t.Errorf("%d follow the source for two viewers, not 1", source.following())
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
	}
}

// A viewer that does not read holds up nobody, and continues with the newest picture and all events.
func TestSlowViewer(t *testing.T) {
	source := newScripted(topic("client60", 1))
	address := serve(t, source, Config{})
	slow, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	fmt.Fprintf(slow, "GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
	quick, _ := follow(t, address, "")
	quick()
	eventually(t, "the slow viewer is there", func() bool {
		return strings.Contains(body(t, must(http.Get("http://"+address+"/metrics"))), `tkafka_viewers{topic="client60"} 2`)
	})

	const updates = 60
	large := observer.Message{Value: strings.Repeat("x", 300_000)} // more in all than sockets hold
	for n := range int64(updates) {
		source.show(nil, observer.Event{Kind: observer.Committed, Text: "an offset was committed"}, large)
		if got := quick(); fmt.Sprint(got.events(t)) != fmt.Sprint([]int64{n + 1}) {
			t.Fatalf("the quick viewer got %s %v after event %d", got.name, got.events(t), n)
		}
	}
	lines := bufio.NewReader(slow)
	seen, frames := make(map[int64]bool), 0
	for len(seen) < updates {
		frames++
		for _, id := range readFrame(t, lines).events(t) {
			seen[id] = true
		}
	}
	if frames >= updates {
		t.Errorf("the slow viewer got %d frames for %d updates", frames, updates)
	}
}

func must(response *http.Response, err error) *http.Response {
	if err != nil {
		panic(err)
	}
	return response
}

func TestViewerLimit(t *testing.T) {
	address := serve(t, newScripted(topic("client60", 1)), Config{Viewers: 2})
	first, leave := follow(t, address, "")
	first()
	second, _ := follow(t, address, "")
	second()
	refused := must(http.Get("http://" + address + "/events"))
	if text := body(t, refused); refused.StatusCode != 503 || refused.Header.Get("Retry-After") == "" || !strings.Contains(text, "Too many tabs") {
		t.Errorf("%d: %s", refused.StatusCode, text)
	}
	leave()
	eventually(t, "a place is free", func() bool {
		response := must(http.Get("http://" + address + "/events"))
		response.Body.Close()
		return response.StatusCode == 200
	})
}

func TestState(t *testing.T) {
	picture := topic("client60", 3)
	addGroup(picture, "one", observer.Classic, 1)
	source := newScripted(picture)
	source.show(nil, observer.Event{Kind: observer.Joined, Text: "member 1 joined"})
	response := get(t, New(source, Config{}), "GET", "localhost", "/api/state")
	var state struct {
		Picture observer.Picture
		Events  []observer.Event
		Rates   observer.Rates
	}
	if err := json.Unmarshal([]byte(body(t, response)), &state); err != nil {
		t.Fatal(err)
	}
	if len(state.Picture.Partitions) != 3 || state.Picture.Groups[0].Name != "one" || len(state.Events) != 1 || len(state.Rates.Total) != 300 {
		t.Errorf("the state is %+v", state)
	}
}

func TestMetrics(t *testing.T) {
	picture := topic("client60", 2)
	picture.Partitions[1].Start, picture.Partitions[1].End = 5, 30
	group := addGroup(picture, "one\xff", observer.Classic, 1)
	commit(picture, group, 1, 20)
	text := body(t, get(t, New(newScripted(picture), Config{}), "GET", "localhost", "/metrics"))
	for _, want := range []string{
		`tkafka_partition_start_offset{partition="1",topic="client60"} 5`,
		`tkafka_partition_end_offset{partition="1",topic="client60"} 30`,
		`tkafka_group_lag{group="one` + "\ufffd" + `",partition="1",topic="client60"} 10`,
		`tkafka_group_committed_offset{group="one` + "\ufffd" + `",partition="1",topic="client60"} 20`,
		`tkafka_group_members{group="one` + "\ufffd" + `",topic="client60",type="classic"} 1`,
		`tkafka_trouble{topic="client60"} 0`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("the metrics have no %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, `tkafka_group_lag{group="one`+"\ufffd"+`",partition="0"`) {
		t.Error("there is a lag where nothing is committed")
	}
}
