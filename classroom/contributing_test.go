package classroom

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The map in CONTRIBUTING.md has every package in pkg/ and every tool in classroom/, and no other. The
// programs of the sections describe themselves.
func TestMap(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, row := range regexp.MustCompile("(?m)^\\| `((?:pkg|classroom)/[a-z/]+)` \\| .+ \\|$").FindAllStringSubmatch(string(text), -1) {
		got = append(got, row[1])
	}
	for _, p := range list(t, "tkafka/pkg/...", "tkafka/classroom/...") {
		folder := strings.TrimPrefix(p.ImportPath, "tkafka/")
		if strings.HasPrefix(folder, "pkg/") || strings.HasPrefix(folder, "classroom/") {
			want = append(want, folder)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("CONTRIBUTING.md describes\n%s\nbut the packages are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
