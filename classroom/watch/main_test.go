package main

import (
	"testing"

	"tkafka/pkg/lab/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m, "watch", main) }

// The members are those of the tutorial.
func TestScripts(t *testing.T) {
	testbed.Build(t, "tkafka/consumergroup/consumer", "tkafka/commitoffsets/consumercommit")
	testbed.Run(t)
}
