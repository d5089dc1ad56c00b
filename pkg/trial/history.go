package trial

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Message is a message of the workload.
type Message struct {
	Number    int
	Key       string
	Partition int32
	Offset    int64
	Sent      time.Duration // since the start of the trial
	Required  bool          // the program must print it, because it was ready when the message was sent
}

// textOf is the text of a message. A program has processed a message when it prints a line with its text.
// On an existing cluster the numbers are milliseconds, so that no other trial on the topic has used them.
func textOf(number int) string { return fmt.Sprintf("judge-%06d", number) }

var textPattern = regexp.MustCompile(`\bjudge-(\d{6}|\d{13})\b`)

// numbersIn returns the messages in a line that a program has printed.
func numbersIn(line string) (numbers []int) {
	for _, found := range textPattern.FindAllStringSubmatch(line, -1) {
		number, _ := strconv.Atoi(found[1]) // so many digits always fit in it
		numbers = append(numbers, number)
	}
	return numbers
}

// Print is a message that a process has printed.
type Print struct {
	Number  int
	Process string
	At      time.Duration // since the start of the trial
}

// Event is something that happened to a process or a broker.
type Event struct {
	At   time.Duration
	Text string // "process 1 was killed"
}

// Start is the start of a process, with the committed offsets of its group at that time.
type Start struct {
	Process   string
	At        time.Duration
	Committed map[int32]int64 // nil: not known
}

// Reading is what is known about a consumer at the end of a trial.
type Reading struct {
	Sent      []Message // those that the cluster has, in the order of their numbers
	Printed   []Print   // in the order of time
	Committed map[int32]int64
	Known     bool // Committed is known
	Starts    []Start
	Events    []Event
}

// Record is a message of a producer, as it is in the topic.
type Record struct {
	Number    int
	Key       string
	Keyless   bool
	Partition int32
	Offset    int64
}

// Writing is what is known about a producer at the end of a trial.
type Writing struct {
	Lines    []int // the messages on its standard input, in their order
	Records  []Record
	Reported []Report // what it printed about deliveries
	Partial  bool     // it was stopped: a line that it has not reported may be missing
	Events   []Event
}

// Report is a line in which a program reports a delivery: of a message by its text, of a message by its
// place, or of a number of messages.
type Report struct {
	Line      string
	Number    int // -1: not by its text
	Place     bool
	Partition int32
	Offset    int64
	Count     int // 0: one message
}

var (
	placePattern = regexp.MustCompile(`(?i)\bpartition\W+(\d+)\W+offset\W+(\d+)`)
	countPattern = regexp.MustCompile(`(?i)\b(\d[\d,]*) (?:messages?|lines?|records?) (?:were )?(?:delivered|sent)`)
)

// reportIn reads what a line reports about deliveries.
func reportIn(line string) (reports []Report) {
	for _, number := range numbersIn(line) {
		reports = append(reports, Report{Line: line, Number: number})
	}
	if reports != nil {
		return reports
	}
	if found := placePattern.FindStringSubmatch(line); found != nil {
		partition, err1 := strconv.ParseInt(found[1], 10, 32)
		offset, err2 := strconv.ParseInt(found[2], 10, 64)
		if err1 == nil && err2 == nil {
			return []Report{{Line: line, Number: -1, Place: true, Partition: int32(partition), Offset: offset}}
		}
	}
	if found := countPattern.FindStringSubmatch(line); found != nil {
		if count, err := strconv.Atoi(strings.ReplaceAll(found[1], ",", "")); err == nil && count > 0 {
			return []Report{{Line: line, Number: -1, Count: count}}
		}
	}
	return nil
}
