// Programs for the judge, with franz-go: correct ones, and ones with a defect.
//
//	programs consumer TOPIC GROUP [DEFECT]
//	programs producer TOPIC [DEFECT]
//
// Without a defect, the consumer prints the messages of a poll and then commits them, and the producer reports each delivery.
// Other correct ways are: auto-commit, one-by-one, next-protocol, sync. Each other name is a mistake.
package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/tlsconf"
)

var defect string

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	args := append(os.Args[1:], "", "")
	credentials, err := tlsconf.Load("auth", "cc2023", nil)
	if err != nil {
		log.Fatal(err)
	}
	options := []kgo.Opt{kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BROKERS"), ",")...), kgo.DialTLSConfig(credentials)}
	if args[0] == "producer" {
		defect = args[2]
		err = produce(ctx, args[1], options)
	} else {
		defect = args[3]
		err = consume(ctx, args[1], args[2], options)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func consume(ctx context.Context, topic, group string, options []kgo.Opt) error {
	reset := kgo.NewOffset().AtStart()
	if defect == "latest" {
		reset = kgo.NewOffset().AtEnd()
	}
	options = append(options, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group), kgo.ConsumeResetOffset(reset), kgo.BlockRebalanceOnPoll())
	switch defect {
	case "auto-commit":
		options = append(options, kgo.AutoCommitMarks(), kgo.OnPartitionsRevoked(func(ctx context.Context, client *kgo.Client, _ map[string][]int32) {
			client.CommitMarkedOffsets(ctx)
		}))
	case "greedy-commit":
		options = append(options, kgo.GreedyAutoCommit(), kgo.AutoCommitInterval(200*time.Millisecond))
	case "next-protocol":
		options = append(options, kgo.DisableAutoCommit(), kgo.ServerSideBalancer())
	default:
		options = append(options, kgo.DisableAutoCommit())
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	jobs := make(chan *kgo.Record, 1000)
	for range 4 { // of concurrent
		go func() {
			for message := range jobs {
				time.Sleep(time.Duration(rand.IntN(8)) * time.Millisecond)
				fmt.Println(string(message.Value))
			}
		}()
	}
	for {
		limit := 0
		if defect == "one-by-one" {
			limit = 1
		}
		fetches := client.PollRecords(ctx, limit)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil && defect == "dies" {
			return err
		}
		records := fetches.Records()
		if defect == "commit-first" {
			commit(client, records)
		}
		for _, message := range records {
			switch {
			case defect == "concurrent":
				jobs <- message
			case defect == "cuts" && len(message.Value) > 65536, defect == "drop-empty" && len(message.Value) == 0:
			default:
				if defect == "greedy-commit" || defect == "commit-first" {
					time.Sleep(3 * time.Millisecond)
				}
				fmt.Println(string(message.Value))
			}
		}
		switch defect {
		case "auto-commit":
			client.MarkCommitRecords(records...)
		case "commit-first", "greedy-commit", "never-commit":
		default:
			commit(client, records)
		}
		client.AllowRebalance()
	}
}

func commit(client *kgo.Client, records []*kgo.Record) {
	if err := client.CommitRecords(context.Background(), records...); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func produce(ctx context.Context, topic string, options []kgo.Opt) error {
	options = append(options, kgo.DefaultProduceTopic(topic))
	switch defect {
	case "not-idempotent":
		options = append(options, kgo.DisableIdempotentWrite())
	case "acks-leader":
		options = append(options, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
	case "no-flush":
		options = append(options, kgo.ProducerLinger(500*time.Millisecond))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close() // it does not flush
	lines := make(chan []byte)
	go func() {
		defer close(lines)
		if defect == "scanner" { // it ends at a line of 64 KiB
			for input := bufio.NewScanner(os.Stdin); input.Scan(); {
				lines <- bytes.Clone(input.Bytes())
			}
			return
		}
		for input := bufio.NewReader(os.Stdin); ; {
			line, err := input.ReadBytes('\n')
			if len(line) > 0 {
				lines <- bytes.TrimSuffix(line, []byte("\n"))
			}
			if err != nil {
				return
			}
		}
	}()
	failed := 0
	done := func(message *kgo.Record, err error) {
		if err != nil && defect != "lies" {
			failed++
			fmt.Printf("not delivered: %s: %v\n", message.Value, err)
			return
		}
		fmt.Printf("delivered %s\n", message.Value)
	}
	for number := 0; ; number++ {
		select {
		case <-ctx.Done():
		case line, more := <-lines:
			if !more {
				break
			}
			if defect == "strip" {
				line = bytes.TrimSpace(line)
			}
			message := &kgo.Record{Key: fmt.Append(nil, number%5), Value: line}
			if defect == "sync" {
				done(message, client.ProduceSync(context.Background(), message).FirstErr())
			} else {
				client.Produce(context.Background(), message, done)
			}
			continue
		}
		break
	}
	if defect == "no-flush" {
		return nil
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	if failed > 0 {
		return errors.New("some lines are not delivered")
	}
	return nil
}
