package sqlsplit

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mixedText is at least size bytes of the statements that migrations hold, the same each time.
func mixedText(size int) string {
	var b strings.Builder
	for n := 0; b.Len() < size; n++ {
		fmt.Fprintf(&b, "-- table %d: one row per account\ncreate table if not exists app.account_%d (\n    id bigint generated always as identity primary key,\n    name text not null default 'it''s none', -- shown to users\n    balance numeric(12, 2) check (balance >= 0),\n    created_at timestamptz not null default now()\n);\n\n", n, n)
		fmt.Fprintf(&b, "create index concurrently \"account_%d_Name\" on app.account_%d using btree (lower(name)) where balance > 1.5e3;\n", n, n)
		for row := range 8 {
			fmt.Fprintf(&b, "INSERT INTO app.account_%d (name, balance, note) VALUES ('Customer %d', %d.25, E'line\\none; \\'two\\''), ($1, $2, NULL);\n", n, row, row*n)
		}
		fmt.Fprintf(&b, "create or replace function app.touch_%d() returns trigger language plpgsql as $body$\nbegin\n    -- keep the time of the last change; callers rely on it\n    new.changed_at := clock_timestamp();\n    if new.balance <> old.balance then\n        insert into app.log (what) values ('balance; ' || new.id);\n    end if;\n    return new;\nend;\n$body$;\n\n", n)
		fmt.Fprintf(&b, "/* view %d /* nested */\n   reads only */\ncreate view app.v_%d as select a.id, case when a.balance > 0 then 'rich' else 'poor' end as kind, a.data ->> 'x' from app.account_%d a where a.name !~~ '%%test%%';\n", n, n, n)
		if n%8 == 0 {
			fmt.Fprintf(&b, "copy app.account_%d (name, balance) from stdin;\nAnn\t1.50\nBob\t\\N\nEve; with a semicolon\t3\n\\.\n\n", n)
			fmt.Fprintf(&b, "create function app.add_%d(a int, b int) returns int begin atomic select a; select case when a > b then a else b end; end;\n", n)
		}
	}
	return b.String()
}

func BenchmarkSplit(b *testing.B) {
	b.Run("mixed", func(b *testing.B) { benchmarkSplit(b, mixedText(6<<20)) })
	b.Run("corpora", func(b *testing.B) {
		dir := corpora(b)
		var all strings.Builder
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".sql" {
				return err
			}
			text, err := os.ReadFile(path)
			if _, bad := Split(string(text)); err == nil && bad == nil {
				all.Write(text)
				all.WriteString("\n;\n")
			}
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		benchmarkSplit(b, all.String())
	})
}

func benchmarkSplit(b *testing.B, text string) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Split(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTokens(b *testing.B) {
	text := mixedText(1 << 20)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for range Tokens(text) {
			n++
		}
		if n == 0 {
			b.Fatal("no tokens")
		}
	}
}
