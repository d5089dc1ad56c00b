package classroom

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// pkg is what go list reports about a package.
type pkg struct {
	ImportPath, Name, Dir string
	GoFiles               []string // without tests
	Deps                  []string
	Imports               []string
}

func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Dir,GoFiles,Deps,Imports"}, patterns...)...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var one pkg
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
}

// sections returns the programs of the tutorial, by their folders: all main packages outside of
// classroom/.
func sections(t *testing.T) map[string]pkg {
	t.Helper()
	programs := make(map[string]pkg)
	for _, p := range list(t, "tkafka/...") {
		if folder := strings.TrimPrefix(p.ImportPath, "tkafka/"); p.Name == "main" && !strings.HasPrefix(folder, "classroom/") {
			programs[folder] = p
		}
	}
	if len(programs) == 0 {
		t.Fatal("no programs")
	}
	return programs
}

// A program is one file to read, on one screen.
func TestProgramsAreShort(t *testing.T) {
	const mostLines, mostColumns = 80, 100
	for folder, program := range sections(t) {
		if !slices.Equal(program.GoFiles, []string{"main.go"}) {
			t.Errorf("%s has the files %q; a program is one file, main.go", folder, program.GoFiles)
		}
		text, err := os.ReadFile(filepath.Join(program.Dir, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		if len(lines) > mostLines {
			t.Errorf("%s/main.go has %d lines, more than %d", folder, len(lines), mostLines)
		}
		for i, line := range lines {
			if width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); width > mostColumns {
				t.Errorf("%s/main.go:%d has %d columns, more than %d", folder, i+1, width, mostColumns)
			}
		}
	}
}

// A program imports the standard library, franz-go and pkg/, but no other program. It never contains
// the embedded brokers, a web server, or the packages that run programs.
func TestProgramsStaySmall(t *testing.T) {
	for folder, program := range sections(t) {
		for _, imported := range program.Imports {
			first, _, _ := strings.Cut(imported, "/")
			standard := first != "tkafka" && !strings.Contains(first, ".")
			if !standard && !strings.HasPrefix(imported, "github.com/twmb/franz-go/") &&
				!strings.HasPrefix(imported, "tkafka/pkg/") {
				t.Errorf("%s imports %s", folder, imported)
			}
		}
		mustNotContain(t, folder, program, "net/http", "testing", "github.com/twmb/franz-go/pkg/kfake", "tkafka/pkg/process")
	}
}

// The tools for the classroom contain no packages for tests.
func TestToolsContainNoTests(t *testing.T) {
	for _, p := range list(t, "tkafka/classroom/...") {
		mustNotContain(t, p.ImportPath, p, "testing", "github.com/rogpeppe/go-internal", "tkafka/pkg/testbed")
	}
}

func mustNotContain(t *testing.T, name string, p pkg, packages ...string) {
	t.Helper()
	for _, dep := range p.Deps {
		for _, forbidden := range packages {
			if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") {
				t.Errorf("%s contains %s", name, dep)
			}
		}
	}
}

// No package imports the tools. tlsconf imports nothing of this module, so that a student can copy it.
func TestImports(t *testing.T) {
	for _, p := range list(t, "tkafka/...") {
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, "tkafka/classroom") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
			if p.ImportPath == "tkafka/pkg/tlsconf" && strings.HasPrefix(imported, "tkafka/") {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

// A new dependency needs a reason, in the commit that adds it here.
func TestDependencies(t *testing.T) {
	want := []string{
		"github.com/chromedp/cdproto", "github.com/chromedp/chromedp", "github.com/creack/pty", "github.com/gofrs/flock",
		"github.com/prometheus/client_golang", "github.com/rogpeppe/go-internal",
		"github.com/spf13/pflag", "github.com/twmb/franz-go", "github.com/twmb/franz-go/pkg/kadm",
		"github.com/twmb/franz-go/pkg/kfake", "github.com/twmb/franz-go/pkg/kmsg", "golang.org/x/term",
		"software.sslmate.com/src/go-pkcs12",
	}
	out, err := exec.Command("go", "list", "-m", "-f", "{{if not (or .Main .Indirect)}}{{.Path}}{{end}}", "all").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); !slices.Equal(got, want) {
		t.Errorf("the direct dependencies are\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
