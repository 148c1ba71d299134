package migration

import (
	"fmt"
	"slices"
)

// callback takes one callback file in. Two files of one name are an error even when they are equal.
func (r *resolver) callback(f File, name Name, kind Type) {
	if r.opt.SkipDefaultCallbacks && kind == TypeSQL {
		return
	}
	c, config, err := r.load(f)
	if err != nil {
		r.errs = append(r.errs, err)
		return
	}
	// A program and a SQL script of one name are two callbacks; so are two programs of different languages.
	full, language := baseName(f.Path), "script"
	if kind == TypeSQL {
		full, _, _ = r.naming.cutSuffix(full)
		language = "SQL"
	}
	if other, taken := r.callbacks[language+full]; taken {
		r.errs = append(r.errs, &Error{Code: CodeError, Message: fmt.Sprintf("Found more than 1 %s callback script called %s!\nOffenders:\n-> %s\n-> %s",
			language, full, orElse(other.Physical, other.Path), orElse(f.Physical, f.Path)), Hint: "give one of them a description of its own: " + name.Event + r.naming.separator + "what_it_does"})
		return
	}
	r.callbacks[language+full] = f
	if !config.Executes() {
		return
	}
	if name.Event == "beforeConnect" && kind == TypeSQL {
		r.out.Warnings = append(r.out.Warnings, Warning{Path: f.Path, Text: "never runs: there is no connection yet at beforeConnect",
			Hint: "afterConnect is the first event a SQL callback can have; a program (.sh, .py) can have this one"})
	}
	r.out.Callbacks = append(r.out.Callbacks, Callback{Event: name.Event, Description: name.Description, Type: kind,
		Path: f.Path, Physical: f.Physical, Text: c.text, Config: config})
}

func sortCallbacks(callbacks []Callback) {
	slices.SortStableFunc(callbacks, func(a, b Callback) int {
		if a.Event != b.Event {
			return slices.Index(Events, a.Event) - slices.Index(Events, b.Event)
		}
		return compareUTF16(a.Description, b.Description)
	})
}
