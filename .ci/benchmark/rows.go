package main

import "strings"

// A row is a task that all its candidates have, so that their times can be compared.
type row struct {
	name, what   string // %s in what is the number of messages
	count, short int    // messages, and with --short
	fill         string // the command that fills the topic before the candidates read it; empty: a new topic each time
	measure      measurement
	candidates   []candidate // all are compared with the first one
	embedded     bool        // measures the embedded cluster: not with --auth
	long         bool        // not with --short
	speedup      bool        // the work is shared: show how many times faster than the first candidate
}

// A candidate is a program that has the task. Its command begins with the folder of one of our programs,
// or with kcat, python (which is peers.py) or bare (see bare.go). TOPIC and GROUP are new names, and
// COUNT is the number of messages. "<LINES" has so many lines, "<TENFOLD" ten times as many. "<KEYED"
// has a key before each line. OUT is a file, EMPTY an empty folder. Programs with & between them run at
// the same time.
type candidate struct{ name, command string }

// The same durability on all sides: our programs and bare clients have these settings, too.
const safe = "-X acks=all -X enable.idempotence=true"

var rows = []row{
	{
		name: "produce", what: "%s lines of 100 bytes from a file", count: 1_000_000, short: 20_000, measure: sends,
		candidates: []candidate{
			{"ours", "producer TOPIC <LINES"},
			{"kcat", "kcat -P -t TOPIC " + safe + " <LINES"},
			{"franz-go, our options", "bare produce TOPIC <LINES"},
			{"franz-go, its defaults", "bare produce-defaults TOPIC <LINES"},
		},
	},
	{
		name: "produce-keyed", what: "%s lines of 100 bytes, each with its own key", count: 1_000_000, short: 20_000, measure: sendsKeyed,
		candidates: []candidate{
			{"ours", "consumergroup/producer TOPIC <LINES"},
			{"kcat", "kcat -P -K : -t TOPIC " + safe + " <KEYED"},
			{"franz-go, our options", "bare produce-keyed TOPIC <LINES"},
		},
	},
	{
		name: "produce-loop", what: "%s lines; the original waits for each of them", count: 20_000, short: 400, measure: sends,
		candidates: []candidate{
			{"ours", "producer TOPIC <LINES"},
			{"Python", "python produce TOPIC <LINES"},
		},
	},
	{
		name: "produce-tenfold", what: "%s lines, and ten times as many", count: 1_000_000, short: 20_000, measure: sends,
		candidates: []candidate{
			{"ours", "producer TOPIC <LINES"},
			{"ours, tenfold", "producer TOPIC <TENFOLD"},
		},
	},
	{
		name: "consume", what: "%s messages of 100 bytes to a file, as a new group", count: 1_000_000, short: 20_000,
		fill: "bare produce TOPIC <LINES", measure: reads, candidates: consumers,
	},
	{
		name: "consume-equal", what: "%s messages of 1,000 equal bytes to a file, as a new group", count: 2_000_000, short: 20_000,
		fill: "bare produce-equal TOPIC COUNT", measure: reads, candidates: consumers,
	},
	{
		name: "typed-acknowledged", what: "Enter at a terminal until a line is acknowledged, %s lines", count: 300, short: 20, measure: acknowledged,
		candidates: []candidate{
			{"ours", "producer TOPIC"},
			{"Python", "python produce TOPIC"},
			{"franz-go, ProduceSync", "bare produce-sync TOPIC"},
		},
	},
	{
		name: "typed-printed", what: "Enter at a terminal until a waiting consumer prints the line, %s lines", count: 300, short: 20, measure: printed,
		candidates: []candidate{
			{"ours", "producer TOPIC & consumer TOPIC --group GROUP"},
			{"Python", "python produce TOPIC & python consume TOPIC GROUP"},
		},
	},
	{
		name: "first-message", what: "start of a consumer until its first message, as a new group", count: 16, short: 16,
		fill: "bare produce-spread TOPIC <LINES", measure: firstMessage,
		candidates: []candidate{
			{"ours", "commitoffsets/consumer TOPIC earliest -n 1"},
			{"kcat", "kcat -G GROUP -c 1 -X auto.offset.reset=earliest TOPIC"},
			{"Python", "python consume TOPIC GROUP 1"},
		},
	},
	{
		name: "member-joins", what: "start of a second member until both have 8 of 16 partitions", measure: joins, candidates: twoMembers,
	},
	{
		name: "member-leaves", what: "Ctrl-C at one of two members until the other has 16 partitions", measure: leaves, candidates: twoMembers,
	},
	{
		name: "members", what: "store (1 ms) and commit %s messages, one at a time", count: 4_000, short: 160, measure: stored, speedup: true,
		candidates: []candidate{
			{"1 member", storing},
			{"2 members", storing + " & " + storing},
			{"4 members", strings.Repeat(storing+" & ", 3) + storing},
		},
	},
	{
		name: "tour", what: "the tour, with the build of all programs; all modules are downloaded", measure: tour, embedded: true, long: true,
		candidates: []candidate{
			{"the first time (an empty GOCACHE)", "env GOCACHE=EMPTY go run ./classroom/tour >OUT"},
			{"later", "go run ./classroom/tour >OUT"},
		},
	},
	{
		name: "cluster", what: "start of classroom/cluster until its brokers are ready", measure: clusterReady, embedded: true, long: true,
		candidates: []candidate{
			{"ours", "classroom/cluster --ports 0,0,0 --auth EMPTY"},
		},
	},
}

var consumers = []candidate{
	{"ours", "commitoffsets/consumer TOPIC earliest -n COUNT >OUT"},
	{"kcat", "kcat -G GROUP -c COUNT -X auto.offset.reset=earliest TOPIC >OUT"},
	{"Python", "python consume TOPIC GROUP COUNT >OUT"},
	{"franz-go, its defaults", "bare consume TOPIC GROUP COUNT >OUT"},
}

var twoMembers = []candidate{
	{"ours", "consumergroup/consumer TOPIC GROUP & consumergroup/consumer TOPIC GROUP"},
	{"Python", "python consume TOPIC GROUP & python consume TOPIC GROUP"},
}

const storing = "commitoffsets/consumercommit TOPIC GROUP --store-time 1ms"
