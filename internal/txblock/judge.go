package txblock

import "strings"

func create(r *reader, _ int) Verdict {
	switch {
	case r.words("database"):
		return refusedOf("CREATE DATABASE", r.name(), "")
	case r.words("tablespace"):
		return refusedOf("CREATE TABLESPACE", r.name(), "")
	case r.words("index", "concurrently"), r.words("unique", "index", "concurrently"):
		r.words("if", "not", "exists")
		index := ""
		if !r.words("on") {
			index = r.name()
			r.words("on")
		}
		r.words("only")
		return refusedOf("CREATE INDEX CONCURRENTLY", index, r.name())
	case r.words("subscription"):
		name := r.name()
		// The slot on the publisher is what no rollback takes back.
		if o := r.withOptions(); o.on("connect", true) && o.on("create_slot", true) {
			return refusedOf("CREATE SUBSCRIPTION ... WITH (create_slot = true)", name, "")
		}
	}
	return Verdict{}
}

func drop(r *reader, _ int) Verdict {
	switch {
	case r.words("database"):
		return refusedOf("DROP DATABASE", r.nameIfExists(), "")
	case r.words("tablespace"):
		return refusedOf("DROP TABLESPACE", r.nameIfExists(), "")
	case r.words("index", "concurrently"):
		return refusedOf("DROP INDEX CONCURRENTLY", r.nameIfExists(), "")
	case r.words("subscription"):
		return refusedOf("DROP SUBSCRIPTION", r.nameIfExists(), "")
	}
	return Verdict{}
}

func alter(r *reader, server int) Verdict {
	switch {
	case r.words("system"):
		return refused("ALTER SYSTEM")
	case r.words("database"):
		r.name()
		if r.oneOf("set", "with"); r.words("tablespace") {
			return refused("ALTER DATABASE SET TABLESPACE")
		}
	case r.words("table"):
		return detach(r)
	case r.words("subscription"):
		return alterSubscription(r, server)
	case r.words("type"):
		r.name()
		if r.words("add", "value") && !from(server, 12) {
			return refused("ALTER TYPE ... ADD")
		}
	}
	return Verdict{}
}

func detach(r *reader) Verdict {
	r.words("if", "exists")
	r.words("only")
	table := r.name()
	r.symbol("*")
	if !r.words("detach", "partition") {
		return Verdict{}
	}
	if partition := r.name(); partition != "" && r.words("concurrently") {
		return refusedOf("ALTER TABLE ... DETACH CONCURRENTLY", partition, table)
	}
	return Verdict{}
}

func alterSubscription(r *reader, server int) Verdict {
	r.name()
	switch {
	case r.words("refresh", "publication"):
		if from(server, 14) {
			return refused("ALTER SUBSCRIPTION ... REFRESH")
		}
	case r.words("set", "publication"), r.words("add", "publication"), r.words("drop", "publication"):
		if from(server, 14) && r.withOptions().on("refresh", true) {
			return refused("ALTER SUBSCRIPTION with refresh")
		}
	case r.words("set"):
		o := r.options()
		switch _, failover := o["failover"]; {
		case failover && from(server, 17):
			return refused("ALTER SUBSCRIPTION ... SET (failover)")
		case !o.on("two_phase", true) && from(server, 18):
			// Only switching it off changes the slot on the publisher.
			return refused("ALTER SUBSCRIPTION ... SET (two_phase)")
		}
	}
	return Verdict{}
}

func reindex(r *reader, server int) Verdict {
	concurrently := r.options().on("concurrently", false)
	r.words("verbose")
	kind := r.oneOf("index", "table", "schema", "database", "system")
	if r.words("concurrently") || concurrently {
		return refused("REINDEX CONCURRENTLY")
	}
	what := "REINDEX " + strings.ToUpper(kind)
	switch kind {
	case "schema", "database", "system":
		return refused(what)
	case "table", "index":
		if !from(server, 14) {
			break // a partitioned one is skipped or refused, inside a transaction or not
		}
		class := AskTable
		if kind == "index" {
			class = AskIndex
		}
		return ask(class, r.name(), what)
	}
	return Verdict{}
}

// ask is the verdict for a relation whose kind decides; a statement without its name is no statement.
func ask(class Class, relation, what string) Verdict {
	if relation == "" {
		return Verdict{}
	}
	return Verdict{Class: class, Relation: relation, What: what}
}

func cluster(r *reader, server int) Verdict {
	r.options()
	r.words("verbose")
	if r.done() {
		return refused("CLUSTER")
	}
	table := r.name()
	if r.words("on") { // CLUSTER index ON table, the spelling before 8.3
		table = r.name()
	}
	if !from(server, 15) {
		return Verdict{} // a partitioned one is refused, inside a transaction or not
	}
	return ask(AskTable, table, "CLUSTER")
}

func repack(r *reader, server int) Verdict {
	switch {
	case !from(server, 19):
		return Verdict{}
	case r.options().on("concurrently", false):
		return refused("REPACK (CONCURRENTLY)")
	case r.done() || r.words("using", "index"):
		return refused("REPACK")
	}
	return ask(AskTable, r.name(), "REPACK")
}

func discard(r *reader, _ int) Verdict {
	if r.words("all") {
		return refused("DISCARD ALL")
	}
	return Verdict{}
}

func start(r *reader, _ int) Verdict {
	if r.words("transaction") {
		return Verdict{Class: Control, Control: Begin, What: "START TRANSACTION"}
	}
	return Verdict{}
}

func prepare(r *reader, _ int) Verdict {
	if r.words("transaction") {
		return Verdict{Class: Control, Control: End, What: "PREPARE TRANSACTION"}
	}
	return Verdict{}
}

func ending(verb string) judge {
	return func(r *reader, _ int) Verdict {
		if (verb == "COMMIT" || verb == "ROLLBACK") && r.words("prepared") {
			return refused(verb + " PREPARED")
		}
		r.oneOf("work", "transaction")
		switch {
		case verb == "ROLLBACK" && r.words("to"):
			return Verdict{Class: Control, Control: Savepoint, What: "ROLLBACK TO SAVEPOINT"}
		case r.words("and", "chain"):
			return Verdict{Class: Control, Control: Chain, What: verb + " AND CHAIN"}
		}
		return Verdict{Class: Control, Control: End, What: verb}
	}
}

// copyFrom finds COPY ... FROM STDIN as sqlsplit does; the grammar takes STDOUT there for the same.
func copyFrom(r *reader, _ int) Verdict {
	depth := 0
	for ; r.at < len(r.tokens); r.at++ {
		switch t := r.peek(); {
		case t.Text == "(":
			depth++
		case t.Text == ")":
			depth--
		case depth > 0 || r.tokens[r.at-1].Text == ".":
		case t.Is("to"):
			return Verdict{}
		case t.Is("from"):
			r.at++
			if r.oneOf("stdin", "stdout") != "" {
				return Verdict{Class: CopyIn, What: "COPY FROM STDIN"}
			}
			return Verdict{}
		}
	}
	return Verdict{}
}
