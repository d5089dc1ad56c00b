package classroom

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readmes are the files whose commands are tested.
var readmes = []string{"README.md", "docker/README.md", "classroom/README.md", "consumergroup/share/README.md"}

// block is something in a README that the tests perform: a fenced block, or "change it back" in the
// text.
type block struct {
	file     string
	line     int // the line before its content
	kind     string
	terminal string // of a transcript
	lines    []string
}

// The kinds of blocks. Other blocks are not performed.
const (
	transcript = "transcript" // ```console terminal=NAME, see TestTranscripts
	commands   = "commands"   // ```console and ```sh: commands that other tests run
	docker     = "docker"     // ```console docker, see TestDockerCommands
	staff      = "staff"      // ```console staff: .ci/real types them
	diff       = "diff"       // ```diff, see edits
	changeBack = "changeBack" // "change it back" in the text, see edits
)

// place returns the place of a line of the block; 0 is its first line.
func (b block) place(line int) string { return fmt.Sprintf("%s:%d", b.file, b.line+1+line) }

var (
	consoleFence = regexp.MustCompile("^```console(?: terminal=(\\w+)| (docker|staff))?$")
	backInText   = regexp.MustCompile(`(?i)\bchange (it|them) back\b`)
)

// readmeText returns the text of a README. Only the first README must exist.
func readmeText(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil && (name == readmes[0] || !os.IsNotExist(err)) {
		t.Fatal(err)
	}
	return string(text)
}

// readmeBlocks returns the blocks of all READMEs, in their order.
func readmeBlocks(t *testing.T) (blocks []block) {
	t.Helper()
	for _, name := range readmes {
		found, err := parseBlocks(name, readmeText(t, name))
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, found...)
	}
	if len(blocks) == 0 {
		t.Fatal("the READMEs have no blocks")
	}
	return blocks
}

func parseBlocks(name, text string) (blocks []block, err error) {
	var open *block
	before := "" // the last line of text: a phrase may be on two lines
	for number, line := range strings.Split(text, "\n") {
		b := block{file: name, line: number + 1}
		switch fence := consoleFence.FindStringSubmatch(line); {
		case open != nil && line == "```":
			if open.kind != "" {
				blocks = append(blocks, *open)
			}
			open, before = nil, ""
		case open != nil:
			open.lines = append(open.lines, line)
		case fence != nil:
			b.kind, b.terminal = fence[2], fence[1]
			if b.terminal != "" {
				b.kind = transcript
			} else if b.kind == "" {
				b.kind = commands
			}
			open = &b
		case strings.HasPrefix(line, "```console"):
			return nil, fmt.Errorf("%s:%d: unknown block %s", name, number+1, line)
		case strings.HasPrefix(line, "```"):
			b.kind = map[string]string{"```sh": commands, "```diff": diff}[line]
			open = &b
		case backInText.MatchString(before + " " + line):
			b.kind, b.line, before = changeBack, number, ""
			blocks = append(blocks, b)
		default:
			before = line
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: the block has no end", name, open.line)
	}
	return blocks, nil
}

func TestParseBlocks(t *testing.T) {
	const text = "Text with `change` in it.\n" +
		"```console terminal=one\n$ command\nline\n```\n" +
		"```sh\nscp x\n```\n" +
		"```console docker\n$ docker run\n```\n" +
		"```go\nchange it back\n```\n" +
		"```diff\n@@ main.go @@\n-a\n```\n" +
		"Now Change\nit back and continue.\n" +
		"```console\n$ go test\n```\n"
	blocks, err := parseBlocks("README.md", text)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range blocks {
		got = append(got, fmt.Sprintf("%s %s%s %q", b.place(0), b.kind, b.terminal, b.lines))
	}
	want := []string{
		`README.md:3 transcriptone ["$ command" "line"]`,
		`README.md:7 commands ["scp x"]`,
		`README.md:10 docker ["$ docker run"]`,
		`README.md:16 diff ["@@ main.go @@" "-a"]`,
		`README.md:20 changeBack []`,
		`README.md:22 commands ["$ go test"]`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, wrong := range []string{"```console termial=one\n```\n", "```console\n$ command\n"} {
		if _, err := parseBlocks("README.md", wrong); err == nil {
			t.Errorf("%q: no error", wrong)
		}
	}
}
