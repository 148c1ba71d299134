package migration_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/migration"
)

func TestMisplaced(t *testing.T) {
	t.Parallel()
	shop := migration.Identity{Environment: "qa", System: "1", Database: "shop", Host: "db:5432"}
	with := func(change func(*migration.Identity)) migration.Identity { id := shop; change(&id); return id }
	pinned := func(change func(*migration.Identity)) *migration.Pin { return &migration.Pin{Identity: with(change)} }
	same := func(*migration.Identity) {}
	production := with(func(i *migration.Identity) { i.Environment = "production" })
	for name, c := range map[string]struct {
		where migration.Whereabouts
		want  string // part of the message; "" when nothing speaks against it
	}{
		"nothing is known":                        {migration.Whereabouts{}, ""},
		"as expected":                             {migration.Whereabouts{Expected: shop, Pin: pinned(same)}, ""},
		"another server":                          {migration.Whereabouts{Expected: with(func(i *migration.Identity) { i.System = "2" })}, "the system identifier is 1, expected 2"},
		"another database":                        {migration.Whereabouts{Expected: with(func(i *migration.Identity) { i.Database = "x" })}, "the database is shop, expected x"},
		"another host":                            {migration.Whereabouts{Expected: with(func(i *migration.Identity) { i.Host = "x:5432" })}, "the host is db:5432, expected x:5432"},
		"one of several hosts":                    {migration.Whereabouts{Expected: with(func(i *migration.Identity) { i.Host = "b:5432" }), Hosts: []string{"db:5432", "b:5432"}}, ""},
		"a cluster that is none":                  {migration.Whereabouts{Expected: with(func(i *migration.Identity) { i.Cluster = "a,b" })}, "the cluster is not to be had, expected a,b"},
		"pinned elsewhere":                        {migration.Whereabouts{Pin: &migration.Pin{Identity: production}}, "pinned as environment production, expected qa"},
		"a copy on another server":                {migration.Whereabouts{Pin: pinned(func(i *migration.Identity) { i.System = "2" })}, "the system identifier is 1, expected 2"},
		"a copy under another name":               {migration.Whereabouts{Pin: pinned(func(i *migration.Identity) { i.Database = "shop_old" })}, "the database is shop, expected shop_old"},
		"by another way":                          {migration.Whereabouts{Pin: pinned(func(i *migration.Identity) { i.Host = "bastion:1" })}, ""},
		"a copy of production that is not pinned": {migration.Whereabouts{Others: []migration.Identity{production}}, "pinned as environment production, expected qa"},
		"a copy that was made qa on purpose":      {migration.Whereabouts{Pin: pinned(same), Expected: shop, Others: []migration.Identity{production}}, ""},
		"qa and production name one database":     {migration.Whereabouts{Expected: shop, Hosts: []string{"db:5432"}, Others: []migration.Identity{production}}, "pinned as environment production, expected qa"},
		"another database of production's server": {
			migration.Whereabouts{Others: []migration.Identity{with(func(i *migration.Identity) { i.Environment, i.Database = "production", "other" })}}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.where.Found = shop
			err := c.where.Misplaced()
			if c.want == "" && err == nil {
				return
			}
			var e *migration.Error
			if !errors.As(err, &e) || c.want == "" || !strings.Contains(e.Message, c.want) || !strings.Contains(e.Hint, "skein pin --replace") || !strings.Contains(e.Hint, "(found: database shop") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// Aurora's instances come and go; a clone of the cluster has others, though its system identifier is the same.
func TestMisplacedOnAurora(t *testing.T) {
	t.Parallel()
	found := migration.Identity{Environment: "qa", System: "1", Cluster: "b,c", Database: "shop"}
	for cluster, fits := range map[string]bool{"a,b": true, "c": true, "a, c": true, "a": false, "bc": false} {
		err := migration.Whereabouts{Found: found, Expected: migration.Identity{Cluster: cluster}}.Misplaced()
		if (err == nil) != fits {
			t.Errorf("%s: %v", cluster, err)
		}
		other := migration.Identity{Environment: "production", System: "1", Cluster: cluster, Database: "shop"}
		if err := (migration.Whereabouts{Found: found, Others: []migration.Identity{other}}).Misplaced(); (err != nil) != fits {
			t.Errorf("%s is production: %v", cluster, err)
		}
	}
	if got := found.Key(); got != "cluster b,c/shop" {
		t.Error(got)
	}
}

func TestHistoryHash(t *testing.T) {
	t.Parallel()
	sum := int32(7)
	rows := []migration.Row{
		{Rank: 1, Version: migration.MustVersion("1"), Description: "a", Type: migration.TypeSQL, Script: "V1__a.sql", Checksum: &sum, Success: true},
		{Rank: 2, Description: "r", Type: migration.TypeSQL, Script: "R__r.sql", Success: true},
	}
	want := migration.HistoryHash(rows)
	if len(want) != 64 {
		t.Fatal(want)
	}
	for name, c := range map[string]struct {
		change func([]migration.Row) []migration.Row
		same   bool
	}{
		"order in memory": {func(r []migration.Row) []migration.Row { slices.Reverse(r); return r }, true},
		"who and when": {func(r []migration.Row) []migration.Row {
			r[0].InstalledBy, r[0].InstalledOn, r[0].ExecutionTime = "x", time.Now(), 9
			return r
		}, true},
		"a row more": {func(r []migration.Row) []migration.Row { return append(r, r[1]) }, false},
		"a row less": {func(r []migration.Row) []migration.Row { return r[:1] }, false},
		"a checksum": {func(r []migration.Row) []migration.Row { r[0].Checksum = nil; return r }, false},
		"a version":  {func(r []migration.Row) []migration.Row { r[0].Version = migration.MustVersion("2"); return r }, false},
		"a failure":  {func(r []migration.Row) []migration.Row { r[1].Success = false; return r }, false},
		"fields that run": {func(r []migration.Row) []migration.Row {
			r[1].Description, r[1].Script = `r" SQL "R`, "__r.sql"
			return r
		}, false},
	} {
		if got := migration.HistoryHash(c.change(slices.Clone(rows))); (got == want) != c.same {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestVerifyAudit(t *testing.T) {
	t.Parallel()
	chain := func() ([]migration.AuditEntry, migration.AuditHead) {
		var entries []migration.AuditEntry
		previous := ""
		for i := range 4 {
			e := migration.AuditEntry{Seq: int64(i + 1), At: time.Unix(int64(i), 0), Who: "ana", What: "migrate", Detail: "{}", Previous: previous}
			e.Hash = e.Sum()
			previous, entries = e.Hash, append(entries, e)
		}
		return entries, migration.AuditHead{Seq: 4, Hash: previous}
	}
	type entries = []migration.AuditEntry
	for name, c := range map[string]struct {
		change func(entries, *migration.AuditHead) entries
		row    int64
		text   string
	}{
		"nothing":                {func(e entries, _ *migration.AuditHead) entries { return e }, 0, ""},
		"edited":                 {func(e entries, _ *migration.AuditHead) entries { e[1].Who = "eve"; return e }, 2, "its hash does not fit"},
		"moved text":             {func(e entries, _ *migration.AuditHead) entries { e[1].Who, e[1].What = "anam", "igrate"; return e }, 2, "its hash does not fit"},
		"edited and summed anew": {func(e entries, _ *migration.AuditHead) entries { e[1].Who = "eve"; e[1].Hash = e[1].Sum(); return e }, 3, "does not follow"},
		"the last summed anew":   {func(e entries, _ *migration.AuditHead) entries { e[3].Who = "eve"; e[3].Hash = e[3].Sum(); return e }, 4, "audit_head"},
		"removed":                {func(e entries, _ *migration.AuditHead) entries { return slices.Delete(e, 1, 2) }, 2, "it is missing"},
		"the last removed":       {func(e entries, _ *migration.AuditHead) entries { return e[:3] }, 4, "it is missing"},
		"all removed":            {func(entries, *migration.AuditHead) entries { return nil }, 1, "it is missing"},
		"exchanged": {func(e entries, _ *migration.AuditHead) entries {
			e[1].Seq, e[2].Seq = 3, 2
			e[1], e[2] = e[2], e[1]
			return e
		}, 2, "does not follow"},
		"put in behind": {func(e entries, _ *migration.AuditHead) entries {
			f := migration.AuditEntry{Seq: 5, Previous: e[3].Hash}
			f.Hash = f.Sum()
			return append(e, f)
		}, 5, "put in by something else"},
		"a number twice": {func(e entries, _ *migration.AuditHead) entries { e[2].Seq = 2; return e }, 2, "out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, head := chain()
			fault := migration.VerifyAudit(c.change(all, &head), head)
			if c.text == "" && fault == nil {
				return
			}
			if fault == nil || fault.Seq != c.row || !strings.Contains(fault.Error(), c.text) {
				t.Errorf("fault %v, want row %d: %s", fault, c.row, c.text)
			}
		})
	}
}

// One reading of the files serves all runs, and gives what each would have got by itself.
func TestTextsAreShared(t *testing.T) {
	t.Parallel()
	files := []migration.File{
		{Path: "V1__a.sql", Content: []byte("\ufeffselect 1;")}, {Path: "R__b.sql", Content: []byte("select '${tenant}';")},
		{Path: "V2__c.sql", Content: []byte("select '\xe4';")}, {Path: "V2__c.sql.conf", Content: []byte("encoding=ISO-8859-1")},
	}
	texts := &migration.Texts{}
	for _, tenant := range []string{"x", "y"} {
		opt := migration.ResolveOptions{Placeholders: migration.Placeholders{Values: map[string]string{"tenant": tenant}}}
		alone, err := migration.Resolve(files, nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		opt.Texts = texts
		shared, err := migration.Resolve(files, nil, opt)
		if err != nil {
			t.Fatal(err)
		}
		for i := range alone.Scripts {
			a, b := &alone.Scripts[i], &shared.Scripts[i]
			if a.Text != b.Text || *a.Checksum != *b.Checksum || a.SHA256() != b.SHA256() {
				t.Errorf("%s: %q and %q, %d and %d", a.Path, a.Text, b.Text, *a.Checksum, *b.Checksum)
			}
		}
	}
	// The bytes count, not the text: printf '\357\273\277select 1;' | sha256sum
	resolved, _ := migration.Resolve(files[:1], nil, migration.ResolveOptions{Texts: texts})
	const want = "fe8a13b358125cac37a73807ee6260047ab4e74b0a77d7ea6b128b162bbfe283"
	if got := resolved.Scripts[0].SHA256(); got != want {
		t.Error(got)
	}
	large := migration.File{Path: "V1__a.sql", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(files[0].Content)), nil }}
	if resolved, _ = migration.Resolve([]migration.File{large}, nil, migration.ResolveOptions{}); resolved.Scripts[0].SHA256() != want {
		t.Error(resolved.Scripts[0].SHA256())
	}
}
