package skein

import (
	"fmt"

	"github.com/skein-db/skein/migration"
)

// way is the direction of a run's steps. Migrate and Undo take each step alike and differ in the words about it and in
// the names of the callbacks around it.
type way bool

const (
	forth way = false
	back  way = true
)

// verb is the command to run again.
func (w way) verb() string {
	if w == back {
		return "undo"
	}
	return "migrate"
}

// again is the command that goes on with a run. A deployment is more than one target's.
func (r *run) again() string {
	if d := r.cfg.Deployment; d != nil && d.Environment != "" {
		if r.way == back {
			return "skein deploy " + d.Environment + " --back-to " + d.Release
		}
		return "skein deploy " + d.Environment
	}
	return "skein " + r.way.verb()
}

// event is the part of the callbacks' names that the two differ in.
func (w way) event() string {
	if w == back {
		return "Undo"
	}
	return "Migrate"
}

// recorded is what a row says of the step's script or, on the way back, of its version.
func (w way) recorded() string {
	if w == back {
		return "undone"
	}
	return "applied"
}

// earlier says what stays of the n steps before.
func (w way) earlier(n int) string {
	what, verb := "script", "stays"
	if w == back {
		what = "migration"
	}
	if n != 1 {
		what, verb = what+"s", "stay"
	}
	return fmt.Sprintf("%d earlier %s %s %s", n, what, verb, w.recorded())
}

// name is how a script is called in messages: V7, U7, or its description.
func name(script *migration.Script) string {
	switch {
	case script.Version.IsZero():
		return script.Description
	case script.Kind == migration.Undo:
		return "U" + script.Version.String()
	}
	return "V" + script.Version.String()
}
