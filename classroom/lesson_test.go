package classroom

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The roles of programs.
const (
	allPrograms = "all programs"
	producers   = "producers"
	consumers   = "consumers"
	autoCommit  = "consumers with auto commit"
	sharers     = "members of a share group"
)

// lessons are the parts of the Kafka client that a student must see in main.go. Each row is for a role
// or for one program. A new program needs a row only if it has a lesson of its own.
//
//	kgo.NewClient()   a call
//	.AtStart()        a call, on whatever
//	kgo.Record{Key}   a value with this field set
//	a|b               one of the two
var lessons = map[string][]string{
	allPrograms: {"kgo.SeedBrokers()", "kgo.DialTLSConfig()", "kgo.NewClient()"},
	producers:   {"client.Produce()|client.ProduceSync()", "client.Flush()", "kgo.Record{}", "kgo.RequiredAcks()"},
	consumers:   {"client.PollRecords()|client.PollFetches()", "client.AllowRebalance()", "kgo.ConsumerGroup()", "kgo.ConsumeTopics()", "kgo.ConsumeResetOffset()"},
	autoCommit:  {"client.MarkCommitRecords()"},
	sharers:     {"client.PollRecords()", "message.Ack()", "client.FlushAcks()", "kgo.ConsumeTopics()", "kgo.ShareAckCallback()"},

	"commitoffsets/consumer":       {".AtStart()", ".AtEnd()"},
	"commitoffsets/consumercommit": {"client.CommitRecords()", "kgo.DisableAutoCommit()"},
	"consumergroup/consumer":       {"kgo.OnPartitionsAssigned()", "kgo.OnPartitionsRevoked()", "kgo.RangeBalancer()"},
	"consumergroup/producer":       {"kgo.Record{Key}"},
}

// TestLessons checks that each program shows its part of the Kafka client in main.go itself.
func TestLessons(t *testing.T) {
	programs := sections(t)
	for folder, program := range programs {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(program.Dir, "main.go"), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range checkLessons(folder, file) {
			t.Errorf("%s/main.go: %s", folder, problem)
		}
	}
	for row := range lessons {
		if _, ok := programs[row]; !ok && !slices.Contains([]string{allPrograms, producers, consumers, autoCommit, sharers}, row) {
			t.Errorf("lessons has a row for %s, which is no program", row)
		}
	}
}

// checkLessons returns what is missing in the main.go of a program.
func checkLessons(folder string, file *ast.File) (problems []string) {
	used := usedIn(file)
	rows := []string{allPrograms, folder}
	switch {
	case used["client.Produce()"] || used["client.ProduceSync()"]:
		rows = append(rows, producers)
	case used["kgo.ShareGroup()"]:
		rows = append(rows, sharers)
	case used["client.PollRecords()"] || used["client.PollFetches()"]:
		rows = append(rows, consumers)
		if !used["kgo.DisableAutoCommit()"] {
			rows = append(rows, autoCommit)
		}
	default:
		problems = append(problems, "neither produces nor polls: it calls none of client.Produce, client.ProduceSync, client.PollRecords, client.PollFetches")
	}
	for _, row := range rows {
		for _, wanted := range lessons[row] {
			if !slices.ContainsFunc(strings.Split(wanted, "|"), func(one string) bool { return used[one] }) {
				problems = append(problems, fmt.Sprintf("%s is missing (lesson of: %s)", wanted, row))
			}
		}
	}
	return problems
}

// usedIn returns what a file calls and which values it makes, in the notation of lessons.
func usedIn(file *ast.File) map[string]bool {
	used := make(map[string]bool)
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.CallExpr:
			if method, ok := node.Fun.(*ast.SelectorExpr); ok {
				used["."+method.Sel.Name+"()"] = true
				used[selector(method)+"()"] = true
			}
		case *ast.CompositeLit:
			kind, _ := node.Type.(*ast.SelectorExpr)
			used[selector(kind)+"{}"] = true
			for _, element := range node.Elts {
				if pair, ok := element.(*ast.KeyValueExpr); ok {
					if field, ok := pair.Key.(*ast.Ident); ok {
						used[selector(kind)+"{"+field.Name+"}"] = true
					}
				}
			}
		}
		return true
	})
	return used
}

// selector returns a selector of a name, such as kgo.Record, and "" for any other expression.
func selector(expression *ast.SelectorExpr) string {
	if expression == nil {
		return ""
	}
	if name, ok := expression.X.(*ast.Ident); ok {
		return name.Name + "." + expression.Sel.Name
	}
	return ""
}

func TestCheckLessons(t *testing.T) {
	const (
		client   = `client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DialTLSConfig(tls), options...);`
		producer = client + `_ = kgo.RequiredAcks(kgo.AllISRAcks()); client.Produce(ctx, &kgo.Record{Value: line}, done); client.Flush(ctx);`
		consumer = client + `_ = []kgo.Opt{kgo.ConsumerGroup(g), kgo.ConsumeTopics(t), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd())}
			fetches := client.PollRecords(ctx, 1); client.AllowRebalance();`
		mark = `client.MarkCommitRecords(records...);`
	)
	for _, test := range []struct {
		name, folder, body string
		missing            []string // empty: nothing
	}{
		{"producer", "producer", producer, nil},
		{"producer in a new folder", "transactions/producer", producer, nil},
		{"producer without flush", "producer", strings.ReplaceAll(producer, "client.Flush(ctx)", "deliver.Flush(client)"), []string{"client.Flush()"}},
		{"name in a comment or a text", "producer", strings.ReplaceAll(producer, "client.Flush(ctx)", "/* client.Flush(ctx) */ print(`client.Flush(ctx)`)"), []string{"client.Flush()"}},
		{"no call", "producer", strings.ReplaceAll(producer, "client.Flush(ctx)", "defer wait(client.Flush)"), []string{"client.Flush()"}},
		{"client without brokers", "producer", strings.ReplaceAll(producer, "kgo.SeedBrokers(brokers...)", "x"), []string{"kgo.SeedBrokers()"}},
		{"synchronous producer", "producer", strings.ReplaceAll(producer, "client.Produce(", "client.ProduceSync("), nil},
		{"neither", "new", client, []string{"neither produces nor polls"}},
		{"consumer", "consumer", consumer + mark, nil},
		{"consumer that marks nothing", "consumer", consumer, []string{"client.MarkCommitRecords()"}},
		{"consumer without auto commit", "consumer", consumer + `kgo.DisableAutoCommit();`, nil},
		{"one policy", "commitoffsets/consumer", consumer + mark, []string{".AtStart()"}},
		{"both policies", "commitoffsets/consumer", consumer + mark + `kgo.NewOffset().AtStart();`, nil},
		{"commit", "commitoffsets/consumercommit", consumer + `kgo.DisableAutoCommit(); err = client.CommitRecords(ctx, message);`, nil},
		{"commit elsewhere", "commitoffsets/consumercommit", consumer + `kgo.DisableAutoCommit(); err = member.Commit(ctx, message);`, []string{"client.CommitRecords()"}},
		{"member", "consumergroup/consumer", consumer + mark + `kgo.OnPartitionsAssigned(assigned); kgo.OnPartitionsRevoked(revoked);`, []string{"kgo.RangeBalancer()"}},
		{"share member", "consumergroup/share", client + `_ = []kgo.Opt{kgo.ShareGroup(g), kgo.ConsumeTopics(t), kgo.ShareAckCallback(f)}
			fetches := client.PollRecords(ctx, 1); message.Ack(kgo.AckAccept);`, []string{"client.FlushAcks()"}},
		{"no key", "consumergroup/producer", producer, []string{"kgo.Record{Key}"}},
		{"key", "consumergroup/producer", strings.ReplaceAll(producer, "kgo.Record{", "kgo.Record{Key: key, "), nil},
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "main.go", "package main\nfunc main() {\n"+test.body+"\n}", 0)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		problems := checkLessons(test.folder, file)
		if len(problems) != len(test.missing) {
			t.Errorf("%s: %q, want %q", test.name, problems, test.missing)
			continue
		}
		for i, missing := range test.missing {
			if !strings.HasPrefix(problems[i], missing) {
				t.Errorf("%s: %q, want %q", test.name, problems, test.missing)
			}
		}
	}
}
