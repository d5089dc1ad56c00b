package process

import (
	"bytes"
	"regexp"
	"strings"
	"sync"
)

// Output collects what a program prints.
type Output struct {
	// OnLine is called with each line, without its line end. Set it before the program starts.
	OnLine func(line string)
	// Keep limits the memory: at least the last Keep bytes are there, and never more than twice as many
	// and one line. 0 keeps everything. Set it before the program starts.
	Keep int

	mu      sync.Mutex
	text    []byte
	matched int           // the end of the last match
	lines   int           // the end of the last complete line
	changed chan struct{} // closed when more text comes; nil if nobody waits
}

// Write appends text. The process calls it.
func (o *Output) Write(text []byte) (int, error) {
	o.add(text, false)
	return len(text), nil
}

// add appends text. The last one completes a line without a line end.
func (o *Output) add(text []byte, last bool) {
	o.mu.Lock()
	o.text = append(o.text, text...)
	end := bytes.LastIndexByte(o.text, '\n') + 1
	if last {
		end = len(o.text)
	}
	end = max(o.lines, end)
	added := split(o.text[o.lines:end])
	o.lines = end
	if o.Keep > 0 && len(o.text) > 2*o.Keep {
		dropped := min(len(o.text)-o.Keep, o.lines)
		o.text = bytes.Clone(o.text[dropped:])
		o.lines, o.matched = o.lines-dropped, max(0, o.matched-dropped)
	}
	if o.changed != nil {
		close(o.changed)
		o.changed = nil
	}
	o.mu.Unlock()
	for _, line := range added {
		if o.OnLine != nil {
			o.OnLine(line)
		}
	}
}

// next returns the next match or, if there is none, a channel that is closed when more text comes.
func (o *Output) next(pattern *regexp.Regexp) (match []string, changed <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := o.text[o.matched:]
	if at := pattern.FindIndex(rest); at != nil {
		o.matched += at[1]
		return pattern.FindStringSubmatch(string(rest)), nil
	}
	if o.changed == nil {
		o.changed = make(chan struct{})
	}
	return nil, o.changed
}

// String returns all that the program has printed.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text)
}

// Unmatched returns what the program has printed behind the last match.
func (o *Output) Unmatched() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.text[o.matched:])
}

// Lines returns the complete lines, without their line ends. After the end of the program, a last
// line without a line end is among them.
func (o *Output) Lines() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return split(o.text[:o.lines])
}

func split(text []byte) (lines []string) {
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}
