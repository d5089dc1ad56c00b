// Playground makes a page that runs Kafka in a browser tab, with a lesson, and shows it. The page is a folder of plain
// files for any web server.
//
//	go run ./classroom/playground
//	go run ./classroom/playground --out site
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/watch/page"
)

// programs are what runs in the tab: the programs of the sections, compiled from their main.go, so also with what a
// student has changed there. The name is that in play.html. After the folder come patterns, and what replaces each of
// them: it is what the tutorial lets a student change, or stands in a flag.
var programs = map[string][]string{
	"producer":      {"producer"},
	"producer-five": {"producer", `"key", ""`, `"key", "five"`},
	"keys-producer": {"consumergroup/producer"},
	"latest":        {"consumergroup/consumer"},
	"earliest":      {"consumer", `AtEnd`, "AtStart", `\*name`, "args[1]"},
	"store-first":   {"commitoffsets/consumercommit"},
	"commit-first": {"commitoffsets/consumercommit", `group\.NotStored\(message, err\)`, "err",
		`(?s)(\t\t\tif err := store.*?\n\t\t\t}\n)(\t\t\tif err := client.Commit.*?\n\t\t\t}\n)`, "$2$1"},
	"share": {"consumergroup/share", `"fail", ""`, `"fail", "broken"`},
}

// everywhere is replaced in all of them, because the brokers and the page are in the tab.
var everywhere = []string{
	`package main`, "package program\n\nimport \"tkafka/classroom/playground/tab\"",
	`func main\(\)`, "func init()",
	`"tkafka/pkg/tlsconf"`, `"crypto/tls"`,
	`tlsconf\.Load\(.*\)`, "(*tls.Config)(nil), error(nil)",
	`flags\.Find\(\)`, "&settings.Settings{Brokers: tab.Brokers.Brokers()}, error(nil)",
	`kgo\.NewClient\(`, "tab.NewClient(ctx, ",
	`cli\.Lines\(`, "tab.Lines(",
	`\*storeTime`, "tab.Of(ctx).StoreTime*time.Second",
}

var out = pflag.String("out", "", "write the page into this `folder`, and end")

func main() { cli.Run("", "Shows a page that runs Kafka in a browser tab, with a lesson.", run) }

func run(ctx context.Context, _ []string) error {
	work, err := os.MkdirTemp("", "playground-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	folder := cmp.Or(*out, filepath.Join(work, "site"))
	if err := build(ctx, work, folder); err != nil || *out != "" {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://%s/", listener.Addr())
	cli.Say("the playground is at %s until Ctrl-C", url)
	page.OpenBrowser(url)
	return page.Serve(ctx, listener, http.FileServer(http.Dir(folder)))
}

// build writes the files of the live page, those of this folder, the programs to read, and Kafka for the browser.
func build(ctx context.Context, work, folder string) error {
	roots, err := goTool(ctx, "list", "-f", "{{.Root}}", "runtime", "tkafka/producer")
	if err != nil {
		return cli.WithHint(err, "start it in the root of this repository")
	}
	goRoot, root, _ := strings.Cut(roots, "\n")
	paths := map[string]string{"wasm_exec.js": filepath.Join(goRoot, "lib/wasm/wasm_exec.js")}
	for _, program := range programs {
		paths[program[0]+"/main.go.txt"] = filepath.Join(root, program[0], "main.go")
	}
	for _, web := range []string{"pkg/watch/page/web", "classroom/playground/web"} { // the second one has another source.js
		found, _ := filepath.Glob(filepath.Join(root, web, "*"))
		for _, path := range found {
			paths[filepath.Base(path)] = path
		}
	}
	site := make(map[string][]byte)
	for name, path := range paths {
		if site[name], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	policy := strings.NewReplacer("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "trusted-types 'none'",
		"trusted-types worker", "frame-ancestors 'none'; ", "").Replace(page.Policy) // only a server can forbid frames
	site["index.html"] = []byte(strings.NewReplacer(
		"<head>", `<head><meta http-equiv="Content-Security-Policy" content="`+policy+`">`,
		"</header>", "</header>\n"+string(site["play.html"])).Replace(string(site["index.html"])))
	delete(site, "play.html")
	if site["kafka.wasm.gz"], err = compile(ctx, root, work, generate(site)); err != nil {
		return err
	}
	return write(folder, site)
}

func write(folder string, files map[string][]byte) error {
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
			return err
		}
	}
	return nil
}

// generate returns the programs as the tab needs them, and a main package that imports them.
func generate(site map[string][]byte) map[string][]byte {
	const tab = "classroom/playground/tab/"
	files, imports := make(map[string][]byte), ""
	for name, program := range programs {
		text := site[program[0]+"/main.go.txt"]
		add := []string{`cli\.Run\(`, fmt.Sprintf("tab.Add(%q, ", name)}
		for change := range slices.Chunk(slices.Concat(program[1:], everywhere, add), 2) {
			text = regexp.MustCompile(change[0]).ReplaceAll(text, []byte(change[1]))
		}
		files[tab+name+"/main.go"] = text
		imports += fmt.Sprintf("import _ %q\n", "tkafka/"+tab+name)
	}
	files[tab+"main/main.go"] = fmt.Appendf(nil,
		"package main\n\nimport \"tkafka/classroom/playground/tab\"\n%s\nfunc main() { tab.Main() }\n", imports)
	return files
}

// compile returns the packed program of the tab, which consists of these files, and of those in the repository.
func compile(ctx context.Context, root, work string, files map[string][]byte) ([]byte, error) {
	cli.Say("compiling Kafka for the browser: it takes a minute the first time")
	replace := make(map[string]string)
	for name := range files {
		replace[filepath.Join(root, name)] = filepath.Join(work, name)
	}
	files["overlay.json"], _ = json.Marshal(map[string]any{"Replace": replace})
	if err := write(work, files); err != nil {
		return nil, err
	}
	overlay, wasm := filepath.Join(work, "overlay.json"), filepath.Join(work, "kafka.wasm")
	// -l inlines no functions: the file is a tenth smaller.
	_, err := goTool(ctx, "build", "-trimpath", "-gcflags=all=-l", "-ldflags=-s -w", "-overlay", overlay, "-o", wasm,
		"tkafka/classroom/playground/tab/main")
	if err != nil {
		return nil, err
	}
	unpacked, err := os.ReadFile(wasm)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	writer.Write(unpacked) // into memory, which does not fail
	writer.Close()
	return packed.Bytes(), err
}

// goTool runs the go command for the browser, and returns what it prints.
func goTool(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		err = errors.Join(ctx.Err(), fmt.Errorf("go %s: %w", args[0], err)) // Ctrl-C is no failure
	}
	return strings.TrimSpace(string(text)), err
}
