// Package observer watches one topic, and the groups that read it, from outside: the log of each
// partition, the committed offsets, the members and what they hold. It needs a student's rights only:
// to read the topic, and to describe the groups.
//
// A client's position is not visible from outside. Only committed offsets are. The names in this package
// keep to what is known: what a group has not committed will be read, or read again after a crash.
package observer

import "time"

// A Picture is what is known about the topic and its groups at one time.
type Picture struct {
	Time       time.Time   `json:"time"` // when the cluster answered
	Topic      Topic       `json:"topic"`
	Partitions []Partition `json:"partitions"` // in order; empty if the topic does not exist
	Groups     []Group     `json:"groups"`     // by name; all that have members or offsets on the topic
	Trouble    *Trouble    `json:"trouble,omitempty"`
}

// Topic is the topic that is watched.
type Topic struct {
	Name   string `json:"name"`
	ID     string `json:"id"`     // changes when the topic is deleted and made again; "" if it does not exist
	Anew   int    `json:"anew"`   // how often it was made again while it was watched
	Exists bool   `json:"exists"` // false: nothing else is known
}

// Partition is the log of one partition: the offsets from Start up to, not including, End.
type Partition struct {
	Partition int32   `json:"partition"`
	Start     int64   `json:"start"`  // the oldest message that is still kept
	End       int64   `json:"end"`    // the offset that the next message gets
	Leader    int32   `json:"leader"` // the broker; -1: none, nothing can be written or read
	Rate      float64 `json:"rate"`   // messages per second that arrived, over the last 5 s
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
	Name        string    `json:"name"`
	Type        GroupType `json:"type"`
	State       string    `json:"state"`       // as Kafka names it: Stable, PreparingRebalance, Empty, ...
	Epoch       int32     `json:"epoch"`       // of a consumer or share group; -1: a classic group reports none
	TargetEpoch int32     `json:"targetEpoch"` // of the target assignment; -1 as above
	Members     []Member  `json:"members"`     // by number
	Commits     []Commit  `json:"commits"`     // one for each partition, in order; also where nothing is committed
	Lag         int64     `json:"lag"`         // the sum over the partitions with a committed offset
}

// Member is one consumer of a group.
type Member struct {
	Number     int       `json:"number"` // from 1: the smallest that no other member of the group has; kept for life
	ID         string    `json:"id"`
	Client     string    `json:"client"` // client.id
	Host       string    `json:"host"`
	Partitions []int32   `json:"partitions"`          // that it holds, in order; for a share group, that it may read from
	Target     []int32   `json:"target,omitzero"`     // of a consumer group, if it differs from Partitions; otherwise nil
	Rate       float64   `json:"rate"`                // messages per second that were committed in its partitions, over the last 5 s
	Lag        int64     `json:"lag"`                 // the sum over its partitions
	LastCommit time.Time `json:"lastCommit,omitzero"` // when a commit in its partitions was seen; zero: none
	Since      time.Time `json:"since"`               // when it was first seen
}

// Commit is the committed offset of a group in one partition.
type Commit struct {
	Partition int32 `json:"partition"`
	Offset    int64 `json:"offset"` // the next message to read; -1: nothing is committed
	Lag       int64 `json:"lag"`    // from there, or from the log's start if that is later, to the end; -1: not known
	Holder    int   `json:"holder"` // the number of the member that holds the partition; 0: nobody does
	By        int   `json:"by"`     // the number of the member that committed, if the commit names it; 0: not known
	// Fault explains an offset outside the log: "expired" is before its start, so messages were
	// deleted before they were read; "beyond" is after its end, as after a topic was made again.
	Fault string    `json:"fault,omitempty"`
	Time  time.Time `json:"time,omitzero"` // when the commit was seen; zero: it is older than the observer
}

// Trouble is why the picture is not up to date.
type Trouble struct {
	Since time.Time `json:"since"`
	Error string    `json:"error"`
	Hint  string    `json:"hint,omitempty"`
}

// An Event is something that was seen to happen. Text is a plain English sentence for it; the other
// fields hold its parts.
type Event struct {
	ID         int64     `json:"id"` // from 1, without gaps
	Time       time.Time `json:"time"`
	Kind       string    `json:"kind"`                 // see the constants
	Group      string    `json:"group,omitempty"`      // "": it concerns the topic or the cluster
	From       int       `json:"from,omitempty"`       // a member's number: who left, who lost the partitions
	To         int       `json:"to,omitempty"`         // who joined, who got the partitions
	Client     string    `json:"client,omitempty"`     // the client id of the member that joined or left
	Partitions []int32   `json:"partitions,omitempty"` // that moved
	Seconds    float64   `json:"seconds,omitempty"`    // how long the group stood still
	Text       string    `json:"text"`
}

// The kinds of events.
const (
	Joined     = "joined"      // a member is new
	Left       = "left"        // a member is gone: it left, or the broker missed its heartbeats
	Moved      = "moved"       // partitions went from one member to another, from nobody (From 0) or to nobody (To 0)
	StoodStill = "stood still" // the group was seen between two stable states
	Committed  = "committed"   // an offset was committed
	Reset      = "reset"       // a committed offset went back
	TopicGone  = "topic gone"
	TopicAnew  = "topic anew"
	GroupNew   = "group new"
	GroupGone  = "group gone"
	Lost       = "lost" // the cluster, a broker, a right or the certificate
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

// Rates is the messages that arrived in each of the last seconds, the newest last.
type Rates struct {
	End        time.Time         `json:"end"` // the end of the last second
	Total      []int32           `json:"total"`
	Partitions map[int32][]int32 `json:"partitions"` // only those with messages
}
