package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// programs are what runs in the tab: the programs of the sections, compiled from their main.go, so also with what a
// student has changed there. The name is that in play.html. After the folder come words, and what replaces each of
// them: it is what the tutorial lets a student change, or stands in a flag.
var programs = map[string][]string{
	"producer":      {"producer", "*key", "inside.Of(ctx).Key"},
	"keys-producer": {"consumergroup/producer"},
	"latest":        {"consumergroup/consumer"},
	"earliest":      {"consumer", "AtEnd()", "AtStart()", "*name", "args[1]"},
	"store-first":   {"commitoffsets/consumercommit", "*storeTime", "inside.Of(ctx).StoreTime"},
	"commit-first": {"commitoffsets/consumercommit", "*storeTime", "inside.Of(ctx).StoreTime",
		storing + "return group.NotStored(message, err) // the group reads it again\n\t\t\t}\n", "",
		"return fatal\n\t\t\t}\n", "return fatal\n\t\t\t}\n" + storing + "return err\n\t\t\t}\n"},
	"share": {"consumergroup/share", "*storeTime", "inside.Of(ctx).StoreTime", `"fail", ""`, `"fail", "broken"`},
}

const storing = "\t\t\tif err := store(ctx, out, message); err != nil {\n\t\t\t\t"

// everywhere is replaced in all of them, because the brokers are in the tab.
var everywhere = []string{
	"package main", "package program",
	`"tkafka/pkg/settings"`, `"tkafka/classroom/playground/tab/inside"`,
	`"tkafka/pkg/tlsconf"`, "",
	"settings.", "inside.",
	"security, err := tlsconf.Load(found.Folder, found.Password, cli.Warn)", "err = nil",
	"kgo.DialTLSConfig(security),", "kgo.Dialer(inside.Brokers.Dial), kgo.WithContext(inside.Of(ctx).Life), " +
		"kgo.SessionTimeout(inside.SessionTimeout), kgo.AutoCommitInterval(inside.AutoCommitInterval),",
}

var mainFunction = regexp.MustCompile(`func main\(\) \{\s*cli\.Run\((?s:.*?), (\w+)\)\s*\}`)

// changedPrograms returns the files that the tab consists of besides its own: the programs, and one that imports them.
func changedPrograms(root string) (map[string][]byte, error) {
	const tab = "classroom/playground/tab/"
	files, imports := make(map[string][]byte), "package main\n"
	for name, program := range programs {
		path := filepath.Join(root, program[0], "main.go")
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		text := strings.NewReplacer("pflag.", "inside.", `"github.com/spf13/pflag"`, "", "cli.Lines(ctx)", "inside.Of(ctx).Lines").Replace(string(content))
		for change := range slices.Chunk(slices.Concat(everywhere, program[1:]), 2) {
			if !strings.Contains(text, change[0]) {
				return nil, fmt.Errorf("%s has no %q, which classroom/playground/programs.go replaces", path, change[0])
			}
			text = strings.ReplaceAll(text, change[0], change[1])
		}
		text = mainFunction.ReplaceAllString(text, fmt.Sprintf("func init() { inside.Programs[%q] = $1 }", name))
		files[tab+name+"/main.go"] = []byte(text)
		imports += fmt.Sprintf("import _ %q\n", "tkafka/"+tab+name)
	}
	files[tab+"programs.go"] = []byte(imports)
	return files, nil
}
