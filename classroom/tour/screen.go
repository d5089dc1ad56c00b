package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"tkafka/pkg/terminal"
)

// width is how many columns the output of the tour has: a CI log as much as a terminal shows.
const width = 100

// screen is standard output. The tour and the programs that it runs write to it line by line.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	color bool
	err   error // of the first line that nobody read

	changed chan struct{} // see next
}

func newScreen(out io.Writer) *screen {
	_, plain := os.LookupEnv("NO_COLOR")
	return &screen{out: out, color: terminal.Is(out) && !plain, changed: make(chan struct{})}
}

// title prints a heading, underlined.
func (s *screen) title(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print("\n" + text + "\n" + strings.Repeat("=", utf8.RuneCountInString(text)) + "\n")
}

// say prints a text, broken into lines that fit. Each begins with the margin or, from the second
// on, with as many spaces. A margin that begins with a line end leaves a line free.
func (s *screen) say(margin, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paragraph(margin, text)
}

// verdict prints the result of a check.
func (s *screen) verdict(c check) {
	s.mu.Lock()
	defer s.mu.Unlock()
	margin, text, color := "  ok      ", c.what, "\x1b[32m"
	if c.problem != nil {
		margin, text, color = "  FAILED  ", c.what+": "+c.problem.Error(), "\x1b[31m"
	}
	if s.color {
		// Spaces are as wide with color as without: break the lines first.
		s.print(color + margin + "\x1b[0m" + strings.TrimLeft(strings.Join(wrap(len(margin), text), "\n"), " ") + "\n")
		return
	}
	s.paragraph(margin, text)
}

// paragraph is say for those who hold the lock.
func (s *screen) paragraph(margin, text string) {
	lines := wrap(utf8.RuneCountInString(strings.TrimPrefix(margin, "\n")), text)
	lines[0] = margin + strings.TrimLeft(lines[0], " ")
	s.print(strings.Join(lines, "\n") + "\n")
}

func (s *screen) print(text string) {
	if _, err := io.WriteString(s.out, text); err != nil && s.err == nil {
		s.err = err
		s.wake()
	}
}

// next returns a channel that is closed when a program prints its next line or ends, and the error
// that says that nobody reads what we print, if so.
func (s *screen) next() (changed <-chan struct{}, unread error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed, s.err
}

// wake closes that channel. The caller holds the lock.
func (s *screen) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// wrap breaks a text into lines that fit beside a margin, at spaces where it can. Line ends in the
// text stay.
func wrap(margin int, text string) []string {
	var lines []string
	indent := strings.Repeat(" ", margin)
	for line := range strings.SplitSeq(text, "\n") {
		for rest := []rune(line); ; {
			if len(rest) <= width-margin {
				lines = append(lines, strings.TrimRight(indent+string(rest), " "))
				break
			}
			cut, next := width-margin, width-margin
			if space := strings.LastIndexByte(string(rest[:cut+1]), ' '); space > 0 {
				cut = utf8.RuneCountInString(string(rest[:cut+1])[:space])
				next = cut + 1
			}
			lines = append(lines, indent+string(rest[:cut]))
			rest = rest[next:]
		}
	}
	return lines
}

// readEnter returns a function that waits until Enter is pressed. When input ends, it waits no more.
func readEnter(input io.Reader) func(context.Context) {
	pressed := make(chan struct{})
	go func() {
		defer close(pressed)
		for lines := bufio.NewScanner(input); lines.Scan(); {
			pressed <- struct{}{}
		}
	}()
	return func(ctx context.Context) {
		select {
		case <-pressed:
		case <-ctx.Done():
		}
	}
}

// typed is how one types a command that gets these lines as its input.
func typed(lines []string, command string) string {
	if first, err := strconv.Atoi(lines[0]); err == nil {
		return fmt.Sprintf("seq %d %d | %s", first, first+len(lines)-1, command)
	}
	return fmt.Sprintf(`printf '%s\n' | %s`, strings.Join(lines, `\n`), command)
}
