package main

import (
	"fmt"
	"regexp"
	"strings"
)

// A part is what the tour does at one place of a page.
type part struct {
	line     int    // of its first line in the page
	kind     string // see below
	terminal string // of a transcript
	lines    []string
	text     string // the text before it
}

// The kinds of parts. Other blocks are not performed, and no text.
const (
	heading    = "heading"    // # heading
	transcript = "transcript" // ```console terminal=NAME, see player.transcript
	commands   = "commands"   // ```console or ```sh: only for the reader
	diff       = "diff"       // ```diff, see player.change
	changeBack = "changeBack" // "change it back" in the text
)

var (
	fence      = regexp.MustCompile("^```(?:(console)|(sh)|(diff)|console terminal=(\\w+)|(?:console staff|[a-z]*))$")
	backInText = regexp.MustCompile(`(?i)\bchange\s+(it|them)\s+back\b`)
)

// parse returns the parts of a page.
func parse(page string) (parts []part, err error) {
	var open *part // the block that has no end yet
	var text strings.Builder
	add := func(p part) {
		p.text = strings.TrimSpace(text.String())
		text.Reset()
		parts = append(parts, p)
	}
	for i, line := range strings.Split(page, "\n") {
		switch {
		case open != nil && line == "```":
			if open.kind != "" {
				add(*open)
			}
			open = nil
		case open != nil:
			open.lines = append(open.lines, line)
		case strings.HasPrefix(line, "```"):
			found := fence.FindStringSubmatch(line)
			if found == nil {
				return nil, fmt.Errorf("line %d: unknown block %s", i+1, line)
			}
			open = &part{line: i + 2, terminal: found[4]}
			switch {
			case found[1]+found[2] != "":
				open.kind = commands
			case found[3] != "":
				open.kind = diff
			case found[4] != "":
				open.kind = transcript
			}
		case strings.HasPrefix(line, "#"):
			text.Reset()
			add(part{line: i + 1, kind: heading, lines: []string{strings.TrimLeft(line, "# ")}})
		default:
			text.WriteString(line + "\n")
			if backInText.MatchString(text.String()) {
				add(part{line: i + 1, kind: changeBack})
			}
		}
	}
	if open != nil {
		return nil, fmt.Errorf("line %d: the block has no end", open.line-1)
	}
	return parts, nil
}

var (
	link   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	hidden = regexp.MustCompile(`(?s)(?:!\[|<picture>).*?\n|<details>.*?</details>`) // pictures and answers
)

// plain formats the text of a page for a terminal of 80 columns.
func plain(text string) string {
	text = hidden.ReplaceAllString(text+"\n", "")
	text = strings.ReplaceAll(link.ReplaceAllString(text, "$1"), "**", "")
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		line := ""
		for _, word := range strings.Fields(paragraph) {
			if len(line)+len(word) > 76 {
				lines, line = append(lines, line), ""
			}
			line += " " + word
		}
		lines = append(lines, line, "")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
