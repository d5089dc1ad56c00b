package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tkafka/pkg/settings"
	"tkafka/pkg/tlsconf"
)

func TestNames(t *testing.T) {
	for name, usable := range map[string]bool{
		"client7": true, "anna.maria": true, "Anna-Maria.B-c": true, "7of9": true, strings.Repeat("a", 64): true,
		"": false, ".": false, "..": false, ".ssh": false, "anna.": false, "-anna": false, "-x": false, "anna_maria": false,
		"anna maria": false, "jürgen": false, "anna/../../etc": false, "anna,ou=staff": false, "李": false, "a..b": false,
		strings.Repeat("a", 65): false, "admin": false, "Admin": false, "kafka-1": false,
	} {
		all := newRegister()
		all.add("a broker", "kafka-1")
		names := all.add("a student", name)
		if err := all.err(); (err == nil) != usable || usable != slices.Equal(names, []string{strings.ToLower(name)}) {
			t.Errorf("%q: %q, %v", name, names, err)
		}
	}
}

// The brokers use the whole name as the user.
func TestPrincipalRule(t *testing.T) {
	properties, err := os.ReadFile("../../docker/server.properties")
	if err != nil {
		t.Fatal(err)
	}
	rule := regexp.MustCompile(`(?m)^ssl\.principal\.mapping\.rules=RULE:(\S+)/\$1/L,DEFAULT$`).FindSubmatch(properties)
	if rule == nil {
		t.Fatal("docker/server.properties has no such rule")
	}
	user := regexp.MustCompile(string(rule[1])).FindStringSubmatch("CN=anna-maria.b-c7")
	if user == nil || user[1] != "anna-maria.b-c7" {
		t.Errorf("the user is %q", user)
	}
}

func TestRoster(t *testing.T) {
	for name, test := range map[string]struct {
		text    string
		names   string // of students; of groups, or
		problem string // why there are none
	}{
		"a list":                   {"anna\nbert", "anna bert; ", ""},
		"from Windows":             {"\ufeffanna\r\n\r\nbert\r\n", "anna bert; ", ""},
		"with blanks and comments": {"# spring, 2026\n\n  Anna \n\nbert\n", "Anna bert; ", ""},
		"ranges":                   {"client8..client10\ngroup01..group02\n", "client8 client9 client10 group01 group02; ", ""},
		"no ranges":                {"client2..client1\nclient1..group2\n", "client2..client1 client1..group2; ", ""},
		"CSV":                      {"id,name\n1,anna\n2,bert\n", "anna bert; ", ""},
		"CSV from a spreadsheet":   {"\ufeffNr;Name;Group\r\n1;anna;\"A;B\"\r\n;;\r\n2;bert;\r\n", "anna bert; A;B", ""},
		"CSV with tabs":            {"name\tid\nanna\t1\n", "anna; ", ""},
		"CSV of one column":        {"Name\nanna\n", "anna; ", ""},
		"students in groups":       {"name,group\nanna,g1\nbert,g2\ncora,g1\n,g2..g4\n", "anna bert cora; g1 g2 g3 g4", ""},
		"groups":                   {"group\ngroup1..group2\n", "; group1 group2", ""},
		"a row without a name":     {"id,name\n1,anna\n2\n", "anna ; ", ""},
		"CSV without names":        {"id,surname\n1,anna\n", "", "no column has the name"},
		"another heading":          {"Students\nanna\n", "", "no column has the name"},
		"a quote that stays open":  {"id,name\n1,\"anna\n", "", "line 2"},
		"nobody":                   {"# none\n", "; ", ""},
		"only a heading":           {"name,group\n", "; ", ""},
		"empty":                    {"", "; ", ""},
		"UTF-16":                   {"\xff\xfea\x00n\x00", "", "UTF-8"},
	} {
		path := filepath.Join(t.TempDir(), "names")
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		students, groups, err := readRoster(path)
		if got := strings.Join(students, " ") + "; " + strings.Join(groups, " "); test.problem == "" && (err != nil || got != test.names) ||
			test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestStudentsAreTheFolders(t *testing.T) {
	c := class(t.TempDir())
	if _, err := c.students(); err == nil || !strings.Contains(err.Error(), "no student's folder") {
		t.Errorf("without folders: %v", err)
	}
	for _, name := range []string{"client10", "client2", ".hidden", "anna"} {
		if err := os.MkdirAll(c.student(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	names, err := c.students()
	if err != nil || !slices.Equal(names, []string{"anna", "client2", "client10"}) {
		t.Errorf("%v, %v", names, err)
	}
	if got := classOf(c.admin() + "/"); got != c {
		t.Errorf("the class of its admin is %s", got)
	}
}

// If issue was killed at any point, it can be run again. Complete files do not change.
func TestIssueAfterKill(t *testing.T) {
	t.Parallel()
	os.Setenv("KAFKA_KEYSTORE_PASSWORD", settings.DefaultPassword)
	dir := filepath.Join(t.TempDir(), "creds")
	issue := func() *exec.Cmd { return exec.Command("enroll", "issue", "--zip", "--out", dir, "--students", "60") }
	complete := make(map[string]string)
	for _, until := range []int{0, 1, 20, 41} {
		cmd := issue()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for made, end := 0, time.Now().Add(time.Minute); made < until && time.Now().Before(end); {
			names, _ := folders(class(dir).student(""))
			made = len(names)
			time.Sleep(100 * time.Microsecond) // there is no event for a new file
		}
		cmd.Process.Kill()
		cmd.Wait()
		files, err := look(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for path, before := range complete {
			if files[path] != before {
				t.Errorf("%s has changed", path)
			}
		}
		for path, now := range files {
			// The next run writes .gitignore again, until the class has its authority. The others were not complete yet.
			again := filepath.Base(path) == ".gitignore"
			if !again && !strings.Contains(path, "/.new-") && filepath.Ext(path) != ".zip" {
				complete[path] = now
			}
		}
	}
	if output, err := issue().CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	names, err := class(dir).students()
	if err != nil || len(names) != 60 {
		t.Fatalf("%d students, %v", len(names), err)
	}
	for _, name := range names {
		folder := class(dir).student(name)
		if _, err := tlsconf.Load(folder, settings.DefaultPassword, func(flaw error) { t.Error(flaw) }); err != nil {
			t.Error(err)
		}
		if !exists(folder + ".zip") {
			t.Errorf("no zip file of %s", name)
		}
	}
}
