package trial

import (
	"cmp"
	"slices"
)

// Status is how a trial ended.
type Status string

// The results of a trial.
const (
	OK       Status = "ok"
	Failed   Status = "FAILED"
	NotTried Status = "not tried"
)

// Result is the result of one trial.
type Result struct {
	Trial  string `json:"trial"`
	What   string `json:"what"`
	Status Status `json:"status"`
	Why    string `json:"why,omitempty"` // it was not tried, or failed for another reason than messages
	Hint   string `json:"hint,omitempty"`
	Findings
	Begins   string   `json:"begins,omitempty"` // where a new group begins: earliest or latest
	Meanings []string `json:"meanings,omitempty"`
	Section  string   `json:"section,omitempty"` // of the README
	Notes    []string `json:"notes,omitempty"`
	Seconds  float64  `json:"seconds"`

	unknown bool // the messages of the program are not known
}

// Verdict sums up all trials of a program. Without messages nothing is known about it.
func Verdict(results []Result) string {
	var lost, twice, disorder, tried, arrived, complete int
	for _, r := range results {
		if r.Status == NotTried {
			continue
		}
		tried, arrived = tried+1, arrived+r.Arrived
		lost, twice, disorder = lost+len(r.Lost), twice+len(r.Twice), disorder+len(r.OutOfOrder)
		if r.Why == "" {
			complete++
		}
	}
	switch {
	case tried == 0:
		return "not known: no trial was possible"
	case arrived == 0:
		return "not known: no message was seen"
	case complete == 0 && lost+twice+disorder == 0:
		return "not known: no trial was complete"
	}
	verdict := "exactly once seen"
	switch {
	case lost > 0 && twice > 0:
		verdict = "neither at least once nor at most once: messages are lost, and others come twice"
	case lost > 0:
		verdict = "at most once: messages are lost"
	case twice > 0:
		verdict = "at least once"
	}
	if disorder > 0 {
		verdict += ", out of order"
	}
	if complete < tried {
		verdict += ", but not each trial was complete"
	}
	return verdict
}

// A meaning explains findings of a kind, and names the section of the README about it.
type meaning struct{ text, section string }

const (
	sectionOne   = "1. A producer and a consumer"
	sectionTwo   = "2. Committed offsets"
	sectionThree = "3. Consumer groups"
)

var meanings = map[Kind]meaning{
	LostCommitted: {"The program commits a message before it has processed it. If it ends in between, the group continues behind the message: " +
		"it is lost. Process (or store) first, then commit. If it stores messages and prints only new ones, judge what it stores: --result 'COMMAND'. " +
		"If it has several processes, such as ... | tee, Ctrl-C reaches all of them: one may end before it has printed what another has committed (tee -i ignores it).", sectionTwo},
	LostAtReset: {"The group had no committed offset for the partition. So the reset policy decided where the next process starts " +
		"(auto.offset.reset=latest is the end), and all messages before that were skipped. " +
		"Keep the group name, and commit. An automatic commit comes only every five seconds, and when the consumer is closed.", sectionTwo},
	LostGap: {"The program skipped the message: it printed a later one of the same partition, and this one never. " +
		"Look for an error that it ignores, or a position that it does not go back to after a failed commit.", sectionTwo},
	LostWaiting: {"The program had stopped reading this partition when the trial ended. " +
		"Look for a loop that ends or waits after an error.", sectionOne},
	LostExpired: {"The group was away for so long that retention had deleted the messages at its offsets. Then the reset policy decides: with " +
		"auto.offset.reset=latest the group skipped messages that were still there. With earliest it reads all that is left.", sectionTwo},
	LostContent: {"Any bytes can be a message: equal values are different messages, a value may be empty or null, and need not be text. " +
		"Handle each one, or report it.", sectionOne},
	Changed: {"The message is not the line: remove only the line end, and send the bytes as they are.", sectionOne},
	RandomKey: {"The key decides the partition, so messages that belong together need the same key, each time. With random keys they have no order. " +
		"Take the key from the line, or give none.", sectionThree},
	TwiceInOne: {"One process printed the message more than once. After a rebalance or a new connection it went back to an older offset: " +
		"commit what you have processed when partitions are revoked. If there was no rebalance, look for a loop that handles a message twice.", sectionThree},
	TwiceInTwo: {"Two processes printed the message, although nobody was killed. A process must commit what it has printed before " +
		"its partitions go to another one: when it is stopped (close the consumer), and when they are revoked.", sectionThree},
	TwiceStored: {"The program stored the message again. After a stop between store and commit, the message comes again: " +
		"store the partition and offset as a unique key, or store the message and its offset in one transaction.", sectionTwo},
	OutOfOrder: {"Messages with one key are in one partition, in order. The program changed the order: process the messages of a partition " +
		"one after the other, or give each key to one worker.", sectionThree},
	NotInTopic: {"The program read the line and ended, but did not deliver it. Wait for all deliveries before the program ends (flush), " +
		"and report those that fail.", sectionOne},
	NotDelivered: {"The program reported a delivery that did not happen. Report it in the delivery callback, " +
		"when the brokers have acknowledged it (acks=all).", sectionOne},
	TwiceInTopic: {"An answer got lost, so the client sent the message again, and the broker stored it a second time. " +
		"An idempotent producer is recognised: enable.idempotence=true.", sectionOne},
}

// judge sets the status and the meanings. Once fails the trial if a message came twice.
func (r *Result) judge(once bool) {
	if r.Status == NotTried {
		return
	}
	bad := slices.Concat(r.Lost, r.OutOfOrder)
	if once {
		bad = append(bad, r.Twice...)
	}
	bad = slices.DeleteFunc(bad, func(f Finding) bool { return f.Kind == Interrupted })
	if len(bad) > 0 || r.Why != "" {
		r.Status = Failed
	}
	for _, finding := range bad {
		if m := meanings[finding.Kind]; !slices.Contains(r.Meanings, m.text) {
			r.Meanings = append(r.Meanings, m.text)
			r.Section = cmp.Or(r.Section, m.section)
		}
	}
}

func (r *Result) note(text string) {
	if !slices.Contains(r.Notes, text) {
		r.Notes = append(r.Notes, text)
	}
}
