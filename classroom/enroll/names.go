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

// adminName is the user who may do everything: the brokers' settings name it as a super user.
const adminName = "admin"

// longestName is the length that a certificate allows (RFC 5280, ub-common-name). A topic may have 249
// characters, a folder 255.
const longestName = 64

// userName matches the part of a certificate's name that the course's brokers use as the user:
//
//	ssl.principal.mapping.rules=RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L
//
// They cut the name at the first other character. anna-maria and anna would be one user, with the
// same rights.
var userName = regexp.MustCompile(`^[a-zA-Z0-9.]*`)

// deviceName matches names that Windows does not allow for a folder.
var deviceName = regexp.MustCompile(`^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// user returns the user for a name: the brokers change all names to lower case.
func user(name string) string { return strings.ToLower(name) }

// checkName returns why a name, in lower case, cannot be a student's: it must be a Kafka topic, a Kafka
// user and a folder.
func checkName(name string) error {
	switch cut := userName.FindString(name); {
	case name == "":
		return errors.New("the name is empty")
	case name == "." || name == "..":
		return errors.New("this can be the name of neither a topic nor a folder")
	case strings.HasPrefix(name, "__"):
		return errors.New("names that begin with __ are for Kafka's own topics")
	case cut == "":
		return errors.New("the brokers would see a user without a name: only letters a-z, digits and dots are allowed")
	case cut != name:
		return fmt.Errorf("the brokers would cut it to %q: only letters a-z, digits and dots are allowed", cut)
	case len(name) > longestName:
		return fmt.Errorf("it has %d characters, a certificate allows %d", len(name), longestName)
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "."):
		return errors.New("some systems hide or rename a folder whose name begins or ends with a dot")
	case deviceName.MatchString(name):
		return errors.New("this is the name of a device on Windows, and cannot be a folder there")
	}
	return nil
}

// reserved returns the users that no student may be, each with the reason. A broker is a user, too, and
// the brokers cut its name: kafka-1 becomes kafka.
func reserved(nodes []string) map[string]string {
	users := map[string]string{adminName: "the admin"}
	for _, node := range nodes {
		if cut := userName.FindString(node); cut != node {
			users[cut] = "the user name of broker " + node
		}
		users[node] = "a broker"
	}
	return users
}

// nodeName matches the name of a broker: a folder, and a host name.
var nodeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// checkNodes returns why brokers cannot have these names.
func checkNodes(nodes []string) error {
	if len(nodes) == 0 {
		return errors.New("--nodes names no broker")
	}
	for i, node := range nodes {
		switch {
		case !nodeName.MatchString(node) || len(node) > 63 || deviceName.MatchString(node):
			return fmt.Errorf("--nodes: %q is not a host name in lower case", node)
		case node == adminName:
			return errors.New("--nodes: admin is the admin's name")
		case slices.Contains(nodes[:i], node):
			return fmt.Errorf("--nodes: %s occurs twice", node)
		}
	}
	return nil
}

// numbered returns the names of the course: client1, client2 and so on.
func numbered(count int) (names []string) {
	for i := range count {
		names = append(names, "client"+strconv.Itoa(i+1))
	}
	return names
}

// byNumber orders names by their number: client9 before client10.
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
