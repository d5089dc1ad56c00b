package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report is all that one run of this program has found.
type report struct {
	Setting []string   // versions, machine and date
	Floor   int64      // bytes: the peak memory of a child begins with that of this process
	Rows    []measured // one for each row and candidate
}

// measured is all runs of a candidate.
type measured struct {
	Row, What, Candidate, Command string

	Seconds []float64 // of each run or, at a terminal, of each line
	Median  float64   // of Seconds; 0 without a complete result
	CPU     []float64 // seconds of each run; 0 if it is not measured
	Memory  int64     `json:",omitempty"` // bytes, the highest peak
	Ratio   float64   `json:",omitempty"` // of Median to that of the first candidate
	Speedup bool      `json:",omitempty"` // the table shows 1/Ratio
	Problem string    `json:",omitempty"` // why there is no time
	Missing bool      `json:",omitempty"` // not installed: no failure
}

// add adds a run.
func (m *measured) add(used result) {
	for _, took := range used.took {
		m.Seconds = append(m.Seconds, took.Seconds())
	}
	m.Median = median(m.Seconds)
	m.CPU = append(m.CPU, used.cpu.Seconds())
	m.Memory = max(m.Memory, used.memory)
}

func (r report) print(out io.Writer) error {
	var table strings.Builder
	for _, line := range r.Setting {
		fmt.Fprintf(&table, "- %s\n", line)
	}
	table.WriteString("\n| task | program | median | min–max | 99th percentile | CPU | peak memory | beside the first |\n" +
		"|---|---|--:|--:|--:|--:|--:|--:|\n")
	before := ""
	for _, m := range r.Rows {
		task := "" // once, beside its first candidate
		if m.Row != before {
			task, before = "**"+m.Row+"**: "+m.What, m.Row
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", task, m.Candidate, strings.Join(m.cells(), " | "))
	}
	fmt.Fprintf(&table, "\nA peak memory of %d MiB or less may be that of the benchmark, which starts the programs.\n", r.Floor>>20)
	_, err := io.WriteString(out, table.String())
	return err
}

func (m measured) cells() []string {
	const none = "–"
	if m.Problem != "" {
		return []string{strings.ReplaceAll(m.Problem, "|", "/"), none, none, none, none, none}
	}
	cells := []string{seconds(m.Median), none, none, none, none, none}
	if len(m.Seconds) > 1 {
		cells[1] = seconds(slices.Min(m.Seconds)) + "–" + seconds(slices.Max(m.Seconds))
	}
	if len(m.Seconds) >= 100 {
		cells[2] = seconds(percentile(m.Seconds, 99))
	}
	if cpu := median(m.CPU); cpu > 0 {
		cells[3] = seconds(cpu)
	}
	if m.Memory > 0 {
		cells[4] = fmt.Sprintf("%d MiB", m.Memory>>20)
	}
	switch {
	case m.Ratio == 0:
	case m.Speedup:
		cells[5] = fmt.Sprintf("speedup %.2f", 1/m.Ratio)
	default:
		cells[5] = fmt.Sprintf("%.2f", m.Ratio)
	}
	return cells
}

func (r report) save(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// incomplete returns an error if a candidate has no complete result.
func (r report) incomplete() error {
	failed := 0
	for _, m := range r.Rows {
		if m.Problem != "" && !m.Missing {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d results are not complete", failed, len(r.Rows))
	}
	return nil
}

func median(values []float64) float64 { return percentile(values, 50) }

func percentile(values []float64, percent int) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*percent/100]
}

func seconds(s float64) string {
	switch {
	case s >= 1:
		return fmt.Sprintf("%.2f s", s)
	case s >= 0.01:
		return fmt.Sprintf("%.0f ms", s*1000)
	}
	return fmt.Sprintf("%.2f ms", s*1000)
}

// describe returns the versions of everything that is compared, and where and when.
func (b *bench) describe(ctx context.Context) []string {
	versions := make(map[string]string)
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			versions[module.Path] = module.Version
		}
	}
	kafka := "embedded: kfake " + versions["github.com/twmb/franz-go/pkg/kfake"]
	if b.own == nil {
		kafka = "Kafka, version unknown"
		apis, _ := b.admin.ApiVersions(ctx)
		for _, broker := range apis {
			if guess := broker.VersionGuess(); !strings.Contains(guess, "between") {
				kafka = "Kafka " + guess
			}
		}
	}
	lines := []string{
		fmt.Sprintf("cluster: %s; %s", kafka, strings.Join(b.found.Brokers, ",")),
		fmt.Sprintf("ours: commit %s, franz-go %s, %s", b.commit(ctx), versions["github.com/twmb/franz-go"], runtime.Version()),
	}
	for _, name := range []string{"kcat", "python"} {
		if version := b.peers[name]; version != "" {
			lines = append(lines, name+": "+version)
		} else {
			lines = append(lines, name+": not installed")
		}
	}
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	load, _ := os.ReadFile("/proc/loadavg")
	machine := fmt.Sprintf("%d cores", runtime.NumCPU())
	if model := firstMatch(`model name\s*: (.*)`, string(cpuinfo)); model != "" {
		machine += " of " + model
	}
	if now := firstMatch(`^(\S+)`, string(load)); now != "" {
		machine += ", shared by brokers and clients; load " + now + " at the start"
	}
	sizes := fmt.Sprintf("each program %d times", b.runs)
	if b.short {
		sizes = "--short: the times mean nothing"
	}
	return append(lines, machine, time.Now().Format("2 January 2006")+"; "+sizes)
}

// commit returns the commit of the programs, with -dirty behind it if files have changed since then.
func (b *bench) commit(ctx context.Context) string {
	git := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty")
	git.Dir = b.repo
	out, err := git.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// ask runs a program that prints its version, and returns what the pattern finds in it. It returns
// nothing if the program is not installed.
func (b *bench) ask(ctx context.Context, pattern, name, question string) string {
	t := trial{bench: b}
	out, err := t.exec(ctx, command{args: append(slices.Clone(b.known[name]), question)}).Output()
	if err != nil {
		return ""
	}
	return firstMatch(pattern, string(out))
}

// firstMatch returns the parts of the text that are in brackets in the pattern.
func firstMatch(pattern, text string) string {
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return strings.Join(match[1:], ", ")
}
