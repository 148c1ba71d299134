// Package aws makes calls to services of AWS, and knows the few of them that Skein needs: who somebody is, and the schedules of
// EventBridge Scheduler.
//
// Calls are made over net/http and signed by the SDK: its clients of the services cost each start of the program more
// than the connection to the database does.
package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	account "github.com/skein-db/skein/internal/secret/aws"
)

// patience is how long one call may take, with the attempts that it needs.
const patience = 10 * time.Second

// Caller makes calls for one account.
type Caller struct {
	// Account says where region and credentials come from.
	Account account.Account
	// Now is the clock that calls are signed by; nil: the real one.
	Now func() time.Time
}

// Call is one call to a service.
type Call = account.Call

// Answer is what a service says to a call that it follows.
type Answer struct {
	Body []byte
	// Date is the service's clock when it answered; zero where it does not say.
	Date time.Time
}

// Error is what a service says of a call that it does not follow.
type Error struct {
	Status     int
	Kind, Text string
	Date       time.Time // as in an Answer
}

func (e *Error) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s (%s, status %d)", e.Text, e.Kind, e.Status))
}

// NoCredentials is the reason why a call was not made.
type NoCredentials struct{ Err error }

func (e *NoCredentials) Error() string { return e.Err.Error() }

func (e *NoCredentials) Unwrap() error { return e.Err }

// Busy reports whether the same call may succeed in a moment.
func Busy(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		return account.Passing(e.Status, e.Kind)
	}
	_, none := errors.AsType[*NoCredentials](err)
	return err != nil && !none
}

// Region is where calls go.
func (c Caller) Region() (string, error) {
	region, err := c.Account.Region()
	if err != nil {
		return "", &NoCredentials{err}
	}
	return region, nil
}

// Do signs and makes a call, again after a moment if the service is busy. An error of the service is *Error.
func (c Caller) Do(ctx context.Context, call Call) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	region, err := c.Region()
	if err != nil {
		return Answer{}, err
	}
	session, err := c.Account.Session(ctx, region)
	if err != nil {
		return Answer{}, &NoCredentials{err}
	}
	now := c.Now
	if now == nil {
		now = time.Now
	}
	var before error // of the attempt before
	for wait := 200 * time.Millisecond; ; wait *= 2 {
		answer, err := attempt(ctx, session, call, now())
		if err != nil && before != nil && ctx.Err() != nil {
			return Answer{}, before // what the service has said says more than that the time is up
		}
		if !Busy(err) || wait > 2*time.Second {
			return answer, err
		}
		before = err
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return Answer{}, err
		}
	}
}

func attempt(ctx context.Context, session account.Session, call Call, now time.Time) (Answer, error) {
	said, err := session.Do(ctx, call, now)
	if err != nil {
		return Answer{}, err
	}
	date, _ := http.ParseTime(said.Header.Get("Date")) // zero where there is none
	if said.Status < 300 {
		return Answer{Body: said.Body, Date: date}, nil
	}
	kind, text := account.Said(said.Header, said.Body)
	return Answer{}, &Error{said.Status, cmp.Or(kind, "no name"), cmp.Or(text, http.StatusText(said.Status)), date}
}
