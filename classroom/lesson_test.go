package classroom

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

const mostLines, mostColumns = 90, 100 // of a program; a tab counts as four columns

// The calls that a student must see in main.go itself.
var (
	everywhere = []string{"settings.AddFlags", "tlsconf.Load", "kgo.SeedBrokers", "kgo.DialTLSConfig", "cluster.Check"}
	producers  = []string{"kgo.DefaultProduceTopic", "kgo.RequiredAcks", "client.Produce", "client.Flush"}
	consumers  = []string{"kgo.ConsumeTopics", "kgo.ConsumerGroup", "kgo.ConsumeResetOffset", "kgo.Balancers",
		"kgo.BlockRebalanceOnPoll", "kgo.OnPartitionsAssigned", "client.AllowRebalance", "group.Leave", "kgo.FetchIsolationLevel"}
	sharers = []string{"kgo.ConsumeTopics", "client.PollRecords", "message.Ack", "client.FlushAcks", "group.Leave"}
)

// checkLessons returns what a program does not show: the calls of its lesson, and a client with all of its options
// in the one call of kgo.NewClient.
func checkLessons(text string) (problems []string) {
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if width := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); i == mostLines || width > mostColumns {
			problems = append(problems, fmt.Sprintf("line %d is more than %d lines, or %d columns", i+1, mostLines, mostColumns))
		}
	}
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", text, 0)
	if err != nil {
		return append(problems, err.Error())
	}
	calls := make(map[string][]*ast.CallExpr)
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok {
			calls[nameOf(call)] = append(calls[nameOf(call)], call)
		}
		return true
	})
	lesson := slices.Clone(everywhere)
	switch {
	case calls["kgo.DefaultProduceTopic"] != nil:
		lesson = append(lesson, producers...)
	case calls["kgo.ShareGroup"] != nil:
		lesson = append(lesson, sharers...)
	case calls["kgo.DisableAutoCommit"] != nil:
		lesson = append(lesson, append(consumers, "client.PollRecords", "client.CommitRecords")...)
	default:
		lesson = append(lesson, append(consumers, "kgo.AutoCommitMarks", "client.MarkCommitRecords", "kgo.OnPartitionsRevoked")...)
		if calls["client.PollRecords"] == nil {
			lesson = append(lesson, "client.PollFetches", "client.CommitMarkedOffsets")
		}
	}
	for _, name := range lesson {
		if calls[name] == nil {
			problems = append(problems, name+" is not called")
		}
	}
	clients, inside := calls["kgo.NewClient"], map[*ast.CallExpr]bool{}
	if len(clients) != 1 || clients[0].Ellipsis.IsValid() {
		return append(problems, "there must be one call of kgo.NewClient, without ... behind its options")
	}
	for _, option := range clients[0].Args {
		if call, ok := option.(*ast.CallExpr); !ok || !strings.HasPrefix(nameOf(call), "kgo.") {
			problems = append(problems, "each argument of kgo.NewClient must be an option, kgo.Option(...)")
		}
		ast.Inspect(option, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				inside[call] = true
			}
			return true
		})
	}
	for name, list := range calls {
		outside := func(call *ast.CallExpr) bool { return !inside[call] }
		if strings.HasPrefix(name, "kgo.New") || !strings.HasPrefix(name, "kgo.") || !slices.ContainsFunc(list, outside) {
			continue // kgo.NewOffset is no option
		}
		problems = append(problems, name+" is called outside of kgo.NewClient")
	}
	if check := calls["cluster.Check"]; check != nil {
		if client, ok := check[0].Args[min(1, len(check[0].Args)-1)].(*ast.Ident); !ok || client.Name != "client" {
			problems = append(problems, "cluster.Check does not check the client of the program")
		}
	}
	return problems
}

// nameOf returns a call's name, such as kgo.NewClient.
func nameOf(call *ast.CallExpr) string {
	if selector, ok := call.Fun.(*ast.SelectorExpr); ok {
		if of, ok := selector.X.(*ast.Ident); ok {
			return of.Name + "." + selector.Sel.Name
		}
	}
	return ""
}

func TestLessons(t *testing.T) {
	for folder, program := range sections(t) {
		text, err := os.ReadFile(filepath.Join(program.Dir, "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range checkLessons(string(text)) {
			t.Errorf("%s/main.go: %s", folder, problem)
		}
		// A program that shows less fails.
		for _, worse := range [][2]string{
			{"kgo.NewClient(", "kgo.NewClient(append(member.Options(), "},
			{"kgo.NewClient(", "kgo.NewClient(options..., "},
			{"kgo.NewClient(", "cluster.Open("},
			{"kgo.SeedBrokers(found.Brokers...),", "brokers,"},
			{"client, err := kgo.NewClient(", "topics := kgo.ConsumeTopics(topic)\nclient, err := kgo.NewClient("},
			{"tlsconf.Load(", "settings.TLS("},
			{"cluster.Check(ctx, client,", "cluster.Check(ctx, other,"},
			{"package main", "package main" + strings.Repeat("\n", mostLines)},
			{"package main", "package main // " + strings.Repeat("-", mostColumns)},
			{"client.Flush(", "answers.Wait("},
			{"AllowRebalance()", "Rebalance()"},
			{"message.Ack(", "accept(message, "},
			{"client.MarkCommitRecords(", "mark("},
			{"client.CommitRecords(", "commit("},
		} {
			changed := strings.ReplaceAll(string(text), worse[0], worse[1])
			if changed != string(text) && len(checkLessons(changed)) == 0 {
				t.Errorf("%s/main.go: with %q instead of %q it shows less, and has no problem", folder, worse[1], worse[0])
			}
		}
	}
}
