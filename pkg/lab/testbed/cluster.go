package testbed

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tkafka/pkg/lab/broker"
	"tkafka/pkg/lab/issuer"
)

func (s *state) credentials(args []string) {
	if s.ca == nil {
		s.ts.Fatalf("credentials needs an embedded cluster")
	}
	ca, err := s.ca, error(nil)
	switch {
	case slices.Contains(args[2:], "stranger"):
		ca, err = issuer.New("another authority", time.Hour)
	case slices.Contains(args[2:], "expired"):
		ca, err = ca.Lasting(-time.Second)
	}
	s.ts.Check(err)
	s.ts.Check(ca.WriteFolder(s.ts.MkAbs(args[0]), args[1], s.embedded.Brokers()))
}

func (s *state) cluster(args []string) {
	config, user := broker.Config{}, "student"
	for _, arg := range args {
		name, right, isRight := strings.Cut(arg, "=")
		switch version := kversion.FromString(arg); {
		case version != nil:
			config.Options = append(config.Options, kfake.MaxVersions(version))
		case isRight:
			if config.Rights == nil {
				config.Rights, user = make(map[string][]kfake.ACL), name
			}
			config.Rights[name] = append(config.Rights[name], s.parseRight(right)...)
		default:
			s.ts.Fatalf("unknown argument %s", arg)
		}
	}
	own, err := startEmbedded(config)
	s.ts.Check(err)
	s.ownCluster = true
	s.ts.Check(s.use(own, user))
	s.ts.Setenv("BROKERS", strings.Join(s.brokers, ","))
	s.makeTopic([]string{s.topic})
}

// parseRight reads a right such as read:topic:client60.
func (s *state) parseRight(right string) []kfake.ACL {
	if right == "" {
		return nil
	}
	parts := strings.SplitN(right, ":", 3)
	operation, err := kmsg.ParseACLOperation(parts[0])
	s.ts.Check(err)
	kind, err := kmsg.ParseACLResourceType(parts[1])
	s.ts.Check(err)
	return []kfake.ACL{{
		Resource: kind, Name: parts[2], Operation: operation,
		Pattern: kmsg.ACLResourcePatternTypeLiteral, Allow: true,
	}}
}

// own is the embedded cluster that only this script uses.
func (s *state) own() *broker.Cluster {
	if !s.ownCluster {
		s.ts.Fatalf("this needs a cluster of its own: use the command cluster first")
	}
	return s.embedded
}

// onBrokers returns the command that does something with each of the brokers.
func onBrokers(do func(*broker.Cluster, int32) error) func(*state, []string) {
	return func(s *state, args []string) {
		for _, arg := range args {
			s.ts.Check(do(s.own(), int32(s.number(arg))))
		}
	}
}

func (s *state) advertise(args []string) {
	host, port, err := net.SplitHostPort(args[0])
	s.ts.Check(err)
	broker := kmsg.NewMetadataResponseBroker()
	broker.Host, broker.Port = host, int32(s.number(port))
	fake := s.own().Kfake()
	fake.ControlKey(kmsg.Metadata.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = append(resp.Brokers, broker)
		return resp, nil, true
	})
}

func (s *state) fault(args []string) {
	fake, times := s.own().Kfake(), 1
	if len(args) > 2 && args[2] == "always" {
		times = -1
	}
	s.silenced.Store(false)
	var key kmsg.Key
	for key = range kmsg.MaxKey {
		if kmsg.NameForKey(int16(key)) == args[0] {
			break
		}
	}
	if args[1] == "silence" {
		fake.ControlKey(key.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			s.silenced.Store(true)
			if times < 0 {
				fake.KeepControl()
			}
			return nil, nil, true
		})
		return
	}
	const last = 1000 // far more than Kafka has
	for code := int16(1); code < last; code++ {
		if err := kerr.TypedErrorForCode(code); err != nil && err.Code == code && err.Message == args[1] {
			fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: err, Count: times})
			return
		}
	}
	s.ts.Fatalf("unknown error %s", args[1])
}

func (s *state) awaitSilence([]string) {
	ctx, cancel := withTimeout()
	defer cancel()
	s.ts.Check(until(ctx, s.silenced.Load))
}

func (s *state) listen(args []string) {
	if len(args) > 1 && args[1] == "controller" {
		controller, err := broker.Start(broker.Config{CA: s.ca, Ports: []int{0}})
		s.ts.Check(err)
		s.ts.Defer(controller.Close)
		s.ts.Setenv(args[0], controller.Brokers()[0])
		controller.Kfake().ControlKey(-1, func(request kmsg.Request) (kmsg.Response, error, bool) {
			controller.Kfake().KeepControl()
			return nil, errors.New("the connection is closed"), request.Key() != kmsg.ApiVersions.Int16()
		})
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.ts.Check(err)
	s.ts.Defer(func() { listener.Close() })
	s.ts.Setenv(args[0], listener.Addr().String())
	if len(args) > 1 {
		go http.Serve(listener, nil)
	}
}
