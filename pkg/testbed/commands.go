package testbed

import (
	"maps"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// command is a command of the scripts. The package comment describes each.
type command struct {
	usage string // the name and the arguments; those in brackets may be missing
	run   func(s *state, args []string)
}

type scriptCommand = func(ts *testscript.TestScript, neg bool, args []string)

func commands() map[string]scriptCommand {
	all := named(false,
		command{"start NAME PROGRAM [ARG...]", (*state).start},
		command{"terminal NAME PROGRAM [ARG...]", (*state).startOnTerminal},
		command{"expect NAME stdout|stderr REGEXP", (*state).expect},
		command{"feed NAME TEXT", (*state).feed},
		command{"signal NAME [SIGINT|SIGTERM|SIGQUIT|SIGHUP|SIGKILL]", (*state).signal},
		command{"eof NAME", (*state).closeInput},
		command{"ended NAME STATUS", (*state).ended},
		command{"promise TIMES PROGRAM [ARG...]", (*state).promise},
		command{"send [key=K] [partition=N] VALUE...", (*state).send},
		command{"messages [FORMAT]", (*state).messages},
		command{"arrived N", (*state).arrived},
		command{"limit BYTES", (*state).limit},
		command{"committed GROUP", (*state).committed},
		command{"reset GROUP PARTITION OFFSET", (*state).reset},
		command{"members GROUP N", (*state).members},
		command{"evict GROUP", (*state).evict},
		command{"delete", (*state).deleteOwnTopic},
		command{"recreate [PARTITIONS]", (*state).recreateTopic},
		command{"listen VARIABLE [controller]", (*state).listen},
		command{"credentials FOLDER USER [stranger|expired]", (*state).credentials},
		command{"cluster [plaintext] [VERSION] [USER=RIGHT...]", (*state).cluster},
	)
	maps.Copy(all, named(true,
		command{"lose BROKER", (*state).lose},
		command{"restore BROKER", (*state).restore},
		command{"restart", (*state).restartCluster},
		command{"zeros N BYTES", (*state).sendZeros},
		command{"freeze GROUP", (*state).freeze},
		command{"topic NAME", (*state).createTopic},
		command{"advertise HOST:PORT", (*state).advertise},
		command{"refuse-once REQUEST ERROR", (*state).refuseOnce},
		command{"refuse-produce [ERROR] [TIMES]", (*state).refuseProduce},
		command{"refuse-commit [ERROR]", (*state).refuseCommit},
	))
	return all
}

// named returns the commands by name. They check the number of their arguments and, if ownCluster is
// set, that the script has a cluster of its own.
func named(ownCluster bool, list ...command) map[string]scriptCommand {
	all := make(map[string]scriptCommand)
	for _, c := range list {
		words := strings.Fields(c.usage)
		name, parameters, least := words[0], words[1:], 0
		for _, parameter := range parameters {
			if !strings.HasPrefix(parameter, "[") {
				least++
			}
		}
		unlimited := strings.Contains(c.usage, "...")
		all[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			s := ts.Value(stateKey{}).(*state)
			s.ts = ts
			switch {
			case neg || len(args) < least || len(args) > len(parameters) && !unlimited:
				ts.Fatalf("usage: %s", c.usage)
			case ownCluster && !s.ownCluster:
				ts.Fatalf("%s needs a cluster of its own: use the command cluster first", name)
			}
			c.run(s, args)
		}
	}
	return all
}
