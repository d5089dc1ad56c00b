package testbed

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"tkafka/pkg/embedded"
	"tkafka/pkg/issuer"
	"tkafka/pkg/localcluster"
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
	identity, err := ca.Client(args[1])
	s.ts.Check(err)
	folder := issuer.Folder{CA: ca, Identity: identity, Brokers: s.embedded.Brokers()}
	s.ts.Check(folder.Write(s.ts.MkAbs(args[0])))
}

// cluster starts an embedded cluster for this script alone. If there are rights, the first user with
// one gets the credentials in auth/.
func (s *state) cluster(args []string) {
	if s.ownCluster {
		s.ts.Fatalf("the script has a cluster of its own already")
	}
	config, user, secure := embedded.Config{}, "student", true
	for _, arg := range args {
		name, right, isRight := strings.Cut(arg, "=")
		if version := kversion.FromString(arg); version != nil {
			config.Options = append(config.Options, kfake.MaxVersions(version))
			continue
		}
		if !isRight {
			secure = secure && arg != "plaintext"
			continue
		}
		if config.Rights == nil {
			config.Rights, user = make(map[string][]kfake.ACL), name
		}
		config.Rights[name] = append(config.Rights[name], s.parseRight(right)...)
	}
	cluster, ca, err := startEmbedded(config, secure)
	s.ts.Check(err)
	s.ownCluster, s.config = true, config
	s.ts.Check(s.use(cluster, ca, filepath.Join(s.dir, "auth"), user))
	s.ts.Setenv("BROKERS", strings.Join(cluster.Brokers(), ","))
	s.ts.Check(s.makeTopic(s.topic))
}

// parseRight reads a right such as read:topic:client60.
func (s *state) parseRight(right string) []kfake.ACL {
	if right == "" {
		return nil
	}
	parts := strings.SplitN(right, ":", 3)
	if len(parts) != 3 {
		s.ts.Fatalf("%q is not operation:kind:name", right)
	}
	operation, err := kmsg.ParseACLOperation(parts[0])
	s.ts.Check(err)
	kind, err := kmsg.ParseACLResourceType(parts[1])
	s.ts.Check(err)
	return []kfake.ACL{{
		Resource: kind, Name: parts[2], Operation: operation,
		Pattern: kmsg.ACLResourcePatternTypeLiteral, Allow: true,
	}}
}

func (s *state) lose(args []string) { s.ts.Check(s.embedded.Kill(int32(s.number(args[0])))) }

func (s *state) restore(args []string) { s.ts.Check(s.embedded.Restart(int32(s.number(args[0])))) }

// restartCluster does what a user of classroom/cluster does who stops it and starts it again: the
// authority, the addresses and the name of the topic stay.
func (s *state) restartCluster([]string) {
	config := s.config
	config.Topics = []string{s.topic}
	for _, broker := range s.embedded.Brokers() {
		_, port, err := net.SplitHostPort(broker)
		s.ts.Check(err)
		config.Ports = append(config.Ports, s.number(port))
	}
	s.embedded.Close()
	cluster, err := localcluster.Start(s.ca, config)
	s.ts.Check(err)
	s.ts.Check(s.use(cluster, s.ca, filepath.Join(s.dir, "auth"), "student"))
}

func (s *state) advertise(args []string) {
	host, port, err := net.SplitHostPort(args[0])
	s.ts.Check(err)
	broker := kmsg.NewMetadataResponseBroker()
	broker.Host, broker.Port = host, int32(s.number(port))
	fake := s.embedded.Kfake()
	fake.ControlKey(kmsg.Metadata.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		resp := req.ResponseKind().(*kmsg.MetadataResponse)
		resp.Brokers = append(resp.Brokers, broker)
		return resp, nil, true
	})
}

func (s *state) freeze(args []string) {
	ctx, cancel := withTimeout()
	defer cancel()
	coordinator := s.admin.FindGroupCoordinators(ctx, args[0])[args[0]]
	s.ts.Check(coordinator.Err)
	frozen := (coordinator.NodeID + 1) % int32(len(s.embedded.Brokers()))
	fake := s.embedded.Kfake()
	fake.ControlKey(kmsg.Fetch.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		return nil, nil, fake.CurrentNode() == frozen
	})
}

func (s *state) refuseOnce(args []string) {
	answer := errorNamed(args[1])
	for key := range kmsg.MaxKey {
		if answer != nil && kmsg.NameForKey(int16(key)) == args[0] {
			s.embedded.Kfake().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Key(key)}, Err: answer})
			return
		}
	}
	s.ts.Fatalf("unknown request %s or error %s", args[0], args[1])
}

func (s *state) refuseProduce(args []string) {
	s.refuse(kmsg.Produce, kerr.TopicAuthorizationFailed, args)
}

func (s *state) refuseCommit(args []string) {
	s.refuse(kmsg.OffsetCommit, kerr.GroupAuthorizationFailed, args)
}

// refuse makes the cluster refuse requests of a kind: with the error and as often as the script says.
func (s *state) refuse(request kmsg.Key, answer *kerr.Error, args []string) {
	times := -1 // always
	if len(args) > 0 {
		if answer = errorNamed(args[0]); answer == nil {
			s.ts.Fatalf("unknown error %s", args[0])
		}
	}
	if len(args) > 1 {
		times = s.number(args[1])
	}
	s.embedded.Kfake().Fault(kfake.Fault{Keys: []kmsg.Key{request}, Err: answer, Count: times})
}

// errorNamed returns Kafka's error with a name such as INVALID_RECORD, or nil.
func errorNamed(name string) *kerr.Error {
	const last = 1000 // far more than Kafka has
	for code := int16(1); code < last; code++ {
		if err := kerr.TypedErrorForCode(code); err != nil && err.Code == code && err.Message == name {
			return err
		}
	}
	return nil
}

func (s *state) listen(args []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.ts.Check(err)
	s.ts.Defer(func() { listener.Close() })
	s.ts.Setenv(args[0], listener.Addr().String())
	if len(args) > 1 {
		identity, err := s.ca.Broker("controller", "localhost", "127.0.0.1")
		s.ts.Check(err)
		go s.control(tls.NewListener(listener, s.ca.MutualTLS(identity)))
	}
}

// control does what the port of a KRaft controller does: it answers the request for versions, without
// the requests of clients, and closes the connection at the next request.
func (s *state) control(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			broker, err := s.embedded.Dial(context.Background(), "tcp", s.embedded.Brokers()[0])
			if err != nil {
				return
			}
			defer broker.Close()
			for passVersions(client, broker) == nil {
			}
		}()
	}
}

// passVersions passes a request for versions, and removes the requests of clients from the answer: those
// that a client looks for.
func passVersions(client, broker net.Conn) error {
	request, err := readFrame(client)
	if err != nil {
		return err
	}
	key, version := int16(binary.BigEndian.Uint16(request)), int16(binary.BigEndian.Uint16(request[2:]))
	if key != kmsg.ApiVersions.Int16() {
		return errors.New("not for a controller")
	}
	if err := writeFrame(broker, request); err != nil {
		return err
	}
	answer, err := readFrame(broker)
	if err != nil {
		return err
	}
	const header = 4 // the correlation ID
	resp := kmsg.NewPtrApiVersionsResponse()
	resp.SetVersion(version)
	if err := resp.ReadFrom(answer[header:]); err != nil {
		return err
	}
	resp.ApiKeys = slices.DeleteFunc(resp.ApiKeys, func(known kmsg.ApiVersionsResponseApiKey) bool {
		return known.ApiKey == kmsg.Metadata.Int16() || known.ApiKey == kmsg.Produce.Int16()
	})
	return writeFrame(client, resp.AppendTo(answer[:header]))
}

func readFrame(from net.Conn) ([]byte, error) {
	size := make([]byte, 4)
	if _, err := io.ReadFull(from, size); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size))
	_, err := io.ReadFull(from, frame)
	return frame, err
}

func writeFrame(to net.Conn, frame []byte) error {
	_, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}
