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
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/watch/page"
)

// programs are what runs in the tab: the programs of the sections, compiled from their main.go, so also with what a
// student has changed there. The name, which play.html uses, is the folder, and what is changed in it as the tutorial
// does, or by a flag. The changes are pairs: a text, and what replaces it.
var programs = map[string][]string{
	"producer":                           {},
	"producer-five":                      {`"key", ""`, `"key", "five"`},
	"consumer-earliest":                  {"AtEnd", "AtStart", "latest", "earliest"},
	"commitoffsets/consumercommit":       {},
	"commitoffsets/consumercommit-first": {"if err := store", commit + "if err := store", "group.NotStored(message, err)", "err"},
	"consumergroup/producer":             {},
	"consumergroup/consumer":             {},
	"consumergroup/share":                {},
}

const commit = "client.CommitRecords(ctx, message)\n\t\t\t"

// everywhere is changed in all of them, because the brokers and the page are in the tab.
var everywhere = []string{
	"package main", "package program\n\nimport \"tkafka/classroom/playground/tab\"",
	"func main()", "func init()",
	`"tkafka/pkg/tlsconf"`, `"crypto/tls"`,
	"tlsconf.Load(", "func(...any) (*tls.Config, error) { return nil, nil }(",
	"flags.Find()", "&settings.Settings{Brokers: tab.Brokers.Brokers()}, error(nil)",
	"kgo.NewClient(", "tab.NewClient(ctx, ",
	"cli.Lines(", "tab.Lines(",
	"*name", "args[1]",
	"*storeTime", "ctx.(*tab.Order).StoreTime*time.Second",
	"*fail", `"broken"`,
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

// build writes the page: the files of the live page, those of this folder, the programs to read, and Kafka itself.
func build(ctx context.Context, work, folder string) error {
	goRoot, err := goTool(ctx, "env", "GOROOT")
	if err != nil {
		return err
	}
	for _, pattern := range []string{goRoot + "/lib/wasm/wasm_exec.js", "pkg/watch/page/web/*", "classroom/playground/web/*"} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths { // the last folder has another source.js
			err = cmp.Or(err, change(path, filepath.Join(folder, filepath.Base(path))))
		}
	}
	for name, changes := range programs {
		section, _, _ := strings.Cut(name, "-")
		err = cmp.Or(err, change(section+"/main.go", filepath.Join(folder, name, "main.go.txt"), changes...))
	}
	html, unread := os.ReadFile("classroom/playground/play.html")
	policy, play, _ := strings.Cut(string(html), "</head>\n")
	index := filepath.Join(folder, "index.html")
	err = cmp.Or(err, unread, change(index, index, "<head>", policy, "</header>", "</header>\n"+play))
	if err != nil {
		return cli.WithHint(err, "start it in the root of this repository")
	}
	return compile(ctx, work, folder)
}

// change copies a text. The changes are pairs: what stands there, and what replaces it.
func change(from, to string, changes ...string) error {
	text, err := os.ReadFile(from)
	text = []byte(strings.NewReplacer(changes...).Replace(string(text)))
	return cmp.Or(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
}

// compile writes the packed program of the tab. It has a package for each program, which only the overlay knows.
func compile(ctx context.Context, work, folder string) (err error) {
	cli.Say("compiling Kafka for the browser: it takes a minute the first time")
	overlay, imports := make(map[string]string), "import \"tkafka/classroom/playground/tab\"\n"
	for name := range programs {
		program := filepath.Join("classroom/playground/tab", name, "main.go")
		overlay[program] = filepath.Join(work, program)
		imports += fmt.Sprintf("import _ \"tkafka/classroom/playground/tab/%s\"\n", name)
		inTab := append(everywhere, "cli.Run(", fmt.Sprintf("tab.Add(%q, ", name))
		err = cmp.Or(err, change(filepath.Join(folder, name, "main.go.txt"), overlay[program], inTab...))
	}
	main, wasm, replace := filepath.Join(work, "main.go"), filepath.Join(work, "kafka.wasm"), filepath.Join(work, "overlay.json")
	asJSON, _ := json.Marshal(map[string]any{"Replace": overlay})
	err = cmp.Or(err, os.WriteFile(replace, asJSON, 0o644),
		os.WriteFile(main, []byte("package main\n\n"+imports+"\nfunc main() { tab.Main() }\n"), 0o644))
	if err != nil {
		return err
	}
	// -l inlines no functions: the file is a tenth smaller.
	_, err = goTool(ctx, "build", "-trimpath", "-gcflags=all=-l", "-ldflags=-s -w", "-overlay", replace, "-o", wasm, main)
	if err != nil {
		return err
	}
	unpacked, err := os.ReadFile(wasm)
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	writer.Write(unpacked) // into memory, which does not fail
	writer.Close()
	return cmp.Or(err, os.WriteFile(filepath.Join(folder, "kafka.wasm.gz"), packed.Bytes(), 0o644))
}

// goTool runs the go command for the browser, and returns what it prints.
func goTool(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		err = cmp.Or(ctx.Err(), fmt.Errorf("go %s: %w", args[0], err)) // Ctrl-C is no failure
	}
	return strings.TrimSpace(string(text)), err
}
