package deliver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/cluster"
	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
	"tkafka/pkg/settings"
)

// All brokers are gone for good while lines come from a pipe. The producer ends, and its numbers are right.
func TestGiveUp(t *testing.T) {
	defer func(before time.Duration) { patience = before }(patience)
	patience = 3 * time.Second
	ca, err := issuer.New("test authority", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	brokers, err := localcluster.Start(ca, embedded.Config{Topics: []string{"t"}})
	if err != nil {
		t.Fatal(err)
	}
	defer brokers.Close()
	folder := filepath.Join(t.TempDir(), "auth")
	if err := ca.WriteFolder(folder, "student", brokers.Brokers()); err != nil {
		t.Fatal(err)
	}
	found, err := settings.InFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	stdin, lines, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer lines.Close() // open: the input does not end by itself
	defer func(before *os.File) { os.Stdin = before }(os.Stdin)
	os.Stdin = stdin

	program := cli.New("producer <topic>", "", "")
	here, err := cluster.Open(t.Context(), program, found, cluster.Needs{Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	input := Stdin(program, here)
	client, err := kgo.NewClient(append(input.Options(),
		kgo.SeedBrokers(here.Brokers...), kgo.DialTLSConfig(here.TLS), kgo.DefaultProduceTopic("t"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fmt.Fprintln(lines, "one\ntwo")
	for number, line := range input.Lines(t.Context(), client) {
		client.Produce(t.Context(), &kgo.Record{Value: line}, func(message *kgo.Record, err error) {
			input.Acknowledged(number, message, err)
			if number == 2 {
				for broker := range brokers.Brokers() {
					brokers.Kill(int32(broker))
				}
				fmt.Fprintln(lines, "three\nfour\nfive")
			}
		})
	}
	client.Flush(t.Context())
	err = input.Result()
	if want := "no acknowledgement for 3s: 2 messages delivered, 3 sent but not acknowledged"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
