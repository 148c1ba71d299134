package stall

// brief reports whether a statement, whose tokens r steps through, changes catalogs only, so that it takes next to no time
// once it has its locks. What is not known to be so is not.
func brief(r *reader) bool {
	switch {
	case r.words("drop"), r.words("truncate"), r.words("lock"):
		return true
	case r.words("create"):
		replace := r.words("or", "replace")
		return r.words("trigger") || r.words("policy") || r.words("rule") || replace && r.words("view")
	case r.words("alter"):
		switch {
		case r.words("table"), r.words("foreign", "table"):
			return briefTable(r)
		case r.words("view"), r.words("sequence"), r.words("trigger"), r.words("policy"), r.words("rule"):
			return true
		}
	}
	return false
}

func briefTable(r *reader) bool {
	if r.words("all") {
		return false
	}
	r.words("if", "exists")
	r.words("only")
	r.name()
	r.symbol("*")
	for !r.done() {
		if !briefAction(r.action()) {
			return false
		}
	}
	return true
}

// briefAction looks at one action of ALTER TABLE.
func briefAction(a *reader) bool {
	switch {
	case a.words("add"):
		if a.has("not") && a.has("valid") {
			return true
		}
		if a.words("constraint") {
			return false
		}
		a.words("column")
		// What a row has to be read, written or checked for, a default that is computed among them.
		return !a.has("check", "unique", "primary", "foreign", "references", "exclude", "generated", "constraint", "serial", "bigserial", "smallserial", "serial4", "serial8", "collate") &&
			!(a.has("default") && a.to("default") && a.hasSymbol("("))
	case a.words("alter"):
		a.words("column")
		a.name()
		return a.words("set", "default") || a.words("drop") || a.words("set", "statistics") || a.words("set", "storage") || a.words("set") && a.symbol("(")
	case a.words("set", "schema"), a.words("set", "without"):
		return true
	case a.words("set"), a.words("reset"):
		return a.symbol("(")
	}
	for _, verb := range [...]string{"drop", "rename", "owner", "enable", "disable", "replica", "cluster", "no"} {
		if a.words(verb) {
			return true
		}
	}
	return a.words("detach", "partition")
}
