package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"client7":                "",
		"anna":                   "",
		"anna.maria":             "",
		"7of9":                   "",
		"console":                "",
		strings.Repeat("a", 64):  "",
		"":                       "empty",
		".":                      "dot",
		"..":                     "dot",
		"anna-maria":             "",
		"anna-maria.b-c":         "",
		"anna_maria":             `cut it to "anna"`,
		"anna maria":             `cut it to "anna"`,
		"jürgen":                 `cut it to "j"`,
		"anna/../../etc":         `cut it to "anna"`,
		"anna,ou=staff":          `cut it to "anna"`,
		"-anna":                  "begins with a hyphen",
		"李":                      "without a name",
		"__consumer_offsets":     "without a name",
		strings.Repeat("a", 65):  "65 characters",
		strings.Repeat("a", 250): "250 characters",
		".ssh":                   "dot",
		"anna.":                  "dot",
		"con":                    "Windows",
		"anna.zip":               "zip file",
		"zip":                    "",
		"lpt1.txt":               "Windows",
	} {
		err := checkName(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", name, err, want)
		}
	}
}

func TestCheckNodes(t *testing.T) {
	for nodes, want := range map[string]string{
		"kafka-1,kafka-2": "",
		"k":               "",
		"kafka-1,kafka-1": "occurs twice",
		"admin":           "admin's name",
		"Kafka-1":         "lower case",
		"../kafka":        "lower case",
		"kafka.1":         "lower case",
		"-k":              "lower case",
		"nul":             "lower case",
		",":               "lower case",
	} {
		err := checkNodes(strings.Split(nodes, ","))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", nodes, err, want)
		}
	}
	if checkNodes(nil) == nil {
		t.Error("a cluster without brokers was accepted")
	}
}

func TestRoster(t *testing.T) {
	for name, test := range map[string]struct {
		file, text string
		names      string // of the students, or
		problem    string // why there are none
	}{
		"a list":                   {"a.txt", "anna\nbert\n", "anna bert", ""},
		"without a last line end":  {"a.txt", "anna\nbert", "anna bert", ""},
		"from Windows":             {"a.txt", "\ufeffanna\r\n\r\nbert\r\n", "anna bert", ""},
		"with blanks and comments": {"a.txt", "# spring\n\n  anna \n\nbert\n", "anna bert", ""},
		"in mixed case":            {"a.txt", "Anna\nBERT\n", "anna bert", ""},
		"CSV":                      {"a.csv", "id,name\n1,anna\n2,bert\n", "anna bert", ""},
		"CSV, by its header":       {"a.txt", "id,name\n1,anna\n", "anna", ""},
		"CSV from a spreadsheet":   {"a.csv", "\ufeffNr;Name;Group\r\n1;anna;\"A;B\"\r\n;;\r\n2;bert;\r\n", "anna bert", ""},
		"CSV with tabs":            {"a.csv", "name\tid\nanna\t1\n", "anna", ""},
		"CSV of one column":        {"a.csv", "Name\nanna\n", "anna", ""},
		"CSV with lines in a cell": {"a.csv", "name,remark\nanna,\"two\nlines\"\nbert_o,\n", "", `a.csv:4: "bert_o"`},
		"CSV without names":        {"a.csv", "id,surname\n1,anna\n", "", "no column has the name"},
		"commas without a header":  {"a.txt", "anna,bert\n", "", "no column has the name"},
		"an empty cell":            {"a.csv", "id,name\n1,anna\n2,\n", "", `a.csv:3: "": the name is empty`},
		"a quote that stays open":  {"a.csv", "id,name\n1,\"anna\n", "", "line 2"},
		"nobody":                   {"a.txt", "# none\n", "", "there is no name"},
		"nothing":                  {"a.csv", "", "", "no column has the name"},
		"UTF-16":                   {"a.txt", "\xff\xfea\x00n\x00", "", "UTF-8"},
		"twice":                    {"a.txt", "anna\nbert\nanna\n", "", `a.txt:3: "anna": this is the same user as "anna" in line 1`},
		"twice but for the case":   {"a.txt", "anna\n\nAnna\n", "", `a.txt:3: "Anna": this is the same user as "anna" in line 1`},
		"cut":                      {"a.txt", "anna\nanna_maria\n", "", `a.txt:2: "anna_maria": the course's brokers would cut it to "anna"`},
		"with hyphens":             {"a.txt", "anna-maria\nanna-lena\n", "anna-maria anna-lena", ""},
		"cut by some brokers":      {"a.txt", "anna\nanna-maria\n", "", `a.txt:2: "anna-maria": some brokers cut it to "anna", and this is the same user as "anna" in line 1`},
		"the rest of a cut name":   {"a.txt", "anna-maria\nanna\n", "", `a.txt:2: "anna": some brokers cut "anna-maria" to this name`},
		"cut to the admin":         {"a.txt", "admin-b\n", "", `a.txt:1: "admin-b": some brokers cut it to "admin", and this is the admin`},
		"cut to a broker":          {"a.txt", "kafka-x\n", "", `a.txt:1: "kafka-x": some brokers cut it to "kafka", and this is the user name of broker kafka-1`},
		"the admin":                {"a.txt", "Admin\n", "", `a.txt:1: "Admin": this is the admin`},
		"a broker under the rule":  {"a.txt", "kafka\n", "", `a.txt:1: "kafka": this is the user name of broker kafka-1`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.WriteFile(test.file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			list, err := readRoster(test.file)
			var names, refusals []string
			if err == nil {
				names, refusals = list.students([]string{"kafka-1"})
			} else {
				refusals = []string{err.Error()}
			}
			got := strings.Join(refusals, "\n")
			if test.problem == "" && got != "" || !strings.Contains(got, test.problem) {
				t.Errorf("refused: %q, want %q", got, test.problem)
			}
			if test.problem == "" && strings.Join(names, " ") != test.names {
				t.Errorf("names: %v, want %s", names, test.names)
			}
		})
	}
}

// What the brokers of each rule use as the user: those of the course in 2023 and in 2025, and ours.
func TestPrincipalRules(t *testing.T) {
	properties, err := os.ReadFile(filepath.Join("..", "..", "docker", "server.properties"))
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`(?m)^ssl\.principal\.mapping\.rules=RULE:(\S+)/\$1/L,DEFAULT$`).FindSubmatch(properties)
	if ours == nil {
		t.Fatal("docker/server.properties has no such rule")
	}
	rules := []*regexp.Regexp{
		regexp.MustCompile(`^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$`),
		regexp.MustCompile(`^.*[Cc][Nn]=([a-zA-Z0-9-.]*).*$`),
		regexp.MustCompile(string(ours[1])),
	}
	for subject, want := range map[string][3]string{
		"CN=client1":             {"client1", "client1", "client1"},
		"CN=Anna-Maria":          {"anna", "anna-maria", "anna-maria"},
		"CN=kafka-1,O=course":    {"kafka", "kafka-1", "kafka-1"},
		"CN=anna.b-c,OU=a,C=DE":  {"anna.b", "anna.b-c", "anna.b-c"},
		"CN=anna_maria,O=course": {"anna", "anna", "anna_maria"},
	} {
		for i, rule := range rules {
			found := rule.FindStringSubmatch(subject)
			if found == nil || strings.ToLower(found[1]) != want[i] {
				t.Errorf("%s, rule %d: user %q, want %q", subject, i, found, want[i])
			}
		}
	}
}

func TestAcceptReportsAllRefusals(t *testing.T) {
	list := roster{file: "r", lines: []line{{1, "anna"}, {2, "a_b"}, {3, "c_d"}}}
	_, err := class(t.TempDir()).accept(list)
	if err == nil || err.Error() != "2 of 3 names refused, nothing was done" {
		t.Error(err)
	}
}

func TestOrderOfNames(t *testing.T) {
	names := []string{"client10", "client9", "anna", "client1", "client", "client01"}
	slices.SortFunc(names, byNumber)
	if got, want := strings.Join(names, " "), "anna client client01 client1 client9 client10"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestEnrolledAreTheFolders(t *testing.T) {
	c := class(t.TempDir())
	if _, err := c.enrolled(""); err == nil || !strings.Contains(err.Error(), "no student's folder") {
		t.Errorf("without folders: %v", err)
	}
	for _, dir := range []string{c.student("client10"), c.student("client2"), c.student(".hidden"), c.broker("kafka-1")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(c.student("client2")+".zip", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	names, err := c.enrolled("")
	if err != nil || !slices.Equal(names, []string{"client2", "client10"}) {
		t.Errorf("%v, %v", names, err)
	}
	if got := classOf(filepath.Join(string(c), "admin") + "/"); got != c {
		t.Errorf("the class of its admin is %s", got)
	}
}
