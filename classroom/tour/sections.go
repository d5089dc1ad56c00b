package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tkafka/pkg/group"
)

// sections is the tutorial, in its order.
var sections = []section{
	{"1. A producer and a consumer", simple},
	{"2. Committed offsets", commitOffsets},
	{"3. Consumer groups", consumerGroups},
	{"4. Share groups", shareGroups},
}

func simple(t *tour) {
	t.step("The consumer prints each message that is sent from now on.",
		"A group that has committed nothing starts at the end of the topic (auto.offset.reset=latest). "+
			"So the consumer skips the message that was sent before its start.")
	t.send(t.kafka.unique("too early"), "producer", t.kafka.topic)
	consumer := t.start("consumer", "consumer", t.kafka.topic, "--group", t.kafka.group("simple_consumer"))
	t.awaitAssigned(consumer)

	later := t.kafka.unique("hello", "how are you", "goodbye")
	t.send(later, "producer", t.kafka.topic)
	t.awaitPrinted(later, consumer)
	t.stop(consumer)

	t.check("the consumer is the only member of its group and has every partition",
		shared(t.kafka.partitions, last(consumer.assignments())))
	t.check("it printed exactly the three messages that were sent after its start",
		printedExactly(consumer.printed(), later))
	t.check("it printed the messages of each partition in the order of their offsets",
		inOrder(consumer.printed(), t.sent()))
}

func commitOffsets(t *tour) {
	earliest(t)
	latest(t)
	storeThenCommit(t)
}

func earliest(t *tour) {
	t.step("earliest: the consumer starts at the oldest message.",
		"The reset policy decides where a group starts that has committed nothing. "+
			"This program takes a new group name for each run, so the policy always applies.")
	consumer := t.start("consumer", "commitoffsets/consumer", t.kafka.topic, "earliest")
	places := t.sent()
	t.awaitPrinted(texts(places), consumer)
	t.stop(consumer)

	if t.kafka.older == 0 {
		t.check("earliest printed all messages of the topic, each once", printedExactly(consumer.printed(), texts(places)))
	} else {
		t.check("earliest printed all messages of this tour, each once, and older messages",
			printedOnce(consumer.printed(), texts(places)))
	}
	t.check("it printed the messages of each partition in the order of their offsets", inOrder(consumer.printed(), places))
}

func latest(t *tour) {
	t.step("latest: the consumer starts at the end of the topic.",
		"This is another new group, with the other policy. The consumer reports how many messages it skips.")
	consumer := t.start("consumer", "commitoffsets/consumer", t.kafka.topic, "latest")
	t.awaitAssigned(consumer)
	news := t.kafka.unique("breaking news")
	t.send(news, "producer", t.kafka.topic)
	t.awaitPrinted(news, consumer)
	t.stop(consumer)

	t.check("latest printed the new message and no older one", printedExactly(consumer.printed(), news))
}

// storeTime is long enough to interrupt a program on a busy machine.
const storeTime = 3 * time.Second

func storeThenCommit(t *tour) {
	group := t.kafka.group(t.kafka.topic + "_group")
	t.step("consumercommit is stopped before it commits.",
		"It reads one message, stores it, and then commits its offset. The tour stops it while it stores the "+
			"second message. The tour has committed the older messages for this group, so only the new ones come.")
	t.commitOlder(group)
	orders := t.kafka.unique("first order", "second order", "third order")
	t.send(orders, "producer", t.kafka.topic, "--key", "orders")
	places := t.sent()
	maps.DeleteFunc(places, func(message string, _ place) bool { return !slices.Contains(orders, message) })
	stopped := t.start("consumercommit", "commitoffsets/consumercommit", t.kafka.topic, group, "--store-time", storeTime.String())
	t.await("second message from consumercommit", func() bool {
		printed := stopped.printed()
		run, err := parseReadings(printed, places)
		// The line after the message reports that the program stores it.
		return err == nil && len(run) == 2 && last(printed) != run[1].message
	}, stopped)
	t.stop(stopped)

	done, again, err := stoppedBetween(stopped.printed(), places, t.committed(group))
	t.check("the first message is committed, the second one is not", err)
	if err != nil {
		t.must(errors.New("the next step needs a message that is not committed"))
	}
	t.check("consumercommit reported the place of the second message", reportedPlace(stopped.reported(), places[again]))

	t.step("The same group starts again.",
		fmt.Sprintf("It continues at its committed offsets. %q is committed and does not come again. "+
			"%q is not committed and comes again. No message is lost: each is read at least once.", done, again))
	restarted := t.start("consumercommit", "commitoffsets/consumercommit", t.kafka.topic, group, "--store-time", "100ms")
	t.await("commit of each message that is left", func() bool {
		run, err := parseReadings(restarted.printed(), places)
		return err == nil && len(run) >= len(orders)-1 && run[len(run)-1].committed
	}, restarted)
	t.stop(restarted)

	t.check("the second message came again, before the others of its partition", readAgain(restarted.printed(), again, places))
	t.check("each other message came once", readOnce(stopped.printed(), restarted.printed(), again, places))
	t.check("the committed offsets of the group are behind all messages", committedAll(t.committed(group), places))
}

func consumerGroups(t *tour) {
	group := t.kafka.group("consumer_group_1")
	t.step("Two members share the partitions.",
		"The first member has all partitions. When the second member joins, the group gives it half of them. "+
			"Each partition has exactly one member.")
	first := t.start("member 1", "consumergroup/consumer", t.kafka.topic, group)
	t.awaitAssigned(first)
	alone := first.assignments()
	second := t.start("member 2", "consumergroup/consumer", t.kafka.topic, group)
	t.awaitAssigned(second)
	if len(last(second.assignments())) > 0 { // then the first member has fewer, and reports it
		t.awaitAnotherAssigned(first, len(alone))
	}
	firstHas, secondHas := last(first.assignments()), last(second.assignments())
	t.check("alone, member 1 had every partition", shared(t.kafka.partitions, last(alone)))
	t.check(fmt.Sprintf("together, the members have %d and %d partitions, and none in common",
		len(firstHas), len(secondHas)), shared(t.kafka.partitions, firstHas, secondHas))

	t.step("Each message reaches one member.",
		"The messages have the keys 0, 1, 2 and so on. The hash of the key selects the partition. "+
			"The member that has this partition gets the message.")
	together := numbers(1, 32)
	t.send(together, "consumergroup/producer", t.kafka.topic)
	t.await("messages 1 to 32", func() bool {
		return len(first.printed())+len(second.printed()) >= len(together)
	}, first, second)
	t.check("each message reached exactly one member", reachedOne(together, first.printed(), second.printed()))
	t.check("it reached the member that has its partition", errors.Join(
		inPartitionsOf(first.printed(), firstHas), inPartitionsOf(second.printed(), secondHas)))
	t.check("the keys are 0, 1, 2 and so on", keysCount(together, first.printed(), second.printed()))

	t.step("One member leaves, and the other one takes over.",
		"Member 1 commits its offsets and leaves the group. Member 2 learns this with its next heartbeat. "+
			"It continues at the committed offsets, so no message is lost.")
	before := len(second.assignments())
	t.stop(first)
	between := numbers(33, 40)
	t.send(between, "consumergroup/producer", t.kafka.topic)
	if len(secondHas) < t.kafka.partitions {
		t.awaitAnotherAssigned(second, before)
	}
	afterwards := numbers(41, 48)
	t.send(afterwards, "consumergroup/producer", t.kafka.topic)
	all := slices.Concat(together, between, afterwards)
	t.await("messages 33 to 48", func() bool { return len(first.printed())+len(second.printed()) >= len(all) }, second)
	t.stop(second)
	t.check("member 2 had every partition then", shared(t.kafka.partitions, last(second.assignments())))
	t.check("each message that was sent after member 1 had left reached member 2, once", errors.Join(
		reachedOne(all, first.printed(), second.printed()),
		reachedNone(slices.Concat(between, afterwards), first.printed())))
	t.check("messages with the same key are in the same partition", sameKeySamePartition(first.printed(), second.printed()))
}

func shareGroups(t *tour) {
	name := t.kafka.group("share_group_1")
	if _, err := group.CheckShare(t.ctx, t.kafka.client, name); err != nil {
		t.screen.say("\n", "This section is skipped: "+err.Error()+".")
		return
	}
	t.step("Two members share the messages, and each message is accepted.",
		"Member 1 stores each message in a moment. It releases the message \"broken\" once, as if it could not "+
			"store it. Member 2 needs an hour to store a message. So it holds the first one that it gets.")
	broken := t.kafka.unique("broken")
	first := t.start("member 1", "consumergroup/share", t.kafka.topic, name, "--store-time", "10ms", "--fail", "broken")
	t.awaitJoined(first)
	t.send(broken, "consumergroup/producer", t.kafka.topic)
	t.await("acceptance of the message", func() bool { return len(accepted(first.reported())) == 1 }, first)
	second := t.start("member 2", "consumergroup/share", t.kafka.topic, name, "--store-time", "1h")
	t.awaitJoined(second)
	all := broken
	// While member 1 still has all partitions, it can be so fast that it gets all messages of a round.
	for number := 101; len(second.printed()) == 0; number += 12 {
		more := numbers(number, number+11)
		t.send(more, "consumergroup/producer", t.kafka.topic)
		all = append(all, more...)
		t.await("message from member 2, or acceptance of all messages", func() bool {
			return len(second.printed()) > 0 || len(accepted(first.reported())) == len(all)
		}, first, second)
	}

	t.step("Member 2 is stopped, and its message comes again.",
		"Member 2 releases the message that it holds. Member 1 gets this message, and all others.")
	t.stop(second)
	t.await("acceptance of each message", func() bool { return len(accepted(first.reported())) >= len(all) }, first)
	t.stop(first)
	held, err := deliveries(second.printed())
	t.must(err)
	t.check("member 2 accepted nothing, and member 1 accepted each message once",
		acceptedOnce(all, first.printed(), first.reported(), second.reported()))
	t.check("the two messages that were released came again, with delivery count 2, and no others",
		deliveredAgain(append(values(held), broken...), first.printed(), second.printed()))
}

// awaitJoined waits until a member of a share group reports that it gets messages.
func (t *tour) awaitJoined(p *program) {
	t.await("joined line from "+p.label, func() bool {
		return slices.ContainsFunc(p.reported(), func(line string) bool { return strings.Contains(line, "joined share group") })
	}, p)
}

// awaitAssigned waits until a member reports its partitions. It receives each message that is sent
// from then on.
func (t *tour) awaitAssigned(p *program) { t.awaitAnotherAssigned(p, 0) }

// awaitAnotherAssigned waits until a member has reported its partitions more than n times.
func (t *tour) awaitAnotherAssigned(p *program, n int) {
	t.await("assigned line from "+p.label, func() bool { return len(p.assignments()) > n }, p)
}

// awaitPrinted waits until a program has printed these messages.
func (t *tour) awaitPrinted(messages []string, p *program) {
	t.await(fmt.Sprintf("messages %q from %s", messages, p.label), func() bool {
		printed := make(map[string]bool)
		for _, line := range p.printed() {
			printed[line] = true
		}
		return !slices.ContainsFunc(messages, func(message string) bool { return !printed[message] })
	}, p)
}

// texts returns the messages that have these places.
func texts(places map[string]place) []string { return slices.Sorted(maps.Keys(places)) }

func last[T any](all []T) (none T) {
	if len(all) == 0 {
		return none
	}
	return all[len(all)-1]
}

// numbers returns the lines that seq prints.
func numbers(from, to int) []string {
	var lines []string
	for n := from; n <= to; n++ {
		lines = append(lines, strconv.Itoa(n))
	}
	return lines
}
