package classroom

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The map in CONTRIBUTING.md has every folder with a package, in any order, and no other.
func TestMap(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		got = append(got, row[1])
	}
	for _, p := range list(t, "tkafka/...") {
		if folder := strings.TrimPrefix(p.ImportPath, "tkafka/"); folder != "classroom" { // it has only tests
			want = append(want, folder)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("CONTRIBUTING.md describes\n%s\nbut the packages are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
