// Package lambda is Skein as an AWS Lambda function: one event in, one slice of a run through the library, one answer out.
//
// An event is read (event.go), its request followed until the time is up (slice.go, migrate.go), and what comes then is
// decided by a pure function (decide.go): the run has ended, goes on in another invocation, or is given up. The truth about
// what was applied is in the target's history alone, so an event that comes twice, or an invocation that is killed at any
// moment, does nothing twice. A failed migration is an answer; only what has nothing to do with the scripts, such as a
// server that does not answer, is an error of the function, which Lambda tries again.
package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/config"
	"github.com/skein-db/skein/internal/secret"
	"github.com/skein-db/skein/internal/wire"
)

// Opened is what settings come to.
type Opened struct {
	Engine   skein.Config
	Settings *config.Settings
	Redactor *secret.Redactor
}

// Command follows a request as far as the slice's time allows. An error that is no *skein.Error, config.Mistakes or one of
// a run that was cut short is an error of the function.
type Command func(context.Context, *Slice) (Answer, error)

// Function is the function. World and Out must be set.
type Function struct {
	World wire.World
	Out   io.Writer // of logs and metrics
	// Now is the clock; nil means the real one.
	Now func() time.Time
}

// call is what Lambda says of one invocation.
type call struct {
	requestID string
	deadline  time.Time
	function  string // the ARN that was invoked
}

// handle answers one invocation.
func (f *Function) handle(ctx context.Context, c call, payload []byte) (json.RawMessage, error) {
	l := newLog(f.Out, f.now)
	event, err := Decode(payload)
	if err != nil {
		l.with("requestId", c.requestID).logger.Error("the event cannot be followed", "error", err.Error())
		return json.Marshal(failed(Request{}, err, l.mask))
	}
	for _, why := range event.Ignored {
		l.with("requestId", c.requestID).logger.Info("ignored", "why", why)
	}
	var answers []Answer
	var again []string // messages of a queue
	var outages []error
	for i, item := range event.Items {
		answer, err := f.one(ctx, c, item, i)
		if err != nil {
			again, outages = append(again, item.Message), append(outages, err)
			continue
		}
		if event.Form == Queue && item.Err != nil {
			again = append(again, item.Message)
		}
		answers = append(answers, answer)
	}
	switch {
	case event.Form == Queue:
		return json.Marshal(redelivery(again))
	case len(outages) == 1:
		return nil, outages[0]
	case len(outages) > 0:
		return nil, errors.Join(outages...)
	case len(answers) == 0:
		return json.Marshal(Answer{Status: StatusNothing, Applied: []Applied{}, Warnings: event.Ignored})
	case event.Form == HTTP:
		return response(answers[0])
	case len(answers) == 1:
		return json.Marshal(answers[0])
	}
	return json.Marshal(map[string]any{"answers": answers})
}

// redelivery is the answer to a queue: which messages are to come again (ReportBatchItemFailures).
func redelivery(messages []string) any {
	type failure struct {
		ItemIdentifier string `json:"itemIdentifier"`
	}
	list := []failure{}
	for _, id := range messages {
		list = append(list, failure{id})
	}
	return map[string]any{"batchItemFailures": list}
}

// one follows one request.
func (f *Function) one(ctx context.Context, c call, item Item, index int) (Answer, error) {
	l := newLog(f.Out, f.now)
	if fault := item.Err; fault != nil {
		l.with("requestId", c.requestID).logger.Error("the request cannot be followed", "error", fault.Error())
		return failed(Request{}, fault, l.mask), nil // an error would be tried again
	}
	fallback := c.requestID
	if index > 0 {
		fallback += fmt.Sprintf("/%d", index)
	}
	s := &Slice{Request: item.Request.begin(fallback, f.now()), function: f, call: c, log: l}
	opened, err := s.open(ctx)
	if errors.Is(err, secret.ErrSilent) {
		return s.out(err)
	}
	if err != nil {
		if s.Request.Environment == "" {
			s.Request.Environment = "default"
		}
		answer := failed(s.Request, err, s.log.mask)
		if s.Request.Command == "doctor" {
			answer = s.unread(err)
		}
		return s.end(answer), nil
	}
	s.settle(opened)
	var answer Answer
	switch command, ok := f.command(s.Request); {
	case !ok:
		known := slices.Sorted(maps.Keys(commands()))
		err = &refusal{fmt.Sprintf("this function cannot %s: it knows %s", s.Request.Command, strings.Join(known, ", ")), "deploy a newer Skein"}
	default:
		answer, err = command(ctx, s)
	}
	if _, ok := errors.AsType[*outage](err); ok || errors.Is(err, secret.ErrSilent) {
		return s.out(err)
	}
	if err != nil {
		answer = failed(s.Request, err, s.log.mask)
	}
	return s.end(answer), nil
}

// out is the end of an invocation that could not do its work, which Lambda tries again.
func (s *Slice) out(err error) (Answer, error) {
	s.log.logger.Error("the function cannot do its work", "error", err.Error())
	return Answer{}, errors.New(s.log.mask(err.Error()))
}

// commands are those that a request may name, by their names.
func commands() map[string]Command {
	return map[string]Command{"migrate": migrate, "info": info, "validate": validate, "deploy": deployment, "promote": deployment, "status": status, "silence": silence, "doctor": examine}
}

func (f *Function) command(r Request) (Command, bool) {
	if r.Via == "ssm" {
		return viaSSM, true
	}
	c, ok := commands()[r.Command]
	return c, ok
}

func (f *Function) now() time.Time {
	if f.Now != nil {
		return f.Now()
	}
	return time.Now()
}

func (f *Function) env(name string) string { return f.World.Variable(name) }

// failed is the answer to a request that was not followed, or to one that failed.
func failed(r Request, err error, mask func(string) string) Answer {
	return Answer{Status: StatusFailed, Command: r.Command, Environment: r.Environment, Applied: []Applied{}, Error: faultOf(err, mask)}
}
