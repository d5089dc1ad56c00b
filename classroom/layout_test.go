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

// pkg is what go list tells about a package.
type pkg struct {
	ImportPath, Name, Dir string
	Deps                  []string
	Imports               []string
}

func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Dir,Deps,Imports"}, patterns...)...)
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

// sections are the programs of the tutorial: every main package outside of classroom/.
func sections(t *testing.T) (programs []pkg) {
	for _, p := range list(t, "tkafka/...") {
		if p.Name == "main" && !strings.HasPrefix(p.ImportPath, "tkafka/classroom/") {
			programs = append(programs, p)
		}
	}
	if len(programs) != 6 {
		t.Fatalf("the tutorial has six programs, not %d", len(programs))
	}
	return programs
}

// A program is read on one screen.
func TestProgramsFitOneScreen(t *testing.T) {
	for _, program := range sections(t) {
		text, err := os.ReadFile(filepath.Join(program.Dir, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
		if len(lines) > 60 {
			t.Errorf("%s/main.go has %d lines, more than 60", program.ImportPath, len(lines))
		}
		for i, line := range lines {
			if width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); width > 100 {
				t.Errorf("%s/main.go:%d is %d columns wide, more than 100", program.ImportPath, i+1, width)
			}
		}
		if others, _ := filepath.Glob(filepath.Join(program.Dir, "*.go")); len(others) != 2 {
			t.Errorf("%s has %d Go files; main.go and main_test.go are enough", program.ImportPath, len(others))
		}
	}
}

// A program imports the standard library, franz-go and pkg/, so no other program. By way of these, too,
// it carries neither the embedded brokers nor a web server.
func TestProgramsStaySmall(t *testing.T) {
	for _, program := range sections(t) {
		for _, imported := range program.Imports {
			first, _, _ := strings.Cut(imported, "/")
			standard := first != "tkafka" && !strings.Contains(first, ".")
			if !standard && !strings.HasPrefix(imported, "github.com/twmb/franz-go/") &&
				!strings.HasPrefix(imported, "tkafka/pkg/") {
				t.Errorf("%s imports %s", program.ImportPath, imported)
			}
		}
		for _, dep := range program.Deps {
			if dep == "net/http" || strings.HasPrefix(dep, "github.com/twmb/franz-go/pkg/kfake") {
				t.Errorf("%s depends on %s", program.ImportPath, dep)
			}
		}
	}
}

// The tools are nobody's library, and tlsconf can be taken out of the project as it is.
func TestWhoKnowsWhom(t *testing.T) {
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

// The dependencies of the suite are few, and each has its reason in the history.
func TestDependencies(t *testing.T) {
	want := []string{
		"github.com/creack/pty", "github.com/gofrs/flock", "github.com/rogpeppe/go-internal",
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
