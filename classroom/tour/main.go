// Tour plays the tutorial: it types the commands of README.md, shows what the programs print, and compares it
// with the README.
//
// It works in a copy of this repository, with a cluster of its own, so that it can change programs as the README
// suggests. With --topic it uses an existing cluster. It also plays other pages with such commands.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tkafka/pkg/cli"
	"tkafka/pkg/settings"
)

var (
	flags = settings.AddFlags() // --brokers, --auth
	topic = pflag.String("topic", "", "use an existing cluster, with this `topic`")
	pause = pflag.Bool("pause", false, "show the text, too, and wait for Enter before each step")
)

// groups are the groups of the pages. On an existing cluster they get new names, because a group that exists
// continues where it stopped.
var groups = []string{"simple_consumer", "from_the_start", "client60_group", "consumer_group_1", "without_begin",
	"with_begin", "in_batches", "not_stored", "share_group_1", "<unique-group-id>", "<any-group-id>", "<any-share-group-id>"}

func main() {
	cli.Run("[page=README.md]", "Types the commands of the tutorial, and checks what the programs print.\n"+
		"It starts a cluster of its own. With --topic it uses an existing cluster, where nobody\n"+
		"else should use this topic at the same time.", tour)
}

func tour(ctx context.Context, args []string) error {
	started := time.Now()
	dir, err := os.MkdirTemp("", "tkafka-tour-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var found *settings.Settings
	if *topic != "" {
		if found, err = flags.Find(); err != nil {
			return err
		}
	} else if pflag.CommandLine.Changed("auth") || pflag.CommandLine.Changed("brokers") {
		return &cli.Misuse{Problem: "--auth and --brokers need --topic, a topic on the existing cluster"}
	}
	p, err := newPlayer(ctx, os.Stdout, dir, found, *topic)
	if err != nil {
		return err
	}
	defer p.close()
	if *pause {
		p.pause = bufio.NewReader(os.Stdin)
	}
	if err := p.play(ctx, args[0]); err != nil {
		return err
	}
	_, err = fmt.Printf("\nAll %d checks ok, in %.0f s.\n", p.checks, time.Since(started).Seconds())
	return err
}

// newPlayer makes a player that works in the folder, in a copy of this repository. Found are the settings of an
// existing cluster with the topic, or nil.
func newPlayer(ctx context.Context, out io.Writer, dir string, found *settings.Settings, topic string) (*player, error) {
	p := &player{out: out, root: filepath.Join(dir, "tkafka"), existing: found != nil,
		replace: strings.NewReplacer(), terminals: make(map[string]*terminal), original: make(map[string][]byte)}
	p.env = slices.DeleteFunc(os.Environ(), func(one string) bool { return strings.HasPrefix(one, "KAFKA_") })
	if found != nil {
		var names []string
		for _, group := range groups {
			names = append(names, group, strings.Trim(group, "<>")+"_"+strings.ToLower(rand.Text()[:8]))
		}
		p.replace = strings.NewReplacer(append(names, "<topic>", topic, "client60", topic)...)
	}
	if err := p.copyRepository(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintln(out, "Compiling what the programs share ...")
	// go build would link, too. "go run" does that again.
	compile := exec.CommandContext(ctx, "go", "list", "-export", "-deps", "-f", `{{""}}`, "./consumergroup/share", "./classroom/cluster")
	compile.Dir = p.root
	if out, err := compile.CombinedOutput(); err != nil {
		return nil, errors.Join(ctx.Err(), fmt.Errorf("go list: %w: %s", err, bytes.TrimSpace(out)))
	}
	if found == nil {
		return p, nil
	}
	p.env = append(p.env, "KAFKA_BROKERS="+strings.Join(found.Brokers, ","), "KAFKA_KEYSTORE_PASSWORD="+found.Password)
	return p, p.copyFolder(found.Folder, filepath.Join(p.root, "auth"))
}

// copyRepository copies the repository as a student has it, without credentials.
func (p *player) copyRepository(ctx context.Context) error {
	module, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	root, here := strings.CutPrefix(strings.TrimSpace(string(module)), "tkafka ")
	if err != nil || !here {
		return cli.WithHint(errors.New("this folder is not in the repository of the tutorial"), "go to its root, and try again")
	}
	return p.copyFolder(root, p.root)
}

// copyFolder copies what a student has in a folder of the repository. The programs get the new names of groups.
func (p *player) copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", "creds", "auth"}, name):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o755)
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if entry.Name() == "main.go" {
			text = []byte(p.replace.Replace(string(text)))
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), text, info.Mode().Perm()|0o200)
	})
}
