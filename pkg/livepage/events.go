package livepage

import (
	"net/http"
	"time"

	"tkafka/pkg/observer"
)

const (
	heartbeat = 5 * time.Second  // a comment when nothing else was sent, so that the page notices a dead connection
	patience  = 10 * time.Second // a viewer that takes no data for this long is disconnected; it connects again
)

// events streams to one viewer: everything first, then what changes.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	if r.Method == http.MethodHead {
		header.Set("Content-Type", "text/event-stream")
		return
	}
	v, ok := s.hub.join(s.viewers)
	if !ok {
		header.Set("Retry-After", "5")
		http.Error(w, "Too many tabs watch this page: close one.", http.StatusServiceUnavailable)
		return
	}
	defer s.hub.leave(v)
	header.Set("Content-Type", "text/event-stream")

	after := s.hub.after(r.Header.Get("Last-Event-ID"))
	connection := http.NewResponseController(w)
	connection.SetReadDeadline(time.Time{}) // the request is complete; reading on detects that the viewer leaves
	silence := time.NewTicker(heartbeat)
	defer silence.Stop()
	for {
		var frame []byte
		select {
		case <-r.Context().Done():
			return
		case <-v.behind:
			frame = s.hub.resume(v, after)
		case frame = <-v.frames:
		case <-silence.C:
			frame = []byte(":\n\n")
		}
		connection.SetWriteDeadline(time.Now().Add(patience))
		if _, err := w.Write(frame); err != nil {
			return
		}
		if err := connection.Flush(); err != nil {
			return
		}
		silence.Reset(heartbeat)
	}
}

// state is the newest picture, the events and the rates, as JSON.
func (s *Server) state(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write(marshal(struct {
		Picture *observer.Picture `json:"picture"`
		Events  []observer.Event  `json:"events"`
		Rates   observer.Rates    `json:"rates"`
	}{s.source.Picture(), s.source.Events(), s.source.Rates()}))
}
