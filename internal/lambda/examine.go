package lambda

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/aws"
	"github.com/skein-db/skein/internal/doctor"
)

// examine is the command doctor: what the command line's verb looks at, from where the function is, and the function itself.
func examine(ctx context.Context, s *Slice) (Answer, error) {
	ctx, cancel := context.WithDeadline(ctx, s.letGo)
	defer cancel()
	found := append(s.itself(ctx), doctor.Look(ctx, doctor.Patient{
		World: s.function.World, Settings: s.Opened.Settings, Engine: s.Opened.Engine, Secrets: s.Opened.Redactor, Now: s.function.now,
	})...)
	a := Answer{Status: StatusSucceeded, Checks: found}
	for _, f := range found {
		s.log.logger.Info(string(f.Status), "check", f.Check, "text", f.Text, "hint", f.Next)
	}
	if f := doctor.First(found); f != nil {
		a.Status = StatusFailed
		a.Error = &Fault{Kind: f.Kind.String(), Message: f.Check + ": " + f.Text, Hint: f.Next}
	}
	return a, nil
}

// unread is the answer of doctor where the settings cannot be read.
func (s *Slice) unread(err error) Answer {
	a := failed(s.Request, err, s.log.mask)
	a.Checks = doctor.Unread(err)
	for i := range a.Checks {
		a.Checks[i].Text, a.Checks[i].Next = s.log.mask(a.Checks[i].Text), s.log.mask(a.Checks[i].Next)
	}
	return a
}

// shortTime is less than what a migration that has to wait for a lock is likely to take.
const shortTime = time.Minute

// askLimit is how long the question may take whether the function may invoke itself: from a VPC without a way out nobody answers.
const askLimit = 5 * time.Second

// itself looks at the function: how much time and memory it has, and whether it can go on in another invocation.
func (s *Slice) itself(ctx context.Context) []doctor.Finding {
	var found []doctor.Finding
	add := func(status doctor.Status, check, text, next string) {
		found = append(found, doctor.Finding{Check: check, Status: status, Text: text, Next: next})
	}
	now := s.function.now()
	left, work := s.call.deadline.Sub(now).Round(time.Second), s.begin.Sub(now).Round(time.Second)
	text := fmt.Sprintf("%v are left of the function's time; scripts are begun in the first %v, the rest is kept to stop in", left, work)
	switch {
	case work <= 0:
		found = append(found, doctor.Finding{Check: "time", Status: doctor.Failed, Kind: skein.KindConfig, Text: text, Next: "give the function more time (Timeout, up to 900 seconds), or lower lambda.margin"})
	case left < shortTime:
		add(doctor.Warning, "time", text, "give the function more time: Timeout, up to 900 seconds")
	default:
		add(doctor.OK, "time", text, "")
	}
	if memory := s.function.env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"); memory != "" {
		add(doctor.OK, "memory", memory+" MB", "")
	} else {
		add(doctor.Warning, "memory", "nobody says how much memory the function has (AWS_LAMBDA_FUNCTION_MEMORY_SIZE)", "")
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	name := s.function.name(s.call)
	err := s.function.invoked(ctx, name, "DryRun", []byte("{}"))
	e, refused := errors.AsType[*aws.Error](err)
	switch {
	case err == nil:
		add(doctor.OK, "go on", "the function may invoke itself", "")
	case refused && !aws.Busy(err):
		add(doctor.Warning, "go on", "the function may not invoke itself: "+e.Error(), "allow lambda:InvokeFunction on "+name+`; with "continue": "answer" (Step Functions) it need not`)
	default:
		add(doctor.Warning, "go on", "whether the function may invoke itself could not be seen: "+err.Error(), `in a VPC without a way out there has to be an endpoint for lambda; with "continue": "answer" (Step Functions) it need not`)
	}
	return found
}
