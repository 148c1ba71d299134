package postgres

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/skein-db/skein/internal/sqlsplit"
)

// Session is what the connection looked like once initSql and afterConnect had run.
type Session struct {
	reset []string
}

// CleanSession is the session of a connection on which nothing ran but "set role", when role is not empty. A quiet one
// is as QuietSQL makes it.
func CleanSession(role string, quiet bool) Session {
	return Session{reset: filled("reset session authorization", setRole(role), resetAll(quiet), "close all", "deallocate all",
		"unlisten *", "discard temp", "discard sequences", unlockAll)}
}

func resetAll(quiet bool) string {
	if quiet {
		return QuietSQL(true)
	}
	return "reset all"
}

// Reset lists the statements that bring the session back from wherever a script took it, and then select what is given, in
// one with the last of them where that can be. They are allowed in a transaction.
func (s Session) Reset(and ...string) []string {
	switch last := len(s.reset) - 1; {
	case len(and) == 0:
		return s.reset
	case s.reset[last] == unlockAll:
		return append(slices.Clip(s.reset[:last]), unlockAll+", "+strings.Join(and, ", "))
	}
	return append(slices.Clip(s.reset), "select "+strings.Join(and, ", "))
}

const unlockAll = "select pg_catalog.pg_advisory_unlock_all()"

// CaptureSession looks at the session after the user's statements, given as texts, have run on it. The texts are needed
// for settings of an application's own (my.tenant), which no catalog lists. quiet says that it is as QuietSQL makes it.
func (c *Conn) CaptureSession(ctx context.Context, quiet bool, texts ...string) (Session, error) {
	rows, err := c.query(ctx, `select name, pg_catalog.current_setting(name, true), null from unnest(`+literalArray(customSettings(texts))+`) name
	where pg_catalog.current_setting(name, true) is not null
union all select name, setting, null from pg_catalog.pg_settings where source = 'session'`+c.ownSettings()+`
union all select 'session_authorization', session_user, null where session_user <> (select usename from pg_catalog.pg_stat_activity where pid = pg_catalog.pg_backend_pid())
union all select 'role', pg_catalog.current_setting('role'), null where pg_catalog.current_setting('role') <> 'none'
union all select '', 'temp', 'c' || oid from pg_catalog.pg_class where relnamespace = pg_catalog.pg_my_temp_schema()
union all select '', 'temp', 't' || oid from pg_catalog.pg_type where typnamespace = pg_catalog.pg_my_temp_schema()
union all select '', 'temp', 'p' || oid from pg_catalog.pg_proc where pronamespace = pg_catalog.pg_my_temp_schema()
union all select '', 'prepared', name from pg_catalog.pg_prepared_statements
union all select '', 'advisory', `+lockID+` from pg_catalog.pg_locks where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid() and granted
union all select '', 'listen', channel from pg_catalog.pg_listening_channels() channel`)
	if err != nil {
		return Session{}, err
	}
	kept := map[string][]string{}
	// What only a superuser may set comes back before the session gives up being one.
	parts := []string{"reset session authorization", resetAll(quiet)}
	authorization, role := "", ""
	for _, r := range rows {
		switch name := *r[0]; name {
		case "":
			kept[*r[1]] = append(kept[*r[1]], *r[2])
		case "session_authorization":
			authorization = "set session authorization " + Ident(*r[1])
		case "role":
			role = setRole(*r[1])
		default:
			parts = append(parts, fmt.Sprintf("select pg_catalog.set_config(%s, %s, false)", Literal(name), Literal(*r[1])))
		}
	}
	parts = append(parts, authorization, role, "close all", unless(kept["prepared"], "deallocate all", dropPrepared), "unlisten *")
	for _, channel := range kept["listen"] {
		parts = append(parts, "listen "+Ident(channel))
	}
	parts = append(parts, unless(kept["advisory"], unlockAll, dropAdvisory))
	parts = append(parts, unless(kept["temp"], "discard temp", dropTemp), "discard sequences")
	return Session{reset: filled(parts...)}, nil
}

// ownSettings leaves out what Open itself has set.
func (c *Conn) ownSettings() string {
	if c.readOnly {
		return " and name <> 'default_transaction_read_only'"
	}
	return ""
}

// StartSQL lists the statements that give a session of another client what this one began with: the parameters of its
// connection, and the search path.
func (c *Conn) StartSQL(ctx context.Context, searchPath string) ([]string, error) {
	rows, err := c.query(ctx, `select name, pg_catalog.current_setting(name) from pg_catalog.pg_settings
where source = 'client' and context in ('user', 'superuser') and name not in ('application_name', 'client_encoding', 'search_path') order by name`)
	if err != nil {
		return nil, err
	}
	list := []string{"set client_encoding = 'UTF8'"}
	for _, r := range rows {
		list = append(list, "select pg_catalog.set_config("+Literal(*r[0])+", "+Literal(*r[1])+", false)")
	}
	return append(list, "select pg_catalog.set_config('search_path', "+Literal(searchPath)+", false)"), nil
}

// customSettings lists what in the texts, and in the strings in them, could be the name of a setting with a prefix:
// words with dots between.
func customSettings(texts []string) []string {
	var names []string
	for _, text := range texts {
		name, dotted := "", false
		for t := range sqlsplit.Tokens(text) {
			switch {
			case t.Kind == sqlsplit.Word || t.Kind == sqlsplit.QuotedIdentifier:
				word := strings.Trim(t.Text, `"`)
				if name += "." + word; !dotted {
					name = word
				} else if customName().MatchString(name) {
					names = append(names, name)
				}
				dotted = false
			case t.Text == "." && name != "":
				dotted = true
			default:
				name, dotted = "", false
			}
			if t.Kind == sqlsplit.String {
				names = append(names, customSettings([]string{content(t.Text)})...)
			}
		}
	}
	return names
}

var customName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)+$`)
})

// content is what stands between the quotes of a string; escapes do not matter to names.
func content(quoted string) string {
	if i := strings.IndexByte(quoted, '$'); i == 0 {
		tag := quoted[:strings.IndexByte(quoted[1:], '$')+2]
		return strings.TrimSuffix(quoted[len(tag):], tag)
	}
	_, inner, _ := strings.Cut(quoted, "'")
	return strings.ReplaceAll(strings.TrimSuffix(inner, "'"), "''", "'")
}

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

// lockID tells an advisory lock and its mode from others in pg_locks.
const lockID = "classid || ',' || objid || ',' || objsubid || ',' || mode"

// dropAdvisory gives locks back as often as they were taken. What belongs to the transaction cannot be given back.
func dropAdvisory(kept []string) string {
	held := "locktype = 'advisory' and pid = pg_catalog.pg_backend_pid() and granted and " + lockID
	return doBlock(`for r in select ` + lockID + ` as id, objsubid = 2 as pair, mode = 'ShareLock' as shared, classid::pg_catalog.int8 << 32 | objid::pg_catalog.int8 as key,
		(classid::pg_catalog.int8 << 32 >> 32)::pg_catalog.int4 as one, (objid::pg_catalog.int8 << 32 >> 32)::pg_catalog.int4 as two
	from pg_catalog.pg_locks where ` + held + ` <> all (` + literalArray(kept) + `) loop
	while exists (select from pg_catalog.pg_locks where ` + held + ` = r.id) and case
		when r.pair and r.shared then pg_catalog.pg_advisory_unlock_shared(r.one, r.two) when r.pair then pg_catalog.pg_advisory_unlock(r.one, r.two)
		when r.shared then pg_catalog.pg_advisory_unlock_shared(r.key) else pg_catalog.pg_advisory_unlock(r.key) end loop end loop; end loop;`)
}

// dropTemp sorts what it is to drop, so that all of it is known before the first is gone, perhaps with others.
func dropTemp(kept []string) string {
	but := " <> all (" + literalArray(kept) + ")"
	return doBlock(`for r in select 'drop ' || case c.relkind when 'v' then 'view' when 'S' then 'sequence' when 'c' then 'type' else 'table' end
		|| pg_catalog.format(' if exists pg_temp.%I cascade', c.relname) as it
	from pg_catalog.pg_class c where c.relnamespace = pg_catalog.pg_my_temp_schema() and c.relkind in ('r', 'p', 'v', 'S', 'c') and 'c' || c.oid` + but + `
	union all select pg_catalog.format('drop type if exists pg_temp.%I cascade', t.typname) from pg_catalog.pg_type t
	where t.typnamespace = pg_catalog.pg_my_temp_schema() and t.typrelid = 0 and t.typcategory <> 'A' and t.typtype <> 'm' and 't' || t.oid` + but + `
	union all select 'drop routine if exists ' || p.oid::pg_catalog.regprocedure || ' cascade' from pg_catalog.pg_proc p
	where p.pronamespace = pg_catalog.pg_my_temp_schema() and 'p' || p.oid` + but + `
	and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass and d.objid = p.oid and d.deptype = 'i')
	order by it loop
	execute r.it; end loop;`)
}

func doBlock(body string) string {
	return "do " + Literal("declare r record; begin "+body+" end") + " language plpgsql"
}

func filled(statements ...string) []string {
	return slices.DeleteFunc(statements, func(s string) bool { return s == "" })
}

// SearchPath puts the default schema in front of the search path that the session had, unless it stands there
// already (flyway.md §6.4). It is an expression; "" means that nothing is to be done.
func SearchPath(schema, original string) string {
	if original == schema || strings.HasPrefix(original, schema+",") ||
		original == Ident(schema) || strings.HasPrefix(original, Ident(schema)+",") {
		return ""
	}
	path := Ident(schema)
	if original != "" {
		path += "," + original
	}
	return "pg_catalog.set_config('search_path', " + Literal(path) + ", false)"
}
