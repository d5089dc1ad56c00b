package main

import (
	"context"
	"errors"

	"tkafka/pkg/cli"
	"tkafka/pkg/observer"
)

// page is how the page is served.
type page struct {
	listen string // the address to listen at
	host   string // the name in the browser's address line, if it is not that address
	noOpen bool   // do not open the browser
}

// serve serves the page until the end of ctx.
func (p *page) serve(context.Context, *cli.Program, *observer.Observer) error {
	return cli.WithHint(errors.New("this version has no page"), "print the events instead: --text")
}
