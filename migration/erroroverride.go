package migration

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// Override is what becomes of an error or a message of the server.
type Override byte

// The overrides, from the one that hides to the one that fails.
const (
	NoOverride Override = 0   // no rule applies: as the server has it
	ToDebug    Override = 'D' // seen only where everything is shown
	ToInfo     Override = 'I'
	ToWarning  Override = 'W'
	ToError    Override = 'E'
)

// ErrorOverride is one rule of Flyway's setting errorOverrides.
type ErrorOverride struct {
	Text  string   // as written
	To    Override // never NoOverride
	Brief bool     // do not show state and code

	state string // a pattern with *
	code  string
}

// ParseErrorOverrides reads rules of the form STATE:CODE:ACTION, such as "42P07:0:I" or "01*:*:E-". STATE is a
// SQLSTATE and CODE a vendor's error code, which PostgreSQL has not: 0; * stands for any. ACTION is D, I, W or E, for
// debug, info, warning and error, and a - behind it hides state and code. The error joins all mistakes.
func ParseErrorOverrides(rules []string) ([]ErrorOverride, error) {
	var out []ErrorOverride
	var wrong []error
	for _, rule := range rules {
		o, problem := parseErrorOverride(strings.TrimSpace(rule))
		if problem != "" {
			wrong = append(wrong, &Error{Code: CodeConfiguration, Message: fmt.Sprintf("Invalid error override %q: %s", rule, problem),
				Hint: "write STATE:CODE:ACTION, for instance 42P07:0:I; the actions are D, I, W and E"})
			continue
		}
		out = append(out, o)
	}
	return out, errors.Join(wrong...)
}

func parseErrorOverride(rule string) (o ErrorOverride, problem string) {
	parts := strings.Split(rule, ":")
	if len(parts) != 3 {
		return o, "it needs three parts, divided by colons"
	}
	o = ErrorOverride{Text: rule, state: strings.ToUpper(parts[0]), code: parts[1]}
	if o.state == "" || strings.Trim(o.state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ*") != "" {
		return o, "the state is made of letters, digits and *"
	}
	if _, err := strconv.Atoi(o.code); err != nil && o.code != "*" {
		return o, "the code is a whole number or *"
	}
	action, brief := strings.CutSuffix(parts[2], "-")
	if len(action) != 1 || !strings.Contains("DIWE", action) {
		return o, "the action is D, I, W or E"
	}
	o.To, o.Brief = Override(action[0]), brief
	return o, ""
}

// Matches reports whether the rule is about the SQLSTATE. PostgreSQL's code is 0.
func (o ErrorOverride) Matches(state string) bool {
	ok, err := path.Match(o.state, strings.ToUpper(state))
	return err == nil && ok && (o.code == "*" || o.code == "0")
}

// Condition is Matches as an SQL condition about an expression that gives the SQLSTATE.
func (o ErrorOverride) Condition(state string) string {
	if o.code != "*" && o.code != "0" {
		return "false"
	}
	// A rule holds letters, digits and *, nothing that LIKE or a string minds.
	return state + " like '" + strings.ReplaceAll(o.state, "*", "%") + "'"
}

// Idle reports whether no state of PostgreSQL's can match.
func (o ErrorOverride) Idle() bool {
	return o.code != "*" && o.code != "0" || !strings.Contains(o.state, "*") && len(o.state) != 5
}

// OverrideFor returns the first rule about the state.
func OverrideFor(rules []ErrorOverride, state string) (rule ErrorOverride, found bool) {
	for _, o := range rules {
		if o.Matches(state) {
			return o, true
		}
	}
	return ErrorOverride{}, false
}
