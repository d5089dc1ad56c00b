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

// TestDockerCommands performs the docker transcripts of the READMEs, in their order, as TestTranscripts
// does with the others. It needs a docker engine and a cluster on this machine, so only CI runs it
// (.ci/readme-images). Two environment variables name a credentials folder for the cluster and an
// unused topic.
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
	t.Cleanup(func() { // after a failure, containers may still run
		for _, command := range dockerCommands(t) {
			if name := container.FindStringSubmatch(command); name != nil {
				exec.Command("docker", "rm", "-f", name[1]).Run()
			}
		}
	})
	term := openTerminal(t, root, "docker")
	added := strings.NewReplacer("docker build ", `docker build --build-arg GO_IMAGE="$GO_IMAGE" `,
		"docker run ", "docker run --network host ")
	term.adapt = func(command string) string {
		command = added.Replace(strings.ReplaceAll(command, "--network host ", ""))
		if name := container.FindStringSubmatch(command); name != nil { // --rm frees a name after docker stop has ended
			command = "while docker inspect " + name[1] + " >/dev/null 2>&1; do sleep 0.1; done; " + command
		}
		return command
	}
	for _, b := range readmeBlocks(t) {
		if b.kind != docker {
			continue
		}
		for i, line := range b.lines {
			b.lines[i] = strings.ReplaceAll(line, "<topic>", topic)
		}
		term.play(b)
	}
}

func dockerCommands(t *testing.T) (all []string) {
	t.Helper()
	for _, b := range readmeBlocks(t) {
		if b.kind != docker {
			continue
		}
		for _, line := range b.lines {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, command)
			}
		}
	}
	return all
}

// A README builds and runs every image.
func TestDockerCommandsAreComplete(t *testing.T) {
	dockerfile, err := os.ReadFile(filepath.Join("..", "docker", "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	images := regexp.MustCompile(`(?m)^FROM programs AS (\w+)$`).FindAllStringSubmatch(string(dockerfile), -1)
	if len(images) == 0 {
		t.Fatal("docker/Dockerfile has no image")
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
