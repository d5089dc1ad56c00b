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

// width is the number of columns of the output. A new terminal has that many.
const width = 80

// screen is standard output. The tour and its programs print to it line by line.
type screen struct {
	mu    sync.Mutex
	out   io.Writer
	color bool
	err   error // of the first write that failed
}

func newScreen(out io.Writer) *screen {
	_, plain := os.LookupEnv("NO_COLOR")
	return &screen{out: out, color: terminal.Is(out) && !plain}
}

// title prints a heading.
func (s *screen) title(text string) {
	s.print("\n" + text + "\n" + strings.Repeat("=", utf8.RuneCountInString(text)) + "\n")
}

// say prints a text in lines that fit. The first line begins with the margin. The others begin with
// as many spaces. A line end at the beginning of the margin leaves a line empty.
func (s *screen) say(margin, text string) {
	lines := wrap(utf8.RuneCountInString(strings.TrimPrefix(margin, "\n")), text)
	lines[0] = margin + strings.TrimLeft(lines[0], " ")
	s.print(strings.Join(lines, "\n") + "\n")
}

// verdict prints the result of a check.
func (s *screen) verdict(c check) {
	margin, text, color := "  ok      ", c.what, "\x1b[32m"
	if c.problem != nil {
		margin, text, color = "  FAILED  ", c.what+": "+c.problem.Error(), "\x1b[31m"
	}
	if !s.color {
		s.say(margin, text)
		return
	}
	// The escape sequences need no columns, so they come after the lines are broken.
	s.print(color + margin + "\x1b[0m" + strings.TrimLeft(strings.Join(wrap(len(margin), text), "\n"), " ") + "\n")
}

func (s *screen) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := io.WriteString(s.out, text); err != nil && s.err == nil {
		s.err = err
	}
}

// error returns the first error of a write: nobody reads the output any more.
func (s *screen) error() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// wrap breaks a text into lines that fit beside a margin, at spaces if possible. It keeps the line
// ends of the text.
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

// readEnter returns a function that waits for Enter. At the end of the input it does not wait.
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

// pipeline is what a student types to send these lines.
func pipeline(lines []string, command string) string {
	if first, err := strconv.Atoi(lines[0]); err == nil {
		return fmt.Sprintf("seq %d %d | %s", first, first+len(lines)-1, command)
	}
	return fmt.Sprintf(`printf '%s\n' | %s`, strings.Join(lines, `\n`), command)
}
