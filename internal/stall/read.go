package stall

import (
	"strings"

	"github.com/skein-db/skein/internal/sqlsplit"
)

// read takes one statement's tokens.
func (n *Need) read(r *reader) {
	switch {
	case r.words("create"):
		n.create(r)
	case r.words("alter"):
		n.alter(r)
	case r.words("drop"):
		n.drop(r)
	case r.words("truncate"):
		n.truncate(r)
	case r.words("lock"):
		n.lock(r)
	case r.words("refresh", "materialized", "view"):
		mode := AccessExclusive
		if r.words("concurrently") {
			mode = Exclusive
		}
		n.add(mode, 0, r.name())
	case r.words("cluster"):
		r.options()
		r.skip("verbose")
		n.add(AccessExclusive, 0, r.name())
	case r.words("reindex"):
		r.options()
		r.skip("verbose")
		if (r.words("table") || r.words("index")) && !r.words("concurrently") {
			n.add(AccessExclusive, 0, r.name())
		}
	case r.words("vacuum"):
		n.vacuum(r)
	case r.words("do"):
		n.block(r)
	}
}

// options passes over a list in parentheses.
func (r *reader) options() {
	if !r.symbol("(") {
		return
	}
	for depth := 1; depth > 0 && !r.done(); {
		switch {
		case r.symbol("("):
			depth++
		case r.symbol(")"):
			depth--
		default:
			r.at++
		}
	}
}

func (n *Need) create(r *reader) {
	replace := r.words("or", "replace")
	r.skip("global", "local", "temporary", "temp", "unlogged", "unique", "recursive", "constraint")
	switch {
	case r.words("index"):
		if r.words("concurrently") || !r.to("on") {
			return
		}
		with := Children
		if r.words("only") {
			with = 0
		}
		n.add(Share, with, r.name())
	case r.words("table"), r.words("foreign", "table"):
		n.createTable(r)
	case r.words("view"), r.words("materialized", "view"), r.words("sequence"):
		r.words("if", "not", "exists")
		name := r.name()
		if replace {
			n.add(AccessExclusive, 0, name)
		}
		n.Creates = append(n.Creates, Key(name))
	case r.words("trigger"):
		if r.to("on") {
			n.add(ShareRowExclusive, 0, r.name())
		}
	case r.words("policy"):
		if r.to("on") {
			n.add(AccessExclusive, 0, r.name())
		}
	case r.words("rule"):
		if r.to("to") {
			n.add(AccessExclusive, 0, r.name())
		}
	}
}

func (n *Need) createTable(r *reader) {
	r.words("if", "not", "exists")
	n.Creates = append(n.Creates, Key(r.name()))
	if r.words("partition", "of") {
		n.add(AccessExclusive, Fallback, r.name())
	}
	n.references(r)
}

// references finds the tables that foreign keys point to.
func (n *Need) references(r *reader) {
	for from := *r; from.to("references"); {
		n.add(ShareRowExclusive, 0, from.name())
	}
}

func (n *Need) alter(r *reader) {
	switch {
	case r.words("table"), r.words("foreign", "table"):
		n.alterTable(r)
	case r.words("view"), r.words("materialized", "view"):
		r.words("if", "exists")
		n.add(AccessExclusive, 0, r.name())
	case r.words("sequence"):
		r.words("if", "exists")
		n.add(ShareRowExclusive, 0, r.name())
	case r.words("trigger"), r.words("policy"), r.words("rule"):
		if r.to("on") {
			n.add(AccessExclusive, 0, r.name())
		}
	case r.words("domain"):
		n.Opaque = r.has("add", "set") // it looks through the tables that use it
	case r.words("type"):
		n.Opaque = r.has("attribute")
	case r.words("extension"):
		n.Opaque = r.has("update")
	}
}

func (n *Need) alterTable(r *reader) {
	if r.words("all") {
		n.Opaque = true
		return
	}
	r.words("if", "exists")
	with := Children
	if r.words("only") {
		with = 0
	}
	name := r.name()
	r.symbol("*")
	mode := Mode("")
	for !r.done() {
		a := r.action()
		wants, more := n.alterAction(a)
		if stronger(wants, mode) {
			mode = wants
		}
		with |= more
	}
	if mode != "" {
		n.add(mode, with, name)
	}
}

func stronger(a, b Mode) bool {
	return a != "" && (b == "" || a == AccessExclusive)
}

// alterAction gives the lock that one action of ALTER TABLE wants on the table; "" for none that is strong.
func (n *Need) alterAction(a *reader) (Mode, Spread) {
	n.references(a)
	switch {
	case a.words("add"):
		if a.words("constraint") {
			a.name()
		}
		if a.words("foreign", "key") {
			return ShareRowExclusive, 0
		}
	case a.words("validate"), a.words("set", "without", "cluster"), a.words("cluster", "on"), a.words("inherit"):
		return "", 0
	case a.words("set"), a.words("reset"):
		if a.symbol("(") {
			return "", 0
		}
	case a.words("enable", "trigger"), a.words("disable", "trigger"), a.words("enable", "always", "trigger"), a.words("enable", "replica", "trigger"):
		return ShareRowExclusive, 0
	case a.words("attach", "partition"):
		n.add(AccessExclusive, Children, a.name())
		return "", 0
	case a.words("detach", "partition"):
		if partition := a.name(); !a.words("concurrently") && !a.words("finalize") {
			n.add(AccessExclusive, Children, partition)
			return AccessExclusive, Fallback
		}
		return "", 0
	case a.words("drop", "constraint"):
		return AccessExclusive, Linked
	case a.words("alter"):
		a.words("column")
		a.name()
		if a.words("set", "statistics") || a.words("set") && a.symbol("(") {
			return "", 0
		}
	}
	return AccessExclusive, 0
}

func (n *Need) drop(r *reader) {
	switch {
	case r.words("table"), r.words("foreign", "table"):
		n.list(r, AccessExclusive, Children|Linked)
	case r.words("view"), r.words("materialized", "view"), r.words("sequence"):
		n.list(r, AccessExclusive, 0)
	case r.words("index"):
		if !r.words("concurrently") {
			n.list(r, AccessExclusive, 0)
		}
	case r.words("trigger"), r.words("policy"), r.words("rule"):
		if r.to("on") {
			n.add(AccessExclusive, 0, r.name())
		}
	case r.words("owned"):
		n.Opaque = true
	default:
		n.Opaque = r.has("cascade") && !r.has("concurrently")
	}
}

// list takes names with commas between.
func (n *Need) list(r *reader, mode Mode, with Spread) {
	r.words("if", "exists")
	for {
		spread := with
		if r.words("only") {
			spread &^= Children
		}
		n.add(mode, spread, r.name())
		r.symbol("*")
		if !r.symbol(",") {
			break
		}
	}
	n.Opaque = n.Opaque || r.has("cascade")
}

func (n *Need) truncate(r *reader) {
	r.words("table")
	with := Children
	if r.has("cascade") {
		with |= Linked
	}
	n.list(r, AccessExclusive, with)
}

// lock reads LOCK TABLE, whose mode comes last.
func (n *Need) lock(r *reader) {
	mode := AccessExclusive
	for at := (reader{tokens: r.tokens, at: r.at}); at.to("in"); {
		switch {
		case at.words("share", "row", "exclusive"):
			mode = ShareRowExclusive
		case at.words("share", "mode"):
			mode = Share
		case at.words("exclusive"):
			mode = Exclusive
		case !at.words("access", "exclusive"):
			return // a mode that holds nobody up
		}
	}
	r.words("table")
	n.list(r, mode, Children)
}

// vacuum takes the tables that VACUUM FULL writes anew.
func (n *Need) vacuum(r *reader) {
	full := false
	for r.skip("freeze", "verbose", "analyze"); r.words("full") || r.peek().Text == "("; r.skip("freeze", "verbose", "analyze") {
		from := r.at
		if r.options(); r.at == from {
			full = true
			continue
		}
		inside := reader{tokens: r.tokens[from:r.at]}
		if inside.to("full") {
			full = !inside.words("off") && !inside.words("false") && inside.peek().Text != "0"
		}
		break
	}
	if !full {
		return
	}
	for {
		n.add(AccessExclusive, 0, r.name())
		r.options() // columns
		if !r.symbol(",") {
			break
		}
	}
	n.Opaque = len(n.Targets) == 0
}

// block looks for statements in the body of a DO: they begin behind a semicolon, or a word after which one may.
func (n *Need) block(r *reader) {
	for _, t := range r.tokens {
		if t.Kind != sqlsplit.String {
			continue
		}
		tokens := []sqlsplit.Token{{Kind: sqlsplit.Symbol, Text: ";"}}
		for t := range sqlsplit.Tokens(body(t.Text)) {
			tokens = append(tokens, t)
		}
		for i := 1; i < len(tokens); i++ {
			before := tokens[i-1]
			opens := before.Text == ";" || before.Is("begin") || before.Is("then") || before.Is("else") || before.Is("loop")
			switch {
			case opens && tokens[i].Is("execute"):
				n.Opaque = n.Opaque || mentionsVerb(t.Text)
			case opens && starts(tokens[i]) && !tokens[i].Is("do"):
				end := i
				for end < len(tokens) && tokens[end].Text != ";" {
					end++
				}
				n.read(&reader{tokens: tokens[i:end]})
			}
		}
		n.Creates = nil // whether they are made is the block's to decide
	}
}

// mentionsVerb reports whether a text that is put together at run time may be one of the statements that lock.
func mentionsVerb(text string) bool {
	for _, v := range verbs[:len(verbs)-1] {
		if mentions(text, v) {
			return true
		}
	}
	return false
}

// body is what stands between the quotes of a string.
func body(quoted string) string {
	if i := strings.IndexByte(quoted, '$'); i == 0 {
		tag := quoted[:strings.IndexByte(quoted[1:], '$')+2]
		return strings.TrimSuffix(quoted[len(tag):], tag)
	}
	_, inner, _ := strings.Cut(quoted, "'")
	return strings.ReplaceAll(strings.TrimSuffix(inner, "'"), "''", "'")
}
