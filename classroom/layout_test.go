// Package classroom has only tests: of the layout of the module, of the programs' lessons, and of CONTRIBUTING.md.
// The tools for the classroom are in the folders below.
package classroom

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what go list reports about a package.
type pkg struct {
	ImportPath, Name, Dir  string
	GoFiles, Imports, Deps []string // without tests
}

func list(t *testing.T, patterns ...string) (all []pkg) {
	t.Helper()
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Name,Dir,GoFiles,Imports,Deps"}, patterns...)...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal("go list: ", err)
	}
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

// sections returns the programs of the tutorial, by their folders. A student's own programs are elsewhere.
func sections(t *testing.T) map[string]pkg {
	t.Helper()
	programs := make(map[string]pkg)
	for _, p := range list(t, "tkafka/producer", "tkafka/consumer", "tkafka/commitoffsets/...", "tkafka/consumergroup/...") {
		programs[strings.TrimPrefix(p.ImportPath, "tkafka/")] = p
	}
	return programs
}

var (
	lessonPackages = []string{"tkafka/pkg/cli", "tkafka/pkg/settings", "tkafka/pkg/tlsconf", "tkafka/pkg/cluster", "tkafka/pkg/group"}
	forTests       = []string{"testing", "github.com/rogpeppe/go-internal", "tkafka/pkg/lab/testbed", "tkafka/pkg/watch/browser"}
)

// A program is one file. It imports the standard library, franz-go, pflag and the five packages, and nothing else of
// this module.
func TestPrograms(t *testing.T) {
	for folder, p := range sections(t) {
		if p.Name != "main" || !slices.Equal(p.GoFiles, []string{"main.go"}) {
			t.Errorf("%s is package %s with the files %q; a program is one file, main.go", folder, p.Name, p.GoFiles)
		}
		for _, path := range p.Imports {
			first, _, _ := strings.Cut(path, "/")
			standard := first != "tkafka" && !strings.Contains(first, ".")
			if !standard && path != "github.com/spf13/pflag" && !strings.HasPrefix(path, "github.com/twmb/franz-go/") &&
				!slices.Contains(lessonPackages, path) {
				t.Errorf("%s imports %s", folder, path)
			}
		}
		for _, path := range p.Deps {
			if strings.HasPrefix(path, "tkafka/") && !slices.Contains(lessonPackages, path) {
				t.Errorf("%s contains %s", folder, path)
			}
		}
		mustNotContain(t, p, "net/http", "testing", "github.com/twmb/franz-go/pkg/kfake")
	}
}

// The tools for the classroom contain no packages for tests. Nothing imports them. tlsconf imports nothing of this
// module, so that a student can copy it.
func TestImports(t *testing.T) {
	for _, p := range list(t, "tkafka/pkg/...", "tkafka/classroom/...") {
		if strings.HasPrefix(p.ImportPath, "tkafka/classroom") {
			mustNotContain(t, p, forTests...)
		} else {
			mustNotContain(t, p, "tkafka/classroom")
		}
		if p.ImportPath == "tkafka/pkg/tlsconf" {
			mustNotContain(t, p, "tkafka")
		}
	}
}

func mustNotContain(t *testing.T, p pkg, packages ...string) {
	t.Helper()
	for _, dep := range p.Deps {
		for _, forbidden := range packages {
			if dep == forbidden || strings.HasPrefix(dep, forbidden+"/") {
				t.Errorf("%s contains %s", p.ImportPath, dep)
			}
		}
	}
}
