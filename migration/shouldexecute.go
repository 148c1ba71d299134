package migration

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Executes evaluates the script's shouldExecute expression; without one the script runs. Resolve has checked the
// expression, so one that cannot be read never gets here; in a Script made by hand it counts as false.
func (c ScriptConfig) Executes() bool {
	if c.ShouldExecute == "" {
		return true
	}
	yes, err := evaluate(c.ShouldExecute)
	return err == nil && yes
}

// evaluate reads true, false, a==b, a!=b, joined by && and || (which binds weaker) and grouped by parentheses.
// A quoted operand loses its quotes.
//
// Errors name no part of the expression: placeholders are already replaced in it, and their values may be secret.
func evaluate(expression string) (bool, error) {
	e := &expr{rest: strings.TrimSpace(expression)}
	value, err := e.or()
	if err == nil && e.rest != "" {
		err = errors.New("nothing is expected here")
	}
	if err != nil {
		at := 1 + utf8.RuneCountInString(expression) - utf8.RuneCountInString(e.rest)
		return false, fmt.Errorf("%w, at character %d (use true, false, a==b, a!=b, &&, || and parentheses)", err, at)
	}
	return value, nil
}

type expr struct {
	rest  string
	depth int
}

func (e *expr) eat(token string) bool {
	after, ok := strings.CutPrefix(e.rest, token)
	if ok {
		e.rest = strings.TrimSpace(after)
	}
	return ok
}

func (e *expr) or() (bool, error) {
	value, err := e.and()
	for err == nil && e.eat("||") {
		var right bool
		right, err = e.and()
		value = value || right
	}
	return value, err
}

func (e *expr) and() (bool, error) {
	value, err := e.term()
	for err == nil && e.eat("&&") {
		var right bool
		right, err = e.term()
		value = value && right
	}
	return value, err
}

func (e *expr) term() (bool, error) {
	if e.eat("(") {
		if e.depth++; e.depth > 100 {
			return false, errors.New("too many parentheses")
		}
		value, err := e.or()
		if err == nil && !e.eat(")") {
			err = errors.New("missing )")
		}
		e.depth--
		return value, err
	}
	start := e.rest
	left := e.operand()
	switch {
	case e.eat("=="):
		return left == e.operand(), nil
	case e.eat("!="):
		return left != e.operand(), nil
	case strings.EqualFold(left, "true"):
		return true, nil
	case strings.EqualFold(left, "false"):
		return false, nil
	}
	e.rest = start
	return false, errors.New("neither true nor false nor a comparison")
}

// operand reads up to the next operator; a placeholder's value may be empty or have blanks inside.
func (e *expr) operand() string {
	end := len(e.rest)
	for _, operator := range []string{"==", "!=", "&&", "||", "(", ")"} {
		if i := strings.Index(e.rest, operator); i >= 0 {
			end = min(end, i)
		}
	}
	text := strings.TrimSpace(e.rest[:end])
	e.rest = e.rest[end:]
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		text = text[1 : n-1]
	}
	return text
}
