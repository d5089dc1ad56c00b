// Package observer watches one topic, and the groups that read it, from outside: the log of each
// partition, the committed offsets, the members and what they hold. It needs a student's rights only:
// to read the topic, and to describe the groups.
//
// A client's position is not visible from outside. Only committed offsets are. The names in this package
// keep to what is known: what a group has not committed will be read, or read again after a crash.
package observer

import "time"

// A Picture is all that is known at one time. It never changes.
type Picture struct {
	Version  int64     `json:"version"` // when it was drawn, in milliseconds: each picture has another one
	Time     time.Time `json:"time"`    // when the cluster last answered everything; zero: never
	Topic    Topic     `json:"topic"`
	Groups   []Group   `json:"groups"`   // by name: those with members or offsets on the topic
	Events   []Event   `json:"events"`   // the newest, the oldest of them first
	Messages []Message `json:"messages"` // the newest, the oldest of them first
	Trouble  *Trouble  `json:"trouble"`  // nil: there is none
}

// Topic is the topic that is watched.
type Topic struct {
	Name       string      `json:"name"`
	Partitions []Partition `json:"partitions"`
	Rate       float64     `json:"rate"` // messages per second that arrived, over the last 5 s
}

// Partition is the log of one partition: the offsets from Start up to, not including, End.
type Partition struct {
	Start  int64 `json:"start"`  // the oldest message that is still kept
	End    int64 `json:"end"`    // the offset that the next message gets
	Leader int32 `json:"leader"` // the broker; -1: none, nothing can be written or read
}

// GroupType is the protocol by which a group shares partitions or messages.
type GroupType string

const (
	Classic  GroupType = "classic"  // the members share the partitions, one of them decides
	Consumer GroupType = "consumer" // KIP-848: the members share the partitions, the broker decides
	Share    GroupType = "share"    // KIP-932: the members share the messages
)

// Group is a group of consumers. Offsets and lag are those of the watched topic.
type Group struct {
	Name    string    `json:"name"`
	Type    GroupType `json:"type"`
	State   string    `json:"state"`   // as Kafka names it: Stable, PreparingRebalance, Empty, ...
	Epoch   int32     `json:"epoch"`   // of a consumer or share group; -1: a classic group reports none
	Members []Member  `json:"members"` // by number
	Commits []Commit  `json:"commits"` // one for each partition; also where nothing is committed
	Lag     int64     `json:"lag"`     // the sum over the partitions with a committed offset
}

// Member is one consumer of a group.
type Member struct {
	Number     int       `json:"number"` // from 1: the smallest that no other member of the group has; kept for life
	ID         string    `json:"id"`
	Client     string    `json:"client"` // client.id
	Host       string    `json:"host"`
	Partitions []int32   `json:"partitions"`          // that it holds, in order; for a share group, that it may read from
	Target     []int32   `json:"target,omitzero"`     // of a consumer group, if it differs from Partitions; otherwise nil
	Rate       float64   `json:"rate"`                // messages per second that it committed, over the last 5 s
	Lag        int64     `json:"lag"`                 // the sum over its partitions
	LastCommit time.Time `json:"lastCommit,omitzero"` // when a commit in its partitions was seen; zero: none
}

// Commit is the committed offset of a group in one partition.
type Commit struct {
	Offset int64  `json:"offset"`          // the next message to read; -1: nothing is committed
	Lag    int64  `json:"lag"`             // from there, or from the log's start if that is later, to the end; -1: not known
	Holder int    `json:"holder"`          // the number of the member that holds the partition; 0: nobody does
	By     int    `json:"by"`              // the number of the member that committed, if the commit names it; 0: not known
	Fault  string `json:"fault,omitempty"` // "expired": the offset is before the start of the log; "beyond": it is after the end
}

// An Event is something that was seen to happen. Text is a sentence for it; the other fields are its parts.
type Event struct {
	ID    int64     `json:"id"` // from 1, each one higher than the last one
	Time  time.Time `json:"time"`
	Kind  string    `json:"kind"`            // see the constants
	Group string    `json:"group,omitempty"` // "": it concerns the topic or the cluster
	From  int       `json:"from,omitempty"`  // the number of the member that left, committed, or lost the partitions
	To    int       `json:"to,omitempty"`    // the number of the member that joined, or got the partitions
	Text  string    `json:"text"`
}

// The kinds of events.
const (
	Joined     = "joined"      // a member is new
	Left       = "left"        // a member is gone: it left, or the broker missed its heartbeats
	Moved      = "moved"       // partitions went from one member to another, from nobody (From 0) or to nobody (To 0)
	StoodStill = "stood still" // the group was seen between two stable states
	Committed  = "committed"   // an offset was committed
	Reset      = "reset"       // a committed offset went back
	GroupNew   = "group new"
	GroupGone  = "group gone"
	Lost       = "lost" // the topic, a broker, a right or the certificate
	Back       = "back"
)

// A Message is one that arrived while it was watched.
type Message struct {
	Time      time.Time      `json:"time"` // its timestamp
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Key       *string        `json:"key"` // nil: no key; bytes that are not UTF-8 are replaced
	Value     string         `json:"value"`
	Cut       int            `json:"cut,omitempty"` // how many bytes of the value were left out
	Holders   map[string]int `json:"holders"`       // group -> number of the member that held the partition when it arrived
}

// Trouble is why the picture is not up to date.
type Trouble struct {
	Error string `json:"error"`
	Hint  string `json:"hint,omitempty"`
}
