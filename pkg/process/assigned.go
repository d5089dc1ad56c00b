package process

import "regexp"

// Assigned matches the line with which a member of a group reports its partitions.
var Assigned = regexp.MustCompile(`assigned (?P<count>\d+) of (?P<total>\d+) partitions: (?P<partitions>\d+(?:[,-]\d+)*)`)
