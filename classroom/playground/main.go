// Playground makes a page that runs Kafka in a browser tab, with a lesson, and shows it. The page is a folder of plain
// files for any web server.
//
//	go run ./classroom/playground
//	go run ./classroom/playground --out site
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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

//go:embed web
var files embed.FS

var out = pflag.String("out", "", "write the page into this `folder`, and end")

func main() { cli.Run("", "Shows a page that runs Kafka in a browser tab, with a lesson.", run) }

func run(ctx context.Context, _ []string) error {
	if *out != "" {
		return build(ctx, *out)
	}
	folder, err := os.MkdirTemp("", "playground-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := build(ctx, folder); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://%s/", listener.Addr())
	cli.Say("the playground is at %s until Ctrl-C", url)
	page.OpenBrowser(url)
	return page.Serve(ctx, listener, http.FileServerFS(os.DirFS(folder)))
}

// build writes the files of the live page, those of this folder, Kafka for the browser, and the programs to read.
func build(ctx context.Context, folder string) error {
	roots, err := goTool(ctx, "list", "-f", "{{.Root}}", "runtime", "tkafka/producer")
	if err != nil {
		return err
	}
	goRoot, root, _ := strings.Cut(roots, "\n")
	site := make(map[string][]byte)
	for _, from := range []fs.FS{page.Files(), must(fs.Sub(files, "web"))} { // this folder has another source.js
		for _, name := range must(fs.Glob(from, "*")) {
			site[name] = must(fs.ReadFile(from, name))
		}
	}
	policy := strings.NewReplacer("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "trusted-types 'none'", "trusted-types worker",
		"frame-ancestors 'none'; ", "").Replace(page.Policy) // only a server can forbid frames
	site["index.html"] = []byte(strings.NewReplacer(
		"<head>", `<head><meta http-equiv="Content-Security-Policy" content="`+policy+`">`,
		"</head>", `<link rel="stylesheet" href="play.css"><script type="module" src="play.js"></script></head>`,
		"</header>", "</header>\n"+string(site["play.html"])).Replace(string(site["index.html"])))
	delete(site, "play.html")
	if site["wasm_exec.js"], err = os.ReadFile(filepath.Join(goRoot, "lib/wasm/wasm_exec.js")); err != nil {
		return err
	}
	for _, program := range programs {
		path := program[0] + "/main.go"
		if site[path+".txt"], err = os.ReadFile(filepath.Join(root, path)); err != nil {
			return err
		}
	}
	if site["kafka.wasm.gz"], err = compile(ctx, root); err != nil {
		return err
	}
	return write(folder, site)
}

// compile returns the packed program of the tab.
func compile(ctx context.Context, root string) ([]byte, error) {
	cli.Say("compiling Kafka for the browser: it takes a minute the first time")
	work, err := os.MkdirTemp("", "playground-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	changed, err := changedPrograms(root)
	if err != nil {
		return nil, err
	}
	replace, overlay, wasm := make(map[string]string), filepath.Join(work, "overlay.json"), filepath.Join(work, "kafka.wasm")
	for path := range changed {
		replace[filepath.Join(root, path)] = filepath.Join(work, path)
	}
	changed["overlay.json"] = must(json.Marshal(map[string]any{"Replace": replace}))
	if err := write(work, changed); err != nil {
		return nil, err
	}
	// -l inlines no functions: the file is a tenth smaller.
	_, err = goTool(ctx, "build", "-trimpath", "-gcflags=all=-l", "-ldflags=-s -w", "-overlay", overlay, "-o", wasm, "tkafka/classroom/playground/tab")
	if err != nil {
		return nil, err
	}
	unpacked, err := os.ReadFile(wasm)
	var packed bytes.Buffer
	writer := must(gzip.NewWriterLevel(&packed, gzip.BestCompression))
	writer.Write(unpacked) // into memory, which does not fail
	writer.Close()
	return packed.Bytes(), err
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

// goTool runs the go command for the browser, and returns what it prints.
func goTool(ctx context.Context, args ...string) (string, error) {
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	command.Stderr = os.Stderr
	text, err := command.Output()
	if err != nil {
		return "", cli.WithHint(fmt.Errorf("go %s: %w", args[0], err), "start it in the root of this repository")
	}
	return strings.TrimSpace(string(text)), nil
}

// must returns what is in this program.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
