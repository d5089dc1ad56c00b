package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"tkafka/pkg/cli"
)

// A player performs the parts of a page, and prints what it does.
type player struct {
	out       io.Writer
	root      string            // a copy of the repository
	existing  bool              // the cluster exists, and is not started
	env       []string          // of the terminals
	replace   *strings.Replacer // for an existing cluster: its topic, and new groups
	pause     *bufio.Reader     // where Enter comes from, or nil
	terminals map[string]*terminal
	original  map[string][]byte // the text of each file that is changed
	checks    int
}

// play performs a page.
func (p *player) play(ctx context.Context, page string) error {
	text, err := os.ReadFile(filepath.Join(p.root, page))
	if err != nil {
		return fmt.Errorf("no page %s in the repository: %w", page, err)
	}
	parts, err := parse(p.replace.Replace(string(text)))
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	title := ""
	for _, part := range parts {
		if part.kind == heading {
			title = fmt.Sprintf("\n%s\n%s\n", part.lines[0], strings.Repeat("=", len(part.lines[0])))
			continue
		}
		if part.kind == commands || p.existing && part.terminal == "cluster" {
			continue
		}
		fmt.Fprint(p.out, title)
		title = ""
		if p.pause != nil && part.text != "" {
			if err := p.waitForEnter(ctx, part.text); err != nil {
				return err
			}
		}
		switch part.kind {
		case transcript:
			err = p.transcript(ctx, part)
		case diff:
			fmt.Fprintln(p.out, "\nChange the program:\n  "+strings.Join(part.lines, "\n  "))
			err = p.change(part.lines)
		case changeBack:
			fmt.Fprintln(p.out, "\nChange it back.")
			err = p.changeBack()
		}
		if err != nil && p.existing && strings.Contains(err.Error(), "has no share groups") {
			fmt.Fprintln(p.out, "\nThe tour leaves out the rest, because this cluster has no share groups.")
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", page, part.line, err)
		}
	}
	if len(p.original) > 0 {
		return fmt.Errorf("%s: a program is never changed back", page)
	}
	return nil
}

func (p *player) waitForEnter(ctx context.Context, text string) error {
	fmt.Fprintf(p.out, "\n%s\n\nPress Enter to continue.", plain(text))
	entered := make(chan bool, 1)
	go func() {
		p.pause.ReadString('\n')
		entered <- true
	}()
	select {
	case <-entered:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// transcript types what a block shows, and compares what is printed with it:
//
//	$ command       typed at the prompt of the shell
//	> text          typed at the prompt of a program
//	^C, ^D          the key
//	...             any lines
//	anything else   a line that is printed, with the same digits or with others
func (p *player) transcript(ctx context.Context, block part) error {
	t, err := p.open(ctx, block.terminal)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.out, "\nTerminal %s:\n", block.terminal)
	for _, line := range block.lines {
		command, isCommand := strings.CutPrefix(line, "$ ")
		text, isText := strings.CutPrefix(line, "> ")
		shown, mark := line, "  "
		switch {
		case isCommand:
			if err = t.await(ctx, shellPrompt, nil); err == nil {
				err = t.enter(p.adapt(command) + "\n")
			}
		case isText:
			if err = t.await(ctx, "> ", nil); err == nil {
				err = t.enter(text + "\n")
			}
		case line == "^D":
			if err = t.await(ctx, "> ", nil); err == nil {
				err = t.enter("\x04")
			}
		case line == "^C":
			err = t.enter("\x03")
			t.stopped = true
		case line == "...":
			t.skip = true
		default:
			err = t.await(ctx, "", like(line))
			shown, mark = t.line, checkMark
			p.checks++
		}
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		fmt.Fprintln(p.out, mark, cli.Escape(shown))
	}
	if t.stopped { // the program must end before other terminals continue
		return t.await(ctx, shellPrompt, nil)
	}
	return nil
}

// adapt adds to the command of a cluster that it takes free ports, since the reader may run a cluster, too. With free
// ports it keeps nothing.
func (p *player) adapt(command string) string {
	if strings.Contains(command, "./classroom/cluster") {
		command += " --ports 0,0,0"
	}
	return command
}

var changing = regexp.MustCompile(`(?m)^@@ (\S+) @@$`)

// change changes a program as a diff shows it:
//
//	@@ consumer/main.go @@
//	 a line that stays
//	-a line to remove
//	+a line to add
func (p *player) change(lines []string) error {
	name := changing.FindStringSubmatch(lines[0])
	if name == nil {
		return errors.New("a diff begins with a line such as @@ consumer/main.go @@")
	}
	var before, after strings.Builder
	for _, line := range lines[1:] {
		sign, rest := line[:min(1, len(line))], line[min(1, len(line)):]+"\n"
		if sign != "+" {
			before.WriteString(rest)
		}
		if sign != "-" {
			after.WriteString(rest)
		}
	}
	file := filepath.Join(p.root, filepath.Clean("/"+name[1]))
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if n := strings.Count(string(text), before.String()); n != 1 {
		return fmt.Errorf("%s has these lines %d times, not once", name[1], n)
	}
	if _, changed := p.original[file]; !changed {
		p.original[file] = text
	}
	return os.WriteFile(file, []byte(strings.Replace(string(text), before.String(), after.String(), 1)), 0o644)
}

// changeBack undoes all changes.
func (p *player) changeBack() error {
	if len(p.original) == 0 {
		return errors.New("there is no change to change back")
	}
	for file, text := range p.original {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	clear(p.original)
	return nil
}
