package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The tutorial, in the order of its sections.
var sections = []section{
	{"1 Simple: a producer and a consumer", simple},
	{"2 Commit offsets: where a group starts, and where it goes on", commitOffsets},
	{"3 Consumer groups: members share the partitions", consumerGroups},
}

func simple(t *tour) {
	t.step("The consumer prints what is sent from now on",
		"A group that has never read a topic starts at its end here: auto.offset.reset = latest.\n"+
			"What was sent before is skipped. The rest comes, and keeps its order within a partition.")
	t.send(t.site.unique("too early"), "producer", t.site.topic)
	consumer := t.start("consumer", "consumer", t.site.topic, "--group", t.site.group("simple_consumer"))
	t.awaitAssigned(consumer)

	later := t.site.unique("hello", "how are you", "goodbye")
	t.send(later, "producer", t.site.topic)
	t.awaitPrinted(later, consumer)
	t.stop(consumer)

	t.check("consumer was the only member of its group and held every partition",
		sharedOut(t.site.partitions, last(consumer.assignments())))
	t.check("consumer printed exactly the three messages sent after it started",
		printedExactly(consumer.printed(), later))
	t.check("and those of a partition in the order of their offsets",
		inOrder(consumer.printed(), t.sent()))
}

func commitOffsets(t *tour) {
	earliest(t)
	latest(t)
	storeThenCommit(t)
}

func earliest(t *tour) {
	t.step("earliest: from the oldest message that the topic has",
		"The reset policy says where a group starts that has committed nothing. This program takes\n"+
			"a new group name each time, so that the policy always counts.")
	consumer := t.start("consumer", "commitoffsets/consumer", t.site.topic, "earliest")
	places := t.sent()
	t.awaitPrinted(texts(places), consumer)
	t.stop(consumer)

	if t.site.older == 0 {
		t.check("earliest printed everything sent so far, and nothing else", printedExactly(consumer.printed(), texts(places)))
	} else {
		t.check("earliest printed everything sent so far, besides older messages", printedAll(consumer.printed(), texts(places)))
	}
	t.check("and the messages of a partition in the order of their offsets", inOrder(consumer.printed(), places))
}

func latest(t *tour) {
	t.step("latest: only what comes",
		"Another new group, and the other policy: it starts behind the last message.\n"+
			"The consumer says how many it skips.")
	consumer := t.start("consumer", "commitoffsets/consumer", t.site.topic, "latest")
	t.awaitAssigned(consumer)
	news := t.site.unique("breaking news")
	t.send(news, "producer", t.site.topic)
	t.awaitPrinted(news, consumer)
	t.stop(consumer)

	t.check("latest printed the new message and no old one", printedExactly(consumer.printed(), news))
}

// storeTime leaves time to interrupt a program on a busy machine too.
const storeTime = 3 * time.Second

func storeThenCommit(t *tour) {
	group := t.site.group("my_group")
	t.step("Store, then commit: stopped between the two",
		"consumercommit reads one message at a time, stores it, and only then commits its offset. We\n"+
			"let it finish one message and stop it while it stores the next.")
	t.send(t.site.unique("first order", "second order", "third order"), "producer", t.site.topic, "--key", "orders")
	if t.site.older > 0 {
		t.screen.say("\n  ", "The group would begin with the older messages of the topic. So that it need not store all of them, "+
			"the tour commits for it that they are read.")
		t.passOlder(group)
	}
	places := t.sent()
	stopped := t.start("consumercommit", "commitoffsets/consumercommit", t.site.topic, group, "--store-time", storeTime.String())
	t.await("the second \"Start Storing\"", func() bool { return count(stopped.printed(), "Start Storing") == 2 }, stopped)
	t.stop(stopped)

	done, again, err := interrupted(stopped.printed(), places, t.committed(group))
	t.check("the message that was stored is committed, the one that was being stored is not", err)
	if err != nil {
		t.must(errors.New("it cannot be told what should be read again"))
	}
	t.check("consumercommit said which one will be read again", saidWhere(stopped.said(), places[again]))

	t.step("The same group again",
		fmt.Sprintf("It goes on at its committed offsets: %q was committed and does not come again,\n"+
			"%q was not, and comes again: at least once, never lost.", done, again))
	restarted := t.start("consumercommit", "commitoffsets/consumercommit", t.site.topic, group, "--store-time", "100ms")
	t.await("\"Message committed\" for all that is left", func() bool {
		return count(restarted.printed(), "Message committed") >= len(places)-1
	}, restarted)
	t.stop(restarted)

	t.check("the interrupted message came again, first of its partition", readAgain(restarted.printed(), again, places))
	t.check("the committed message did not, and every other came once",
		readOnce(stopped.printed(), restarted.printed(), again, places))
	t.check("the committed offsets of the group are behind all messages", committedAll(t.committed(group), places))
}

func consumerGroups(t *tour) {
	group := t.site.group("consumer_group_1")
	t.step("Two members of a group share the partitions",
		"The first member holds all of them until the second joins. From then on each partition is\n"+
			"with one of the two, and so is each message.")
	first := t.start("member 1", "consumergroup/consumer", t.site.topic, group)
	t.awaitAssigned(first)
	alone := first.assignments()
	second := t.start("member 2", "consumergroup/consumer", t.site.topic, group)
	t.awaitAssigned(second)
	if len(last(second.assignments()).partitions) > 0 { // then the first has fewer, and says so
		t.awaitAnotherAssigned(first, len(alone))
	}
	firstHolds, secondHolds := last(first.assignments()), last(second.assignments())
	t.check("alone, member 1 held every partition", sharedOut(t.site.partitions, last(alone)))
	t.check(fmt.Sprintf("together they hold %d and %d partitions, and none in common",
		len(firstHolds.partitions), len(secondHolds.partitions)), sharedOut(t.site.partitions, firstHolds, secondHolds))

	t.step("Each message reaches one of them",
		"The keys are 0, 1, 2 and so on. The hash of the key decides on the partition, and so on the\n"+
			"member that gets the message.")
	shared := numbers(1, 32)
	t.send(shared, "consumergroup/producer", t.site.topic)
	t.await("the messages 1 to 32", func() bool {
		return len(first.printed())+len(second.printed()) >= len(shared)
	}, first, second)
	t.check("each message reached exactly one member", reachedOne(shared, first.printed(), second.printed()))
	t.check("and it was the one that holds its partition", errors.Join(
		reachedHolder(first.printed(), firstHolds), reachedHolder(second.printed(), secondHolds)))
	t.check("the keys grow by one", keysGrow(shared, first.printed(), second.printed()))

	t.step("One member leaves, and the other takes over",
		"Stopped, member 1 commits and leaves the group. Member 2 hears of it with its next heartbeat\n"+
			"and goes on where member 1 has committed: what was sent in between is not lost.")
	told := len(second.assignments())
	t.stop(first)
	between := numbers(33, 40)
	t.send(between, "consumergroup/producer", t.site.topic)
	if len(secondHolds.partitions) < t.site.partitions {
		t.awaitAnotherAssigned(second, told)
	}
	afterwards := numbers(41, 48)
	t.send(afterwards, "consumergroup/producer", t.site.topic)
	all := slices.Concat(shared, between, afterwards)
	t.await("the messages 33 to 48", func() bool { return len(first.printed())+len(second.printed()) >= len(all) }, second)
	t.stop(second)
	t.check("member 2 held every partition then", sharedOut(t.site.partitions, last(second.assignments())))
	t.check("every message sent after member 1 had left reached it, and none came twice", errors.Join(
		reachedOne(all, first.printed(), second.printed()),
		reachedNone(slices.Concat(between, afterwards), first.printed())))
	t.check("messages with the same key met in the same partition", sameKeySamePartition(first.printed(), second.printed()))
}

// awaitAssigned waits until a member of a group says which partitions it holds. A message sent from
// then on reaches it.
func (t *tour) awaitAssigned(p *process) {
	t.await("the assigned line of "+p.label, func() bool { return len(p.assignments()) > 0 }, p)
}

// awaitAnotherAssigned waits for the assigned line after the first n.
func (t *tour) awaitAnotherAssigned(p *process, n int) {
	t.await("the next assigned line of "+p.label, func() bool { return len(p.assignments()) > n }, p)
}

// awaitPrinted waits until a program has printed these messages.
func (t *tour) awaitPrinted(messages []string, p *process) {
	t.await(fmt.Sprintf("%q of %s", messages, p.label), func() bool {
		missing := make(map[string]bool)
		for _, message := range messages {
			missing[message] = true
		}
		for _, line := range p.printed() {
			delete(missing, line)
		}
		return len(missing) == 0
	}, p)
}

// texts returns the messages whose places these are.
func texts(places map[string]place) []string { return slices.Sorted(maps.Keys(places)) }

func last[T any](all []T) (none T) {
	if len(all) == 0 {
		return none
	}
	return all[len(all)-1]
}

func count(lines []string, line string) (n int) {
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

// numbers returns the lines that seq prints.
func numbers(from, to int) []string {
	var lines []string
	for n := from; n <= to; n++ {
		lines = append(lines, strconv.Itoa(n))
	}
	return lines
}
