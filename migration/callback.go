package migration

import (
	"fmt"
	"slices"
)

// callback takes one callback file in. Two files of one name are an error even when they are equal.
func (r *resolver) callback(f File, name Name) {
	if r.opt.SkipDefaultCallbacks {
		return
	}
	text, config, err := r.load(f)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	full, _, _ := r.naming.cutSuffix(baseName(f.Path))
	if other, taken := r.callbacks[full]; taken {
		r.errs = append(r.errs, &Error{Code: CodeError, Message: fmt.Sprintf("Found more than 1 SQL callback script called %s!\nOffenders:\n-> %s\n-> %s",
			full, orElse(other.Physical, other.Path), orElse(f.Physical, f.Path)), Hint: "give one of them a description of its own: " + name.Event + r.naming.separator + "what_it_does"})
		return
	}
	r.callbacks[full] = f
	if name.Event == "beforeConnect" {
		r.out.Warnings = append(r.out.Warnings, Warning{Path: f.Path, Text: "never runs: there is no connection yet at beforeConnect",
			Hint: "afterConnect is the first event a SQL callback can have"})
	}
	r.out.Callbacks = append(r.out.Callbacks, Callback{Event: name.Event, Description: name.Description,
		Path: f.Path, Physical: f.Physical, Text: text, Config: config})
}

func sortCallbacks(callbacks []Callback) {
	slices.SortStableFunc(callbacks, func(a, b Callback) int {
		if a.Event != b.Event {
			return slices.Index(Events, a.Event) - slices.Index(Events, b.Event)
		}
		return compareUTF16(a.Description, b.Description)
	})
}
