package skein

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/migration"
)

// WriteSQL prints the plan as a file for psql, in the layout of Flyway's dry run: psql -X -f <file> <database> does
// what the command would have done. It stops at the first error. The execution time that it records is the server's for
// what runs in a transaction of its own, else 0.
//
// The password, values of Config.SecretPlaceholders and of Config.Secrets are not in it: they are psql variables, listed
// at the top. In the data of a COPY psql replaces nothing, so one there is an error.
func (p *PlanResult) WriteSQL(w io.Writer, now time.Time) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "---====================================\n-- Skein Dry Run (%s)\n---====================================\n", now.Format("2006-01-02 15:04:05"))
	fmt.Fprintf(b, "-- %s for database %s; run it with: psql -X -f <this file> <database>\n", p.Verb, comment(p.Database))
	if p.Fingerprint != "" {
		fmt.Fprintf(b, "-- from version %s; fingerprint %s\n", comment(p.InitialText), p.Fingerprint)
	}
	b.WriteString("\\set ON_ERROR_STOP on\n\\set AUTOCOMMIT on\n\\set ON_ERROR_ROLLBACK off\n\\set SINGLELINE off\n\\set QUIET on\n")
	head := b
	b = &strings.Builder{}
	used := map[string]bool{}
	for _, part := range p.Parts {
		if part.Title != "" {
			fmt.Fprintf(b, "\n-- Executing: %s\n%s\n", comment(part.Title), strings.Repeat("-", 90))
		}
		if part.Source != "" && len(part.Statements) > 0 {
			line := "-- Source: ./" + comment(part.Source)
			fmt.Fprintf(b, "\n%s\n%s\n", line, strings.Repeat("-", len(line)))
		}
		for _, s := range part.Statements {
			if err := s.write(b, p.secrets, used); err != nil {
				return fmt.Errorf("%s: %w", part.Source, err)
			}
		}
	}
	p.secrets.list(head, used)
	_, err := io.WriteString(w, head.String()+b.String())
	return err
}

func (s *PlanStatement) write(b *strings.Builder, secrets secretValues, used map[string]bool) error {
	text, err := psqlSafe(s.SQL)
	if err != nil {
		return err
	}
	if what, found := secrets.escaped(s.SQL); found {
		return errors.New(what + " stands in a statement with its backslashes doubled, where psql can put no variable")
	}
	hidden := secrets.mark(s.SQL)
	if len(secrets.mark(s.Data)) > 0 {
		return errors.New("a secret stands in the data of a COPY, where psql replaces nothing")
	}
	if s.Stop != "" {
		fmt.Fprintf(b, "-- %s. This file stops here.\n", comment(s.Stop))
	}
	// After an error psql would take the data of a COPY for SQL: it stops there.
	forgives := !s.Copy && slices.ContainsFunc(s.forgive, func(o migration.ErrorOverride) bool { return o.To != migration.ToError })
	if forgives {
		b.WriteString("\\set ON_ERROR_STOP off\n")
	}
	// A statement may end in a line comment: the delimiter goes onto a line of its own then.
	if len(hidden) == 0 {
		b.WriteString(text + ending(text))
	} else if err := secrets.assemble(b, s.SQL, hidden, used); err != nil {
		return err
	}
	if s.Copy {
		b.WriteString(s.Data)
		if s.Data != "" && !strings.HasSuffix(s.Data, "\n") {
			b.WriteByte('\n')
		}
		b.WriteString("\\.\n")
	}
	if forgives {
		s.judge(b)
	}
	if s.Stop != "" {
		fmt.Fprintf(b, "-- Behind %s: this makes the session anew.\n", comment(s.Stop))
	}
	return nil
}

// judge writes what errorOverrides makes of an error of the statement just written: psql goes on with those that a rule
// makes less of, and stops with the others.
func (s *PlanStatement) judge(b *strings.Builder) {
	b.WriteString("\\set skein_state :SQLSTATE\n\\set ON_ERROR_STOP on\n\\if :ERROR\n")
	if s.inside {
		b.WriteString("rollback to savepoint " + savepoint + ";\n")
	}
	b.WriteString("select case")
	for _, o := range s.forgive {
		fmt.Fprintf(b, " when %s then %t", o.Condition(":'skein_state'"), o.To != migration.ToError)
	}
	b.WriteString(" else false end as skein_goes_on \\gset\n\\if :skein_goes_on\n\\else\n" +
		"do $$ begin raise exception 'the error before this is not overridden'; end $$ language plpgsql;\n\\endif\n\\endif\n")
}

// ending ends a statement; after a comment it needs a line of its own.
func ending(text string) string {
	if strings.Contains(text[strings.LastIndexByte(text, '\n')+1:], "--") {
		return "\n;\n"
	}
	return ";\n"
}

// comment is text that stays on its line.
func comment(text string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(text) }

// psqlSafe makes a statement mean to psql what it means to the server. psql replaces :name outside of quotes by a
// variable, and always has some (:USER); a blank behind the colon, which the server does not mind, keeps it from that.
// A backslash outside of quotes would be a command of psql's and is refused; to the server it is a syntax error.
func psqlSafe(statement string) (string, error) {
	colons, err := psqlColons(statement)
	if err != nil || len(colons) == 0 {
		return statement, err
	}
	var b strings.Builder
	from := 0
	for _, at := range colons {
		b.WriteString(statement[from:at] + " ")
		from = at
	}
	return b.String() + statement[from:], nil
}

// psqlColons gives the offsets behind the colons that need a blank.
func psqlColons(statement string) (colons []int, err error) {
	if !strings.ContainsAny(statement, `:\`) {
		return nil, nil
	}
	for t := range sqlsplit.Tokens(statement) {
		switch {
		case t.Kind == sqlsplit.Symbol && strings.HasPrefix(t.Text, `\`):
			return nil, errors.New("a backslash outside of quotes is no SQL, and psql would take it as a command")
		case t.Kind == sqlsplit.Symbol && t.Text == ":":
			colons = append(colons, t.Start+1)
		}
	}
	return colons, nil
}
