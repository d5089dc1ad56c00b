package main

import (
	"fmt"
	"os"
	"strings"
	"sync"

	"tkafka/pkg/cli"
	"tkafka/pkg/terminal"
)

// progress shows on the last line of a terminal how far the work is. Elsewhere it shows nothing: a
// log is for what happened.
type progress struct {
	program *cli.Program // nil where nobody watches
	what    string
	mu      sync.Mutex
	done    int
	all     int
}

func newProgress(program *cli.Program, what string, all int) *progress {
	if !terminal.Is(os.Stderr) {
		program = nil
	}
	return &progress{program: program, what: what, all: all}
}

func (p *progress) step() { p.add(1) }

func (p *progress) add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(p.done + n)
}

func (p *progress) set(done int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(max(done, 0))
}

func (p *progress) show(done int) {
	p.done = done
	if p.program != nil {
		p.program.Bottom(bar(p.what, done, p.all))
	}
}

// end takes the bar away.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.program != nil {
		p.program.Bottom("")
		p.program = nil
	}
}

func bar(what string, done, all int) string {
	const width = 30
	full := width
	if all > 0 {
		full = width * done / all
	}
	return fmt.Sprintf("[%s%s] %d of %d %s", strings.Repeat("#", full), strings.Repeat(".", width-full), done, all, what)
}
