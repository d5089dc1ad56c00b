package classroom

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"tkafka/pkg/lab/testbed"
)

// The page of pkg/tlsconf, typed: a module outside of this repository has a copy of tlsconf, whose tests pass,
// and the group member of the example as its main.go. The judge finds nothing wrong with it.
func TestOwnProgram(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	root := filepath.Join(parent, "tkafka")
	for _, folder := range []string{root + "/auth", root + "/pkg"} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, link := range map[string]string{"go.mod": "go.mod", "go.sum": "go.sum", "tlsconf": "pkg/tlsconf"} {
		original, err := filepath.Abs(filepath.Join("..", link))
		if err != nil {
			t.Fatal(err, name)
		}
		if err := os.Symlink(original, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	testbed.Build(t, "tkafka/classroom/judge")
	cache, err := exec.Command("go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := strings.Fields(string(cache))
	environment := append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "KAFKA_") }),
		"GOFLAGS=-mod=mod -trimpath", "GOWORK=off", "GOGC=400", // -trimpath: what it compiles is used in the next folder, too
		"GOPROXY=file://"+filepath.ToSlash(modules[0])+"/cache/download,"+modules[1]) // without a network, if all modules are there
	folder := root
	typed := func(t *testing.T, command string) string {
		t.Helper()
		shell := exec.Command("sh", "-e", "-c", command)
		shell.Dir, shell.Env = folder, environment
		text, err := shell.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, text)
		}
		return string(text)
	}

	page, err := os.ReadFile("../pkg/tlsconf/README.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile(`(?m)^\$ (.*)$`).FindAllStringSubmatch(string(page), -1)
	if len(commands) < 8 || !strings.Contains(string(page), "`judge consumer -- go run . {topic}`") {
		t.Fatalf("the page has %d commands", len(commands))
	}
	for _, command := range commands {
		switch to, isCD := strings.CutPrefix(command[1], "cd "); {
		case isCD:
			folder = filepath.Join(folder, to)
			writeMain(t, filepath.Join(folder, "main.go"))
		case command[1] == "go run .": // on the cluster of the judge
		case strings.HasPrefix(command[1], "go test "):
			t.Run("its tests", func(t *testing.T) {
				t.Parallel()
				typed(t, command[1])
			})
		default:
			typed(t, strings.Replace(command[1], "cp -r", "cp -rL", 1)) // this test has links
		}
	}
	t.Run("judge", func(t *testing.T) {
		t.Parallel()
		text := typed(t, "judge consumer --seed 1 --only start,stop,sigterm,members -- go run . {topic}")
		for _, end := range regexp.MustCompile(`ended after .* with status -?\d+`).FindAllString(text, -1) {
			if !strings.HasSuffix(end, " with status 0") {
				t.Error("after Ctrl-C, or SIGTERM: ", end)
			}
		}
	})
}

// writeMain writes the program that the README describes: the group member of the example, without an end.
func writeMain(t *testing.T, path string) {
	t.Helper()
	example, err := os.ReadFile("../pkg/tlsconf/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	positions := token.NewFileSet()
	parsed, err := parser.ParseFile(positions, "example_test.go", example, 0)
	if err != nil {
		t.Fatal(err)
	}
	program := bytes.NewBufferString("package main\nimport \"time\"\n")
	for _, part := range parsed.Decls {
		text := example[positions.Position(part.Pos()).Offset:positions.Position(part.End()).Offset]
		if function, ok := part.(*ast.FuncDecl); !ok || function.Name.Name == "Example_groupMember" {
			program.Write(append(text, '\n'))
		}
	}
	changes := strings.NewReplacer("tkafka/pkg/tlsconf", "assignment/tlsconf", "func Example_groupMember", "func main", "for processed < 3 {", "for {", `= "client60"`, "= os.Args[1]",
		"kgo.ConsumerGroup(", "kgo.HeartbeatInterval(500*time.Millisecond), kgo.ConsumerGroup(") // by default, a rebalance takes up to 3 s
	if err := os.WriteFile(path, []byte(changes.Replace(program.String())), 0o600); err != nil {
		t.Fatal(err)
	}
}
