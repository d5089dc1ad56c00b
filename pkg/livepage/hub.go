package livepage

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"tkafka/pkg/observer"
)

// hub follows the source once for all viewers, and while there are any. It marshals each change once.
type hub struct {
	source Source
	start  string // differs after a restart: the numbers of events begin again then

	mu      sync.Mutex
	viewers map[*viewer]bool
	stop    func()            // ends following; nil: nobody watches
	done    chan struct{}     // closed by then
	sent    map[string][]byte // the parts of the picture, as all viewers have them: what is the same is not sent again
	rates   time.Time         // the end of the rates that all viewers have
}

// viewer is one stream.
type viewer struct {
	frames chan []byte
	behind chan struct{} // has an element when frames were dropped: the viewer needs everything again
}

// A viewer may be this many frames behind. Then it is too slow, and continues with the newest picture.
const backlog = 16

func newHub(source Source) *hub {
	return &hub{source: source, start: rand.Text()[:8], viewers: make(map[*viewer]bool)}
}

// join adds a viewer, if there are fewer than most. The viewer needs everything at first.
func (h *hub) join(most int) (*viewer, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.viewers) >= most {
		return nil, false
	}
	v := &viewer{frames: make(chan []byte, backlog), behind: make(chan struct{}, 1)}
	v.behind <- struct{}{}
	h.viewers[v] = true
	if h.stop == nil {
		updates, stop := h.source.Follow()
		h.stop, h.done = stop, make(chan struct{})
		h.rates = h.source.Rates().End
		go h.run(updates, h.done)
	}
	return v, true
}

func (h *hub) leave(v *viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.viewers, v)
	if len(h.viewers) == 0 {
		h.stop()
		h.stop = nil
		close(h.done)
	}
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.viewers)
}

// run sends each update to all viewers, until nobody watches.
func (h *hub) run(updates <-chan observer.Update, done <-chan struct{}) {
	for {
		select {
		case update, ok := <-updates:
			if !ok {
				return
			}
			h.send(update)
		case <-done:
			return
		}
	}
}

func (h *hub) send(update observer.Update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	frame := h.frame("update", h.change(update))
	for v := range h.viewers {
		select {
		case v.frames <- frame:
		default:
			select {
			case v.behind <- struct{}{}:
			default:
			}
		}
	}
}

// message is the data of one frame. In an update, a part that is missing has not changed.
type message struct {
	Start      string                     `json:"start,omitempty"` // of the server; only in a full frame
	Time       time.Time                  `json:"time"`
	Topic      json.RawMessage            `json:"topic,omitempty"`
	Partitions json.RawMessage            `json:"partitions,omitempty"`
	Groups     map[string]json.RawMessage `json:"groups,omitempty"` // only those that have changed
	Names      []string                   `json:"names"`            // of all groups, in order
	Trouble    *observer.Trouble          `json:"trouble"`
	Events     []observer.Event           `json:"events,omitempty"`
	Messages   []observer.Message         `json:"messages,omitempty"`
	Skipped    int                        `json:"skipped,omitempty"`
	Rates      *observer.Rates            `json:"rates,omitempty"` // in an update, only the seconds that are new
}

// change is what viewers have not seen yet.
func (h *hub) change(update observer.Update) message {
	m := parts(update.Picture)
	m.Events, m.Messages, m.Skipped = update.Events, update.Messages, update.Skipped
	now := make(map[string][]byte)
	same := func(name string, part []byte) bool {
		now[name] = part
		return bytes.Equal(h.sent[name], part)
	}
	if same("topic", m.Topic) {
		m.Topic = nil
	}
	if same("partitions", m.Partitions) {
		m.Partitions = nil
	}
	for name, group := range m.Groups {
		if same("group "+name, group) {
			delete(m.Groups, name)
		}
	}
	h.sent = now
	if rates := h.source.Rates(); rates.End.After(h.rates) {
		m.Rates = newest(rates, int(rates.End.Sub(h.rates).Round(time.Second)/time.Second))
		h.rates = rates.End
	}
	return m
}

// full is everything, with the events after the given one.
func (h *hub) full(after int64) []byte {
	m := parts(h.source.Picture())
	m.Start = h.start
	for _, event := range h.source.Events() {
		if event.ID > after {
			m.Events = append(m.Events, event)
		}
	}
	m.Messages = h.source.Messages()
	rates := h.source.Rates()
	m.Rates = &rates
	return h.frame("full", m)
}

// resume discards the frames that wait for the viewer, and returns everything in their place.
func (h *hub) resume(v *viewer, after int64) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(v.frames) > 0 {
		<-v.frames
	}
	// The next update must contain each part that differs from the picture in this frame.
	h.sent = make(map[string][]byte)
	return h.full(after)
}

func parts(picture *observer.Picture) message {
	m := message{
		Time: picture.Time, Topic: marshal(picture.Topic), Partitions: marshal(picture.Partitions),
		Groups: make(map[string]json.RawMessage, len(picture.Groups)), Names: make([]string, 0, len(picture.Groups)),
		Trouble: picture.Trouble,
	}
	for _, group := range picture.Groups {
		m.Groups[group.Name] = marshal(group)
		m.Names = append(m.Names, group.Name)
	}
	return m
}

// newest returns the last seconds of the rates.
func newest(rates observer.Rates, seconds int) *observer.Rates {
	tail := func(all []int32) []int32 { return all[max(0, len(all)-seconds):] }
	short := observer.Rates{End: rates.End, Total: tail(rates.Total), Partitions: make(map[int32][]int32)}
	for partition, all := range rates.Partitions {
		for _, n := range tail(all) {
			if n > 0 {
				short.Partitions[partition] = tail(all)
				break
			}
		}
	}
	return &short
}

// frame is a server-sent event. Its identifier names the last event in it, if there is one.
func (h *hub) frame(name string, m message) []byte {
	var b bytes.Buffer
	if n := len(m.Events); n > 0 {
		b.WriteString("id: " + h.start + "-" + strconv.FormatInt(m.Events[n-1].ID, 10) + "\n")
	}
	b.WriteString("event: " + name + "\ndata: ")
	b.Write(marshal(m))
	b.WriteString("\n\n")
	return b.Bytes()
}

// after returns the number of the last event that the viewer has. It is 0 if it has none from this server.
func (h *hub) after(lastEventID string) int64 {
	start, number, _ := strings.Cut(lastEventID, "-")
	n, err := strconv.ParseInt(number, 10, 64)
	if start != h.start || err != nil {
		return 0
	}
	return n
}

func marshal(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // all types here can be marshalled
	}
	return text
}
