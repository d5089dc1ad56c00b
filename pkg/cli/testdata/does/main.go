// Does is a program for tests: it continues after a signal.
package main

import (
	"context"
	"fmt"

	"tkafka/pkg/cli"
)

func main() {
	cli.New("does", "Continues after a signal.", "does").Run(func(context.Context, []string) error {
		fmt.Println("ready")
		select {}
	})
}
