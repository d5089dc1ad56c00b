package main

import (
	"testing"

	"tkafka/pkg/lab/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m, "consumer", main) }

func TestScripts(t *testing.T) { testbed.Run(t) }
