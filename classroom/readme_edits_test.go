package classroom

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// edits performs the changes of a program that a README suggests, in a copy of the repository:
//
//	```diff
//	@@ consumer/main.go @@
//	 a line that stays
//	-a line to remove
//	+a line to add
//	```
//
// The lines that stay and those to remove must follow each other in the file, once. Spaces and tabs
// around a line do not count. The text "change it back" undoes all changes, and so does a diff that
// is the opposite.
type edits struct {
	root     string
	original map[string]string // the text of each file that was changed
	changed  map[string]string // where the README changes a file
}

var diffHeader = regexp.MustCompile(`^@@ (\S+) @@$`)

func newEdits(root string) *edits {
	return &edits{root: root, original: make(map[string]string), changed: make(map[string]string)}
}

// apply performs the changes of a block.
func (e *edits) apply(b block) error {
	name, at := "", 0
	for i, line := range append(b.lines, "@@ end @@") {
		header := diffHeader.FindStringSubmatch(line)
		if header == nil {
			continue
		}
		if name == "" && i > 0 {
			break
		}
		if name != "" {
			if err := e.replace(name, b, at, i); err != nil {
				return err
			}
		}
		name, at = header[1], i+1
	}
	if at == 0 || len(b.lines) == 0 {
		return fmt.Errorf("%s: a diff begins with a line such as @@ consumer/main.go @@", b.place(0))
	}
	return nil
}

// replace performs the changes of one file: the lines from b.lines[from] to b.lines[to].
func (e *edits) replace(name string, b block, from, to int) error {
	if !filepath.IsLocal(name) {
		return fmt.Errorf("%s: %s is outside of the repository", b.place(from-1), name)
	}
	content, err := os.ReadFile(filepath.Join(e.root, name))
	if err != nil {
		return fmt.Errorf("%s: %w", b.place(from-1), err)
	}
	text := strings.Split(string(content), "\n")
	var before, after []string // the lines of the block
	for i, line := range b.lines[from:to] {
		sign, rest := " ", ""
		if line != "" {
			sign, rest = line[:1], line[1:]
		}
		switch sign {
		case " ":
			before, after = append(before, rest), append(after, rest)
		case "-":
			before = append(before, rest)
		case "+":
			after = append(after, rest)
		default:
			return fmt.Errorf("%s: a line of a diff begins with a space, - or +", b.place(from+i))
		}
		if sign != "+" && !slices.ContainsFunc(text, func(have string) bool { return same(have, rest) }) {
			return fmt.Errorf("%s: %s has no line %q", b.place(from+i), name, strings.TrimSpace(rest))
		}
	}
	var places []int
	for i := range text {
		if len(text)-i >= len(before) && slices.EqualFunc(text[i:i+len(before)], before, same) {
			places = append(places, i)
		}
	}
	if len(before) == 0 || len(places) != 1 {
		return fmt.Errorf("%s: %s has these lines %d times, not once", b.place(from), name, len(places))
	}
	if _, ok := e.original[name]; !ok {
		e.original[name] = string(content)
	}
	e.changed[name] = b.place(from)
	text = slices.Replace(text, places[0], places[0]+len(before), after...)
	if slices.EqualFunc(text, strings.Split(e.original[name], "\n"), same) {
		delete(e.changed, name)
	}
	return os.WriteFile(filepath.Join(e.root, name), []byte(strings.Join(text, "\n")), 0o644)
}

func same(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// undo changes all files back.
func (e *edits) undo(b block) error {
	if len(e.changed) == 0 {
		return fmt.Errorf("%s: there is no change to change back", b.place(0))
	}
	for name := range e.changed {
		if err := os.WriteFile(filepath.Join(e.root, name), []byte(e.original[name]), 0o644); err != nil {
			return err
		}
		delete(e.changed, name)
	}
	return nil
}

// done fails if a file is still changed.
func (e *edits) done() error {
	for name, place := range e.changed {
		return fmt.Errorf("%s: %s is never changed back", place, name)
	}
	return nil
}

func TestEdits(t *testing.T) {
	const original = "package main\n\nfunc main() {\n\tone()\n\ttwo() // two\n\tone()\n}\n"
	diffOf := func(lines ...string) block {
		return block{file: "README.md", line: 10, kind: diff, lines: lines}
	}
	change := diffOf("@@ a/main.go @@", " two() // two", "-one()", "+\tthree()", "+four()")
	const changed = "package main\n\nfunc main() {\n\tone()\n two() // two\n\tthree()\nfour()\n}\n"
	opposite := diffOf("@@ a/main.go @@", "-three()", "-four()", "+one()")
	for _, test := range []struct {
		name   string
		blocks []block
		want   string // the text of the file, without spaces around lines
		err    string
	}{
		{"change", []block{change}, changed, "README.md:12: a/main.go is never changed back"},
		{"change it back", []block{change, {kind: changeBack}}, original, ""},
		{"the opposite", []block{change, opposite}, original, ""},
		{"two changes, then back", []block{change, diffOf("@@ a/main.go @@", "-package main", "+package other"), {kind: changeBack}}, original, ""},
		{"two changes in one block", []block{diffOf("@@ a/main.go @@", "-package main", "+package other", "@@ a/main.go @@", "-two() // two"), {kind: changeBack}}, original, ""},
		{"nothing to change back", []block{{file: "README.md", line: 6, kind: changeBack}}, original, "README.md:7: there is no change to change back"},
		{"no such line", []block{diffOf("@@ a/main.go @@", "-one()", "-two()")}, original, `README.md:13: a/main.go has no line "two()"`},
		{"lines apart", []block{diffOf("@@ a/main.go @@", "-package main", "-one()")}, original, "README.md:12: a/main.go has these lines 0 times, not once"},
		{"not clear which", []block{diffOf("@@ a/main.go @@", "-one()")}, original, "README.md:12: a/main.go has these lines 2 times, not once"},
		{"only new lines", []block{diffOf("@@ a/main.go @@", "+one()")}, original, "README.md:12: a/main.go has these lines"},
		{"no header", []block{diffOf("-one()", "@@ a/main.go @@", "-one()")}, original, "README.md:11: a diff begins with"},
		{"empty", []block{diffOf()}, original, "README.md:11: a diff begins with"},
		{"no sign", []block{diffOf("@@ a/main.go @@", "one()")}, original, "README.md:12: a line of a diff begins with"},
		{"no such file", []block{diffOf("@@ b/main.go @@", "-one()")}, original, "README.md:11: open "},
		{"outside", []block{diffOf("@@ ../main.go @@", "-one()")}, original, "README.md:11: ../main.go is outside"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := newEdits(t.TempDir())
			file := filepath.Join(e.root, "a", "main.go")
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(original), 0o644); err != nil {
				t.Fatal(err)
			}
			var err error
			for _, b := range test.blocks {
				if b.kind == diff {
					err = e.apply(b)
				} else {
					err = e.undo(b)
				}
				if err != nil {
					break
				}
			}
			if err == nil {
				err = e.done()
			}
			if (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
				t.Errorf("%v, want %s", err, test.err)
			}
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(strings.Split(string(content), "\n"), strings.Split(test.want, "\n"), same) {
				t.Errorf("got\n%s\nwant\n%s", content, test.want)
			}
		})
	}
}
