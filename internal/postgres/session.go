package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/skein-db/skein/internal/sqlsplit"
)

// Session is what the connection looked like once initSql and afterConnect had run.
type Session struct {
	reset []string
}

// CleanSession is the session of a connection on which nothing ran but "set role", when role is not empty.
func CleanSession(role string) Session {
	return Session{reset: filled("reset session authorization", setRole(role), "reset all", "close all", "deallocate all",
		"unlisten *", "select pg_catalog.pg_advisory_unlock_all()", "discard temp", "discard sequences")}
}

// Reset lists the statements that bring the session back from wherever a script took it. They are allowed in a
// transaction.
func (s Session) Reset() []string { return s.reset }

// CaptureSession looks at the session after the user's statements, given as texts, have run on it. The texts are needed
// for settings of an application's own (my.tenant), which no catalog lists.
func (c *Conn) CaptureSession(ctx context.Context, texts ...string) (Session, error) {
	rows, err := c.query(ctx, `select name, pg_catalog.current_setting(name, true), null from unnest(`+literalArray(customSettings(texts))+`) name
	where pg_catalog.current_setting(name, true) is not null
union all select name, setting, null from pg_catalog.pg_settings where source = 'session'
union all select 'session_authorization', session_user, null where session_user <> (select usename from pg_catalog.pg_stat_activity where pid = pg_catalog.pg_backend_pid())
union all select 'role', pg_catalog.current_setting('role'), null where pg_catalog.current_setting('role') <> 'none'
union all select '', 'temp', relname::pg_catalog.text from pg_catalog.pg_class where relnamespace = pg_catalog.pg_my_temp_schema()
union all select '', 'prepared', name from pg_catalog.pg_prepared_statements
union all select '', 'advisory', classid || ',' || objid || ',' || objsubid from pg_catalog.pg_locks where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid() and granted
union all select '', 'listen', channel from pg_catalog.pg_listening_channels() channel`)
	if err != nil {
		return Session{}, err
	}
	kept := map[string][]string{}
	authorization, role := "reset session authorization", ""
	settings := []string{"reset all"}
	for _, r := range rows {
		switch name := *r[0]; name {
		case "":
			kept[*r[1]] = append(kept[*r[1]], *r[2])
		case "session_authorization":
			authorization = "set session authorization " + Ident(*r[1])
		case "role":
			role = setRole(*r[1])
		default:
			settings = append(settings, fmt.Sprintf("select pg_catalog.set_config(%s, %s, false)", Literal(name), Literal(*r[1])))
		}
	}
	parts := append([]string{authorization, role}, settings...)
	parts = append(parts, "close all")
	parts = append(parts, unless(kept["prepared"], "deallocate all", dropPrepared))
	parts = append(parts, "unlisten *")
	for _, channel := range kept["listen"] {
		parts = append(parts, "listen "+Ident(channel))
	}
	parts = append(parts, unless(kept["advisory"], "select pg_catalog.pg_advisory_unlock_all()", dropAdvisory))
	parts = append(parts, unless(kept["temp"], "discard temp", dropTemp), "discard sequences")
	return Session{reset: filled(parts...)}, nil
}

// customSettings lists what in the texts could be the name of a setting with a prefix: a dotted pair of words, bare or
// as a string.
func customSettings(texts []string) []string {
	var names []string
	for _, text := range texts {
		var before [2]sqlsplit.Token
		for t := range sqlsplit.Tokens(text) {
			if t.Kind == sqlsplit.Word && before[1].Text == "." && before[0].Kind == sqlsplit.Word {
				names = append(names, before[0].Text+"."+t.Text)
			}
			if name := strings.Trim(t.Text, "'"); t.Kind == sqlsplit.String && customName.MatchString(name) {
				names = append(names, name)
			}
			before = [2]sqlsplit.Token{before[1], t}
		}
	}
	return names
}

var customName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+$`)

// unless gives the plain statement when initSql and afterConnect left nothing of that sort behind, else the one that
// spares what they left.
func unless(kept []string, plain string, sparing func([]string) string) string {
	if len(kept) == 0 {
		return plain
	}
	return sparing(kept)
}

func dropPrepared(kept []string) string {
	return doBlock(`for r in select name from pg_catalog.pg_prepared_statements where name <> all (` + literalArray(kept) + `) loop
	execute pg_catalog.format('deallocate %I', r.name); end loop;`)
}

func dropAdvisory(kept []string) string {
	return doBlock(`for r in select classid::pg_catalog.int8 as c, objid::pg_catalog.int8 as o, objsubid as s from pg_catalog.pg_locks
	where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid() and granted and classid || ',' || objid || ',' || objsubid <> all (` + literalArray(kept) + `) loop
	if r.s = 1 then perform pg_catalog.pg_advisory_unlock(r.c << 32 | r.o);
	else perform pg_catalog.pg_advisory_unlock(r.c::pg_catalog.int4, r.o::pg_catalog.int4); end if; end loop;`)
}

func dropTemp(kept []string) string {
	return doBlock(`for r in select c.relname, case c.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end as kind
	from pg_catalog.pg_class c where c.relnamespace = pg_catalog.pg_my_temp_schema() and c.relkind in ('r', 'p', 'v', 'S') and c.relname <> all (` + literalArray(kept) + `) loop
	execute pg_catalog.format('drop %s if exists pg_temp.%I cascade', r.kind, r.relname); end loop;`)
}

func doBlock(body string) string {
	return "do " + Literal("declare r record; begin "+body+" end") + " language plpgsql"
}

func filled(statements ...string) []string {
	return slices.DeleteFunc(statements, func(s string) bool { return s == "" })
}

// SearchPathSQL puts the default schema in front of the search path that the session had, unless it stands there
// already (flyway.md §6.4). "" means that nothing is to be done.
func SearchPathSQL(schema, original string) string {
	if original == schema || strings.HasPrefix(original, schema+",") ||
		original == Ident(schema) || strings.HasPrefix(original, Ident(schema)+",") {
		return ""
	}
	path := Ident(schema)
	if original != "" {
		path += "," + original
	}
	return "select pg_catalog.set_config('search_path', " + Literal(path) + ", false)"
}
