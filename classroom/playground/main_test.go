package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"tkafka/pkg/lab/process"
	"tkafka/pkg/watch/browser"
	"tkafka/pkg/watch/page"
)

var text = browser.Text

// button is the button of the step.
const button = "#steps li:not([hidden]) button"

// program is the playground that all tests use. Its folder has the page.
var (
	program *process.Process
	address string
	folder  string
	start   = sync.OnceValue(func() error {
		temporary, err := os.MkdirTemp("", "playground-test-")
		if err != nil {
			return err
		}
		if program, err = begin(temporary); err != nil {
			return err
		}
		match, err := program.Await(context.Background(), &program.Stderr, regexp.MustCompile(`until Ctrl-C at (http://localhost:\d+/)`), time.Minute)
		if err != nil {
			return err
		}
		address = match[1]
		folders, err := filepath.Glob(filepath.Join(temporary, "*"))
		if len(folders) == 1 {
			folder = filepath.Join(folders[0], "site")
		}
		return err
	})
)

// begin starts the command, which makes its folders in a folder of the test.
func begin(temporary string, env ...string) (*process.Process, error) {
	command := exec.Command(os.Args[0])
	command.Dir = "../.."
	command.Env = append(os.Environ(), "TKAFKA_PLAYGROUND=yes", "TMPDIR="+temporary, "DISPLAY=", "WAYLAND_DISPLAY=")
	command.Env = append(command.Env, env...)
	program := process.New(command)
	return program, program.Start()
}

func TestMain(m *testing.M) {
	if os.Getenv("TKAFKA_PLAYGROUND") != "" {
		main()
	}
	status := browser.Main(m)
	if program != nil {
		program.Signal(os.Interrupt)
		if ended, err := program.Wait(time.Minute); ended != 0 || err != nil {
			fmt.Println("the playground ends with status", ended, err)
			status = 1
		}
		if err := os.Remove(filepath.Dir(filepath.Dir(folder))); err != nil {
			fmt.Println("the playground leaves files:", err)
			status = 1
		}
	}
	os.Exit(status)
}

// open serves the page below a path, as any static host does, and opens it. The scripts change the browser, for the page
// and for its worker.
func open(t *testing.T, script, inWorker string) *browser.Tab {
	t.Helper()
	if err := start(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/kafka/", http.StripPrefix("/kafka", http.FileServer(http.Dir(folder))))
	mux.HandleFunc("/kafka/worker.js", func(w http.ResponseWriter, _ *http.Request) {
		worker, _ := os.ReadFile(filepath.Join(folder, "worker.js"))
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprintf(w, "%s;\n%s", inWorker, worker)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections() // a tab that is closed may leave one
		server.Close()
	})
	return browser.Open(t, server.URL+"/kafka/", script)
}

// A student does the first part of the lesson, and two others begin in its middle, which saves time. What a step shows is
// checked by the page; here, what the programs have printed. In .ci/long, Firefox does all steps in one tab.
func TestLesson(t *testing.T) {
	t.Parallel()
	printed := []string{
		`partition \d+, offset 0`,
		`assigned 16 of 16 partitions: 0-15 hello$`,
		`message 1.* message 2|message 2.* message 1`,
		`the group skips 6 older offsets .*assigned 16 of 16`,
		`assigned 16 of 16 partitions: 0-15 important Start Storing End Storing Message committed$`,
		`precious Start Storing program: assigned 16 of 16 partitions: 0-15$`,
		`partition \d+, offset \d+, key \d+, value message \d+$`,
		`gave back partitions .*assigned 16 of 16 partitions: 0-15`,
		`assigned 1 of 16 partitions: \d+`,
		`key five, value message 20$`,
	}
	lesson := func(t *testing.T, first, last int) {
		t.Parallel()
		began := time.Now()
		page := open(t, "", "")
		page.Wait(text("#connection"), "live")
		t.Log("live after", time.Since(began).Round(time.Millisecond))
		page.Shots(fmt.Sprintf("before-%d", first))
		for range first - 1 {
			page.Click("#next")
		}
		for step := first; step <= last; step++ {
			page.Click(button)
			page.Wait(text("#progress"), fmt.Sprintf("Step %d of 10: done ✓", step))
			page.Matches(text("#printed"), printed[step-1])
			page.Shots(fmt.Sprintf("step-%d", step))
			page.Click("#next")
		}
		if last == len(printed) {
			page.Wait(text("#steps code:last-child"), "go run ./consumer client60")
			page.Shots("end")
		}
	}
	t.Run("killed", func(t *testing.T) { lesson(t, 5, 5) }) // the group waits for the end of a session
	t.Run("to the middle", func(t *testing.T) { lesson(t, 1, 4) })
	t.Run("to the end", func(t *testing.T) { lesson(t, 6, 10) })
}

// The picture of the README. .ci/record-watch makes it again.
func TestPictures(t *testing.T) {
	if os.Getenv("TKAFKA_SCREENSHOTS") == "" {
		t.Skip("TKAFKA_SCREENSHOTS is not set: this makes pictures and asserts nothing")
	}
	page := open(t, "", "")
	page.Wait(text("#connection"), "live")
	page.Eval(`document.body.style.fontFamily = '"Liberation Sans", sans-serif'`)
	for range 6 {
		page.Click("#next")
	}
	page.Click(button)
	page.Wait(text("#progress"), "Step 7 of 10: done ✓")
	for _, theme := range []string{"light", "dark"} {
		page.Look(1280, theme)
		page.Shot("playground-"+theme, 1280, 960)
	}
}

// set sets a field of the bar, as a user does.
func set(page *browser.Tab, form, name, value string) {
	page.Eval(fmt.Sprintf(`Object.assign(document.forms[%q].elements[%q], {value: %q}).dispatchEvent(new Event('change', {bubbles: true}))`, form, name, value))
}

// The bar does what its buttons are called, and refuses too much with a sentence.
func TestBar(t *testing.T) {
	t.Parallel()
	page := open(t, "", "")
	page.Wait(text("#connection"), "live")
	set(page, "send", "lines", "broken")
	page.Click("#send [value='1']")
	set(page, "run", "program", "commitoffsets/consumercommit")
	set(page, "run", "group", "my_group")
	set(page, "run", "storeTime", "30")
	page.Click("#run [value=start]")
	page.Matches(text("#printed"), `assigned 16 of 16 partitions: 0-15 broken Start Storing$`)
	page.Wait(`document.querySelector('.tabs [aria-pressed=true] bdi')?.textContent`, "my_group")
	page.Click("#run [value=kill]")
	killed := time.Now()
	page.Matches(text("#note"), `misses a killed member after 6 seconds, by default 45`)

	set(page, "run", "program", "consumergroup/share")
	set(page, "run", "group", "shared")
	set(page, "run", "storeTime", "0")
	page.Click("#run [value=start]")
	page.Matches(text("#printed"), `broken Start Storing program: joined share group shared`) // the killed program prints nothing more
	page.Wait("document.querySelector('#run a').getAttribute('href')", "consumergroup/share/main.go.txt")
	page.Matches("(await fetch('consumergroup/share/main.go.txt')).text()", `kgo\.ShareGroup\(`)
	page.Click("#send [value='1']")
	page.Matches(text("#printed"), `delivery 2 `)
	page.Click("#run [value=stop]")
	t.Run("accessible", page.Accessible)

	refused := func(selector, reason string) {
		page.Matches(fmt.Sprintf(`(e => e.title + e.reportValidity() + document.activeElement.matches(%q))(document.querySelector(%[1]q))`, selector), reason+".*falsetrue")
	}
	set(page, "run", "group", "<b>group</b>")
	page.Click("#run [value=start]")
	refused("[name=group]", "at most 60 letters")
	page.Eval("document.forms.send.elements.lines.value = 'x'.repeat(1 << 20)")
	page.Click("#send [value='1']")
	refused("[name=lines]", "at most 10,000 characters")
	set(page, "send", "lines", "short")
	page.Shots("bar")

	page.Wait(`[...document.querySelectorAll('.tabs bdi')].map(group => group.textContent)`, []string{"shared"}) // my_group has no offsets
	if missed := time.Since(killed); missed < 5*time.Second {
		t.Errorf("the killed member has left the group, after %s", missed)
	}
	page.Wait(`/End Storing|is not committed/.test(`+text("#printed")+`)`, false)
}

// With the most members and messages that a tab takes, the page answers.
func TestCrowd(t *testing.T) { // alone, because it measures how soon the page answers
	page := open(t, "", "")
	page.Wait(text("#connection"), "live")
	page.Eval(`(() => {
		globalThis.waits = [];
		const look = () => { const since = performance.now(); setTimeout(() => { waits.push(performance.now() - since); look(); }); };
		look();
	})()`)
	set(page, "send", "program", "consumergroup/producer")
	page.Eval(`(() => { for (let n = 0; n < 25; n++) document.querySelector("#send [value='1000']").click() })()`)
	page.Matches(text("#note"), `You have sent 20,000 messages.* 20,000 at most`)
	set(page, "run", "group", "crowd")
	set(page, "run", "program", "consumergroup/consumer")
	page.Eval(`(() => { for (let n = 0; n < 100; n++) document.querySelector('#run [value=start]').click() })()`)
	page.Matches(text("#note"), `24 members run`)
	page.Wait(text("#headline")+`.split(' partitions')[0]`, "24 members share 16")
	page.Matches(text("#summary"), `20,000 `)
	worst, err := strconv.Atoi(page.Eval(`Math.round(waits.sort((a, b) => a - b).at(-Math.ceil(waits.length / 100)))`))
	if t.Logf("99 of 100 times, the page answers within %d ms", worst); err != nil || worst > 200 {
		t.Error(worst, err)
	}
	page.Shots("crowd")
}

// An old browser gets a sentence, and so does one that does not get all files.
func TestOldBrowser(t *testing.T) {
	t.Parallel()
	page := open(t, "", "delete globalThis.DecompressionStream")
	page.Matches(text("#trouble"), "too old")
	page = open(t, "", "fetch = async () => ({ok: false, status: 404})")
	page.Matches(text("#trouble"), "kafka.wasm.gz: 404")
	page = open(t, "Object.defineProperty(globalThis, 'Worker', {get() { throw Error('no workers') }})", "")
	page.Matches(text("#note"), "your browser is too old")
	page.Expect("no workers")
}

// All files together are small enough for a class in a bad network, and the page loads its own files only.
func TestSite(t *testing.T) {
	if err := start(); err != nil {
		t.Fatal(err)
	}
	weight := int64(0)
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if info, _ := entry.Info(); err == nil && !entry.IsDir() {
			weight += info.Size()
		}
		return err
	})
	if t.Logf("%d bytes", weight); err != nil || weight > 5e6 {
		t.Error(weight, err)
	}
	index, err := os.ReadFile(filepath.Join(folder, "index.html"))
	policy := strings.NewReplacer("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'", "trusted-types 'none'",
		"trusted-types worker", "frame-ancestors 'none'; ", "").Replace(page.Policy) // only a server can forbid frames
	policy = "<head>\n\t" + `<meta http-equiv="Content-Security-Policy" content="` + policy + `">`
	if err != nil || !strings.Contains(string(index), policy) || !strings.Contains(string(index), `<fieldset id="play"`) {
		t.Errorf("%v\n%s", err, index)
	}
}

// The command serves the page. TestMain ends it.
func TestCommand(t *testing.T) {
	if err := start(); err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(address + "commitoffsets/consumercommit/main.go.txt")
	if err != nil || answer.StatusCode != 200 {
		t.Error(answer, err)
	}
}

// Ctrl-C while it compiles is no failure, and leaves nothing.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	slow := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n[ $1 != run ] || { echo it builds >&2; exec sleep 60; }\nexec %s \"$@\"\n", tool)
	if err := os.WriteFile(filepath.Join(slow, "go"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	temporary := t.TempDir()
	program, err := begin(temporary, "PATH="+slow+":"+os.Getenv("PATH"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := program.Await(t.Context(), &program.Stderr, regexp.MustCompile("it builds"), time.Minute); err != nil {
		t.Fatal(err)
	}
	program.Signal(os.Interrupt)
	if status, err := program.Wait(time.Minute); status != 0 || err != nil {
		t.Error(status, err)
	}
	if left, _ := filepath.Glob(filepath.Join(temporary, "*")); len(left) > 0 {
		t.Error(left)
	}
}
