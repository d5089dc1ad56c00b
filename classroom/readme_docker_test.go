package classroom

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var container = regexp.MustCompile(`--name (\w+)`)

// TestDockerCommands types the README's docker commands, in the order of the text. It needs an engine
// and a cluster on this machine, so CI runs it, .ci/readme-images, and nobody else: it is told of the
// cluster by a folder of credentials with an unused topic.
//
// A command is typed as written, with two additions: the machine's network, as the README says for
// a cluster on the same machine, and the image to build with, where a registry cannot be reached.
func TestDockerCommands(t *testing.T) {
	folder, topic := os.Getenv("TKAFKA_README_AUTH"), os.Getenv("TKAFKA_README_TOPIC")
	if folder == "" {
		t.Skip("TKAFKA_README_AUTH is not set: .ci/readme-images runs this")
	}
	root := copyOfRepository(t)
	if err := os.RemoveAll(filepath.Join(root, "auth")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(root, "auth"), os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(root, "auth", "kafka.keystore.pkcs12"), 0o600); err != nil {
		t.Fatal(err) // as issued: copying has made it 0644
	}
	t.Cleanup(func() {
		for name := range strings.FieldsSeq("simple_consumer simple_producer commit_consumer member_1 member_2") {
			exec.Command("docker", "rm", "-f", name).Run() // what a failure has left running
		}
	})
	term := openTerminal(t, root, "docker")
	commands := 0
	for _, block := range transcripts(t) {
		if block.mark != "docker" {
			continue
		}
		for _, line := range block.lines {
			command, ok := strings.CutPrefix(line, "$ ")
			if !ok {
				t.Fatalf("README.md:%d: only commands are expected here, not %q", block.line, line)
			}
			command = strings.NewReplacer("<topic>", topic, "<group>", "readme-group").Replace(command)
			t.Log(command)
			term.docker(command)
			commands++
		}
	}
	if commands < 15 {
		t.Errorf("the README has %d docker commands only", commands)
	}
}

// sent is what producers send.
const sent = "from the readme"

// docker types a command and does what somebody who follows the tutorial does next.
func (term *terminal) docker(command string) {
	command = strings.Replace(command, "docker build ", `docker build --build-arg GO_IMAGE="$GO_IMAGE" `, 1)
	command = strings.Replace(command, "docker run ", "docker run --network host ", 1)
	if strings.HasPrefix(command, "docker stop member_1") {
		// What the producer sent has reached one of the two, and not both.
		term.shell(`cat <(docker logs member_1 2>/dev/null) <(docker logs member_2 2>/dev/null) | grep -c "`+sent+`"`, `^1\r?$`)
	}
	typed := strings.Contains(command, "docker run") && strings.Contains(command, "-it")
	switch {
	case typed && strings.Contains(command, " producer "):
		term.press(command + "\n")
		term.expect(`^> `)
		term.press(sent + "\n")
		term.expect(`partition \d+, offset \d+`)
		term.press("\x04")
	case typed:
		term.press(command + "\n")
		term.expect(`assigned \d+ of 16 partitions`)
		term.press("\x03")
	case strings.HasPrefix(command, "docker logs -f"):
		term.press(command + "\n")
		term.expect(`^` + sent + `\r?$`)
		term.press("\x03")
		term.expect(shellPrompt)
		return // interrupted: its status says nothing
	default:
		term.press(command + "\n")
	}
	term.expect(shellPrompt)
	term.shell("echo status $?", `^status 0\r?$`)
	if name := container.FindStringSubmatch(command); name != nil && strings.Contains(command, " -d ") {
		want := "assigned"
		if name[1] == "member_2" {
			want = "assigned 8 of 16"
		}
		term.shell("until docker logs "+name[1]+" 2>&1 | grep '"+want+"'; do sleep 0.1; done", `assigned \d+ of 16 partitions`)
	}
	if strings.HasPrefix(command, "docker stop") { // --rm frees the name a moment later
		term.shell("while docker ps -a | grep -E 'simple_|member_'; do sleep 0.1; done; echo gone", `^gone\r?$`)
	}
}

// shell types a command of the test's own and expects a line.
func (term *terminal) shell(command, line string) {
	term.press(command + "\n")
	term.expect(`\n`) // its echo
	term.expect(line)
	term.expect(shellPrompt)
}
