// Package trial finds out whether a program loses messages. It runs a consumer or a producer, in any
// language, as a process, breaks things around it, and compares what the program printed with what is in
// the topic. The judge and the tests use it.
//
// A consumer has processed a message when it prints a line on standard output that contains the text of
// the message, such as judge-000123. A producer sends each line of its standard input.
package trial

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tkafka/pkg/issuer"
)

// Suite is a program with the trials that it undergoes.
type Suite struct {
	Command  Command
	Producer bool
	Trials   []Trial // the first one is done alone: if it is not possible, the others are not either
	Existing *Existing
	Seed     uint64
	Long     bool
	Away     time.Duration // how long all brokers are away; 0 means 20 s
	Lanes    int           // how many trials run at a time; 1 on an existing cluster
	// Say shows what happens in a trial. It may be called at any time by several trials.
	Say func(trial, line string)
	// Done shows the result of each trial, at its end.
	Done func(Result)

	limits     limits
	ca         *issuer.CA
	identity   tls.Certificate
	grouped    bool // the program is a member of a group
	perProcess int  // its members in one process
}

// notTried is the error of a trial that is not possible.
type notTried struct{ why string }

func (n *notTried) Error() string { return n.why }

// Run performs the trials in folders below dir, and returns their results in the order of the trials. The
// error is only for what has nothing to do with the program.
func (s *Suite) Run(ctx context.Context, dir string) ([]Result, error) {
	if s.limits == (limits{}) {
		s.limits = defaultLimits
	}
	if s.Away > 0 {
		s.limits.away = s.Away
	} else if s.Long {
		s.limits.away = time.Minute
	}
	s.grouped, s.perProcess = !s.Producer, 1
	if s.Existing != nil {
		s.Lanes = 1
	} else {
		var err error
		if s.ca, err = issuer.New("judge", 24*time.Hour); err != nil {
			return nil, err
		}
		if s.identity, err = s.ca.Client(Topic); err != nil {
			return nil, err
		}
	}
	results := make([]Result, len(s.Trials))
	results[0] = s.try(ctx, s.Trials[0], filepath.Join(dir, s.Trials[0].Name))
	if results[0].Why != "" && results[0].Arrived == 0 { // it does not even work without a fault
		for i, t := range s.Trials[1:] {
			results[1+i] = Result{Trial: t.Name, What: t.What, Status: NotTried, Why: "the trial " + s.Trials[0].Name + " was not possible"}
		}
		return results, ctx.Err()
	}
	var all sync.WaitGroup
	lanes := make(chan struct{}, max(1, s.Lanes))
	for i, t := range s.Trials[1:] {
		lanes <- struct{}{}
		all.Go(func() {
			defer func() { <-lanes }()
			results[1+i] = s.try(ctx, t, filepath.Join(dir, t.Name))
		})
	}
	all.Wait()
	return results, ctx.Err()
}

// try performs one trial.
func (s *Suite) try(ctx context.Context, t Trial, dir string) (result Result) {
	name := fnv.New64()
	name.Write([]byte(t.Name))
	r := &run{
		Suite: s, ctx: ctx, name: t.Name, folder: dir, grouped: s.grouped,
		random: rand.New(rand.NewPCG(s.Seed, name.Sum64())), began: time.Now(),
		acked: make(map[int]bool), count: make(map[int]int),
		result: Result{Trial: t.Name, What: t.What, Status: OK},
	}
	if s.Existing != nil {
		r.base = int(r.began.UnixMilli()) // see textOf: a trial sends less than one message in a millisecond
	}
	defer func() {
		result.took(time.Since(r.began))
		if s.Done != nil && ctx.Err() == nil {
			s.Done(result)
		}
	}()
	err := r.perform(t)
	if problem := (*notTried)(nil); errors.As(err, &problem) {
		r.result.Status, r.result.Why = NotTried, problem.why
		return r.result
	}
	if problem := (*problem)(nil); errors.As(err, &problem) {
		r.setWhy(problem.text, problem.hint)
	} else if err != nil {
		r.result.Status, r.result.Why = NotTried, err.Error()
		return r.result
	}
	r.result.judge(t.Once)
	return r.result
}

// perform prepares a trial, performs it, and checks what there is to check, also after a problem.
func (r *run) perform(t Trial) error {
	switch {
	case t.own && r.Existing != nil:
		return &notTried{"only a cluster of the judge's own can be broken: leave out --topic"}
	case t.stops && r.Existing != nil && !r.Existing.Docker:
		return &notTried{"the judge must not stop brokers there: --docker allows it, if they are containers on this machine"}
	case t.grouped && !r.grouped:
		return &notTried{"the program is not a member of a group"}
	}
	auth, err := workFolder(r.folder, r.Command.Folder)
	if err != nil {
		return err
	}
	defer os.RemoveAll(r.folder)
	if r.Existing != nil {
		r.kafka, err = openExisting(r.ctx, r.Existing, fmt.Sprintf("judge-%s-%d", r.name, r.base), auth)
	} else {
		r.kafka, err = openOwn(r.ca, r.identity, auth)
	}
	if err != nil {
		return err
	}
	r.kafka.namesGroup = !r.Command.Uses("{group}")
	defer r.kafka.close()
	if r.kafka.made {
		defer func() {
			if err := r.kafka.deleteTopic(r.ctx); err != nil {
				r.say("topic %s stays on the cluster: %v", r.kafka.topic, err)
			}
		}()
		if err := r.inSync(); err != nil {
			return err
		}
	}
	defer r.close()
	before := make(map[int32]int64)
	if r.Producer {
		if _, before, err = r.kafka.ends(r.ctx); err != nil {
			return err
		}
	}
	failure := t.perform(r)
	if t.Name == r.Trials[0].Name {
		r.Suite.grouped = r.grouped
	}
	r.close()
	if errors.As(failure, new(*notTried)) || r.ctx.Err() != nil {
		return errors.Join(r.ctx.Err(), failure)
	}
	if r.Producer {
		writing, err := r.writing(before)
		if err != nil {
			return errors.Join(failure, err)
		}
		r.result.Findings = writing.Check()
		return failure
	}
	r.result.Findings = r.reading().Check()
	if failure != nil {
		if unread := r.result.dropUnread(); unread > 0 {
			r.result.note(fmt.Sprintf("%d messages were not read, and would be read later", unread))
		}
	}
	return failure
}
