package main

import (
	"os"
	"os/exec"
	"testing"

	"tkafka/pkg/testbed"
)

func TestMain(m *testing.M) { testbed.Main(m, "cluster", main) }

// The scripts use a real producer and a real consumer, too.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "../../producer", "../../consumer").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	testbed.Run(t)
}
