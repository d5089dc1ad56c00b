package deliver

import "testing"

// An empty line is an empty message. Null would be another thing: a tombstone, where the topic is
// compacted. And nothing stays of the message that was there before.
func TestEmptyLine(t *testing.T) {
	var p pool
	check := func(what string, m *message) {
		t.Helper()
		if m.Value == nil || len(m.Value) > 0 || m.Key != nil {
			t.Errorf("%s: value %#v, key %#v", what, m.Value, m.Key)
		}
	}
	check("a fresh pool", p.take([]byte{}, 1))
	check("no line at all", p.take(nil, 2))
	used := p.take([]byte("before"), 3)
	used.Key = []byte("key")
	p.put(used)
	check("a reused message", p.take([]byte{}, 4))
}
