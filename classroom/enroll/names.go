package main

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// adminName is the user who may do everything, under the brokers' settings.
const adminName = "admin"

// longestName is what a certificate has room for (RFC 5280, ub-common-name). A topic may have 249
// characters, a folder 255.
const longestName = 64

// kept is what the course's brokers make of the name in a certificate:
//
//	ssl.principal.mapping.rules=RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L
//
// They take these characters and drop the first other one with all that follows: anna-maria and
// anna would be one user, with one set of rights.
var kept = regexp.MustCompile(`^[a-zA-Z0-9.]*`)

// devices are what Windows does not take for a folder, with whatever stands behind a dot.
var devices = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// user is the name that the brokers see: they take all names in lower case.
func user(name string) string { return strings.ToLower(name) }

// checkName tells why nobody can be enrolled under a name, in lower case: because of Kafka, for which it
// is a topic, of the rule for users, or of a file system.
func checkName(name string) error {
	switch left := kept.FindString(name); {
	case name == "":
		return errors.New("the name is empty")
	case name == "." || name == "..":
		return errors.New("neither a topic nor a folder can be called that")
	case strings.HasPrefix(name, "__"):
		return errors.New("names that begin with __ are for topics of Kafka's own")
	case left == "":
		return errors.New("the brokers of the course would see a user without a name: they take letters a-z, digits and dots only")
	case left != name:
		return fmt.Errorf("the brokers of the course would cut it to %q: they take letters a-z, digits and dots only", left)
	case len(name) > longestName:
		return fmt.Errorf("it has %d characters, a certificate has room for %d", len(name), longestName)
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "."):
		return errors.New("a folder whose name begins or ends with a dot is hidden on some systems, and renamed on others")
	case devices.MatchString(name):
		return errors.New("on Windows that is a device and cannot be a folder")
	}
	return nil
}

// reserved are the users that no student may be, with the reason: the admin and the brokers, who may
// do everything. A broker is one more user under the course's rule: kafka-1 becomes kafka there.
func reserved(nodes []string) map[string]string {
	users := map[string]string{adminName: "the admin"}
	for _, node := range nodes {
		if cut := kept.FindString(node); cut != node {
			users[cut] = "a broker to the brokers of the course"
		}
		users[node] = "a broker"
	}
	return users
}

// nodeName is a broker's name: a folder, and a host name on the brokers' network.
var nodeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// checkNodes tells why brokers cannot have these names. The course's rule may cut them: it is the
// brokers' own settings that make them super users, by the name which their rule leaves.
func checkNodes(nodes []string) error {
	if len(nodes) == 0 {
		return errors.New("--nodes names no broker")
	}
	for i, node := range nodes {
		switch {
		case !nodeName.MatchString(node) || len(node) > 63 || devices.MatchString(node):
			return fmt.Errorf("--nodes: %q is not a host name in lower case", node)
		case node == adminName:
			return errors.New("--nodes: admin is the admin's name")
		case slices.Contains(nodes[:i], node):
			return fmt.Errorf("--nodes: %s comes twice", node)
		}
	}
	return nil
}

// numbered are the names of the course: client1, client2 and so on.
func numbered(count int) roster {
	list := roster{}
	for i := range count {
		list.lines = append(list.lines, line{name: "client" + strconv.Itoa(i+1)})
	}
	return list
}

// byNumber orders names as people count: client9 before client10.
func byNumber(a, b string) int {
	wordA, numberA := splitNumber(a)
	wordB, numberB := splitNumber(b)
	return cmp.Or(cmp.Compare(wordA, wordB), cmp.Compare(numberA, numberB), cmp.Compare(a, b))
}

func splitNumber(name string) (word string, number uint64) {
	word = strings.TrimRight(name, "0123456789")
	number, _ = strconv.ParseUint(name[len(word):], 10, 64)
	return word, number
}
