package testbed

import (
	"github.com/rogpeppe/go-internal/testscript"

	"tkafka/pkg/lab/broker"
)

type scriptCommand = func(ts *testscript.TestScript, neg bool, args []string)

// commands returns the commands of the scripts. The package comment describes them.
func commands() map[string]scriptCommand {
	all := make(map[string]scriptCommand)
	for _, command := range []struct {
		name  string
		least int // arguments
		run   func(s *state, args []string)
	}{
		{"start", 2, (*state).start},
		{"terminal", 2, (*state).startOnTerminal},
		{"expect", 3, (*state).expect},
		{"feed", 2, (*state).feed},
		{"signal", 1, (*state).signal},
		{"eof", 1, (*state).closeInput},
		{"ended", 2, (*state).ended},
		{"send", 1, (*state).send},
		{"messages", 0, (*state).messages},
		{"arrived", 1, (*state).arrived},
		{"committed", 1, (*state).committed},
		{"reset", 3, (*state).reset},
		{"members", 2, (*state).members},
		{"join", 2, (*state).join},
		{"evict", 1, (*state).evict},
		{"topic", 1, (*state).makeTopic},
		{"delete", 0, (*state).deleteOwnTopic},
		{"listen", 1, (*state).listen},
		{"credentials", 2, (*state).credentials},
		{"cluster", 0, (*state).cluster},
		{"lose", 1, onBrokers((*broker.Cluster).Kill)},
		{"restore", 1, onBrokers((*broker.Cluster).Restart)},
		{"advertise", 1, (*state).advertise},
		{"fault", 2, (*state).fault},
		{"silenced", 0, (*state).awaitSilence},
	} {
		all[command.name] = func(ts *testscript.TestScript, neg bool, args []string) {
			if neg || len(args) < command.least {
				ts.Fatalf("%s needs %d arguments, and no !", command.name, command.least)
			}
			s := ts.Value(stateKey{}).(*state)
			s.ts = ts
			command.run(s, args)
		}
	}
	return all
}
