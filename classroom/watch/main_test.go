package main

import (
	"os"
	"os/exec"
	"testing"

	"tkafka/pkg/lab/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m, "watch", main) }

func TestScripts(t *testing.T) {
	// The members are those of the tutorial.
	folder := t.TempDir()
	for _, program := range []string{"consumergroup/consumer", "commitoffsets/consumercommit"} {
		build := exec.Command("go", "build", "-o", folder+"/", "../../"+program)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	os.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH")) // not t.Setenv: the scripts run in parallel
	testbed.Run(t)
}
