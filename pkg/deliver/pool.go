package deliver

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// message is a record with what we must remember of it until it is acknowledged.
type message struct {
	kgo.Record
	line    int64  // its number in the input, from 1
	value   []byte // what Record.Value points into
	alone   bool   // sent by itself, not among others
	promise func(*kgo.Record, error)
}

// pool reuses messages, so that a million lines do not mean three million allocations.
type pool struct {
	messages sync.Pool
	finished func(*message, error)
}

func (p *pool) take(value []byte, line int64) *message {
	m, ok := p.messages.Get().(*message)
	if !ok {
		m = new(message)
		m.promise = func(_ *kgo.Record, err error) { p.finished(m, err) }
	}
	m.value = append(m.value[:0], value...)
	m.Record = kgo.Record{Value: m.value}
	if m.value == nil {
		m.Record.Value = []byte{} // an empty line is an empty message, and null would be another thing
	}
	m.line, m.alone = line, false
	return m
}

func (p *pool) put(m *message) {
	p.messages.Put(m)
}
