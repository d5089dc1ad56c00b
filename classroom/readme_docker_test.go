package classroom

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"tkafka/pkg/group"
)

var container = regexp.MustCompile(`--name (\w+)`)

// TestDockerCommands types the docker commands of the READMEs, in their order. It needs a docker engine
// and a cluster on this machine, so only CI runs it (.ci/readme-images). Two environment variables name
// a credentials folder for the cluster and an unused topic.
//
// The test adds two things to the commands: the network of the machine, as the README describes it for
// a cluster on the same machine, and the image to build with, for machines without a registry.
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
		t.Fatal(err) // CopyFS does not keep 0600
	}
	all := dockerCommands(t)
	t.Cleanup(func() { // after a failure, containers may still run
		for _, command := range all {
			if name := container.FindStringSubmatch(command); name != nil {
				exec.Command("docker", "rm", "-f", name[1]).Run()
			}
		}
	})
	term := openTerminal(t, root, "docker")
	for _, command := range all {
		command = strings.NewReplacer("<topic>", topic, "<group>", "readme-group").Replace(command)
		t.Log(command)
		term.docker(command)
	}
}

func dockerCommands(t *testing.T) (all []string) {
	t.Helper()
	for _, b := range readmeBlocks(t) {
		if b.kind != docker {
			continue
		}
		for i, line := range b.lines {
			command, ok := strings.CutPrefix(line, "$ ")
			if !ok {
				t.Fatalf("%s: %q is not a command", b.place(i), line)
			}
			all = append(all, command)
		}
	}
	return all
}

// A README builds and runs the image of every section.
func TestDockerCommandsAreComplete(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join("..", "docker", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	images := regexp.MustCompile(`(?m)^FROM section AS (\w+)$`).FindAllStringSubmatch(string(dockerfile), -1)
	if len(images) == 0 {
		t.Fatal("docker/Dockerfile has no section")
	}
	all := strings.Join(dockerCommands(t), "\n")
	for _, image := range images {
		for _, pattern := range []string{`docker build .*--target ` + image[1] + ` `, `docker run .*tkafka/` + image[1] + ` `} {
			if !regexp.MustCompile(pattern).MatchString(all) {
				t.Errorf("no command like %s", pattern)
			}
		}
	}
}

// sent is what producers send.
const sent = "from the readme"

// docker types a command and does what a student does next.
func (term *terminal) docker(command string) {
	command = strings.Replace(command, "docker build ", `docker build --build-arg GO_IMAGE="$GO_IMAGE" `, 1)
	command = strings.Replace(command, "docker run ", "docker run --network host ", 1)
	if strings.HasPrefix(command, "docker stop member_1") {
		// The message of the producer has reached one of the two members.
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
		term.expect(group.Assigned.String())
		term.press("\x03")
	case strings.HasPrefix(command, "docker logs -f"):
		term.press(command + "\n")
		term.expect(`^` + sent + `\r?$`)
		term.press("\x03")
		term.expect(shellPrompt)
		return // its status is that of an interrupt
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
		term.shell("until docker logs "+name[1]+" 2>&1 | grep '"+want+"'; do sleep 0.1; done", group.Assigned.String())
	}
	if strings.HasPrefix(command, "docker stop") { // --rm frees the name a moment later
		term.shell("while docker ps -a | grep -E 'simple_|member_'; do sleep 0.1; done; echo gone", `^gone\r?$`)
	}
}

// shell types a command of the test and expects a line.
func (term *terminal) shell(command, line string) {
	term.press(command + "\n")
	term.expect(`\n`) // its echo
	term.expect(line)
	term.expect(shellPrompt)
}
