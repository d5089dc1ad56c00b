package page

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"tkafka/pkg/cli"
	"tkafka/pkg/watch/observer"
)

// defaultAddress can be reached from this machine only.
const defaultAddress = "127.0.0.1:8080"

// Place is where a program serves the page.
type Place struct {
	Listen string // the address to listen at, such as [defaultAddress]; if its port is in use, any other one
	Host   string // the name of this machine in the browser, if the browser is on another machine
	NoOpen bool   // do not open the browser
}

// AddFlags adds a flag for each field to the command line.
func (p *Place) AddFlags() {
	pflag.StringVar(&p.Listen, "listen", defaultAddress, "`address` of the page; port 0 means a free port")
	pflag.StringVar(&p.Host, "host", "", "`name` or address of this machine, for a browser on another machine")
	pflag.BoolVar(&p.NoOpen, "no-open", false, "do not open the browser")
}

// Check returns a [cli.Misuse] for flags that do not fit together.
func (p *Place) Check() error {
	if _, _, err := net.SplitHostPort(p.Listen); err != nil {
		return &cli.Misuse{Problem: fmt.Sprintf("--listen %s is not HOST:PORT", p.Listen)}
	}
	if p.public() && p.Host == "" {
		return &cli.Misuse{Problem: fmt.Sprintf("--listen %s needs --host, the name of this machine in the browser", p.Listen)}
	}
	if p.Host != "" && p.Listen == defaultAddress {
		return &cli.Misuse{Problem: fmt.Sprintf("--host %s needs --listen 0.0.0.0:8080: otherwise only this machine reaches the page", p.Host)}
	}
	return nil
}

// public reports whether other machines can reach the page.
func (p *Place) public() bool {
	host, _, _ := net.SplitHostPort(p.Listen)
	return host != "localhost" && !net.ParseIP(host).IsLoopback()
}

// Watch watches the topic, and shows the page until ctx ends.
func (p *Place) Watch(ctx context.Context, client *kgo.Client, topic string) error {
	source, err := observer.Start(ctx, client, topic)
	if err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(p.Listen)
	return p.Show(ctx, "topic "+topic, newHandler(source, cmp.Or(p.Host, "localhost"), cmp.Or(host, "localhost")))
}

// Show serves a page at this place until ctx ends. It prints the address, and opens the browser.
func (p *Place) Show(ctx context.Context, what string, handler http.Handler) error {
	listener, err := p.listen()
	if err != nil {
		return fmt.Errorf("cannot serve the page: %w", err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	url := fmt.Sprintf("http://%s/", net.JoinHostPort(cmp.Or(p.Host, "localhost"), strconv.Itoa(port)))
	cli.Say("%s is shown until Ctrl-C at %s", what, url)
	switch {
	case p.public():
		cli.Say("everybody who reaches port %d of this machine can read the messages", port)
	case p.NoOpen || !openBrowser(url):
		cli.Say("from another machine:  ssh -L %d:localhost:%[1]d you@this-machine, then open this address", port)
		if pflag.Lookup("listen") != nil {
			cli.Say("or without ssh:        start classroom/watch with --listen 0.0.0.0:%d --host this-machine", port)
		}
	}
	return answer(ctx, listener, handler)
}

// listen listens at the address or, if that is not possible, at another port.
func (p *Place) listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", p.Listen)
	if err == nil {
		return listener, nil
	}
	host, _, _ := net.SplitHostPort(p.Listen)
	other, otherErr := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if otherErr != nil {
		return nil, err
	}
	cli.Say("the page has another port: %v", err)
	return other, nil
}

// openBrowser opens the page in the browser of the desktop. It reports whether there is one.
func openBrowser(url string) bool {
	var command *exec.Cmd
	switch {
	case runtime.GOOS == "windows":
		command = exec.Command("rundll32", "url.dll,FileProtocolHandler", url)
	case runtime.GOOS == "darwin":
		command = exec.Command("open", url)
	case os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "":
		command = exec.Command("xdg-open", url)
	default:
		return false
	}
	if command.Start() != nil {
		return false
	}
	go command.Wait()
	return true
}
