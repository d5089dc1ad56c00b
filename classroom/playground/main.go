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
	"go/build"
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
// student has changed there. The name, which play.html uses, is the folder. After a hyphen it says what is changed, as
// the tutorial does it, or a flag. The changes are pairs: what stands in the text, and what replaces it.
var programs = map[string][]string{
	"producer":                     {},
	"producer-five":                {`"key", ""`, `"key", "five"`},
	"consumer-earliest":            {"AtEnd", "AtStart", "latest", "earliest"},
	"commitoffsets/consumercommit": {},
	"commitoffsets/consumercommit-first": {"group.NotStored(message, err)", "err",
		"if err := store", "client.CommitRecords(ctx, message)\n\t\t\tif err := store"},
	"consumergroup/producer": {},
	"consumergroup/consumer": {},
	"consumergroup/share":    {},
}

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
	"*fail", `"broken"`,
	"*storeTime", "ctx.(*tab.Order).StoreTime*time.Second",
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
	if err := write(ctx, work, folder); err != nil || *out != "" {
		return err
	}
	place := page.Place{Listen: "127.0.0.1:0"}
	return place.Show(ctx, "the playground", http.FileServer(http.Dir(folder)))
}

// write writes the files of the live page, those of this folder, and what compile writes.
func write(ctx context.Context, work, folder string) error {
	html, err := os.ReadFile("classroom/playground/play.html")
	if err != nil {
		return cli.WithHint(err, "start it in the root of this repository")
	}
	wasmExec := build.Default.GOROOT + "/lib/wasm/wasm_exec.js"
	for _, pattern := range []string{"pkg/watch/page/web/*", "classroom/playground/web/*", wasmExec} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			err = cmp.Or(err, change(path, filepath.Join(folder, filepath.Base(path))))
		}
	}
	policy, play, _ := strings.Cut(string(html), "</head>\n")
	index := filepath.Join(folder, "index.html")
	err = cmp.Or(err, change(index, index, "<head>", policy, "</header>", "</header>\n"+play, "source.js", "play.js"))
	return cmp.Or(err, compile(ctx, work, folder))
}

// change copies a text. The changes are pairs: what stands there, and what replaces it.
func change(from, to string, changes ...string) error {
	text, err := os.ReadFile(from)
	text = []byte(strings.NewReplacer(changes...).Replace(string(text)))
	return cmp.Or(err, os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
}

// compile writes the programs to read, and all of them in one: Kafka for the browser. There, each program is a package
// that is only in the overlay.
func compile(ctx context.Context, work, folder string) (err error) {
	cli.Say("compiling Kafka for the browser: it takes a minute the first time")
	const tab = "classroom/playground/tab"
	overlay, imports := make(map[string]string), fmt.Sprintf("import %q\n", "tkafka/"+tab)
	for name, changes := range programs {
		section, _, _ := strings.Cut(name, "-")
		text, program := filepath.Join(folder, name, "main.go.txt"), filepath.Join(tab, name, "main.go")
		overlay[program] = filepath.Join(work, program)
		imports += fmt.Sprintf("import _ %q\n", "tkafka/"+tab+"/"+name)
		inTab := append(everywhere, "cli.Run(", fmt.Sprintf("tab.Add(%q, ", name))
		err = cmp.Or(err, change(section+"/main.go", text, changes...), change(text, overlay[program], inTab...))
	}
	asJSON, _ := json.Marshal(map[string]any{"Replace": overlay})
	err = cmp.Or(err, os.WriteFile(work+"/overlay.json", asJSON, 0o644),
		os.WriteFile(work+"/main.go", []byte("package main\n\n"+imports+"\nfunc main() { tab.Main() }\n"), 0o644))
	if err != nil {
		return err
	}
	// Unlike go build, go run keeps what it links. -l inlines nothing, so it is smaller.
	command := exec.CommandContext(ctx, "go", "run", "-exec=cat", "-overlay="+work+"/overlay.json",
		"-trimpath", "-ldflags=-s -w", "-gcflags=all=-l", work+"/main.go")
	command.Env, command.Stderr = append(os.Environ(), "GOOS=js", "GOARCH=wasm"), os.Stderr
	unpacked, err := command.Output()
	if err != nil {
		return cmp.Or(ctx.Err(), fmt.Errorf("go run: %w", err)) // Ctrl-C is no failure
	}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	writer.Write(unpacked) // into memory, which does not fail
	writer.Close()
	return os.WriteFile(filepath.Join(folder, "kafka.wasm.gz"), packed.Bytes(), 0o644)
}
