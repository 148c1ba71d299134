package stall

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

func TestNeeds(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("testdata/needs.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) < 60 {
		t.Errorf("%d statements", len(archive.Files))
	}
	for _, f := range archive.Files {
		n := Of(f.Name)
		if diff := cmp.Diff(string(f.Data), written(n)); diff != "" {
			t.Errorf("%s\n-want +got\n%s", f.Name, diff)
		}
		// A semicolon that is left on it, comments and case change nothing.
		other := "/* x */ " + strings.ReplaceAll(f.Name, " ", "\n") + ";"
		if !strings.Contains(f.Name, `"T x"`) && written(Of(other)) != written(n) {
			t.Errorf("%s: not the same with other blanks", f.Name)
		}
	}
}

func written(n Need) string {
	var b strings.Builder
	for _, t := range n.Targets {
		b.WriteString(strings.TrimSuffix(string(t.Mode), "Lock") + " " + t.Name)
		for i, name := range []string{" children", " linked", " fallback"} {
			if t.With&(1<<i) != 0 {
				b.WriteString(name)
			}
		}
		b.WriteByte('\n')
	}
	if n.Opaque {
		b.WriteString("opaque\n")
	}
	for _, name := range n.Creates {
		b.WriteString("creates " + name + "\n")
	}
	if n.OwnTimeout {
		b.WriteString("own\n")
	}
	return b.String()
}

// Text that is no SQL, or ends in the middle, is read without harm.
func FuzzNeeds(f *testing.F) {
	for _, s := range []string{"alter table", "do $$ begin drop", "lock a in", "create table (", "alter table t add (", "cluster (", "do $x", "do '"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, target := range Of(s).Targets {
			if target.Name == "" || passes[target.Mode] == nil {
				t.Errorf("%+v", target)
			}
		}
	})
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	// From PostgreSQL's manual, 13.3.1.
	held := []string{"AccessShareLock", "RowShareLock", "RowExclusiveLock", "ShareUpdateExclusiveLock", "ShareLock", "ShareRowExclusiveLock", "ExclusiveLock", "AccessExclusiveLock"}
	for mode, want := range map[Mode]string{
		Share: "..xx.xxx", ShareRowExclusive: "..xxxxxx", Exclusive: ".xxxxxxx", AccessExclusive: "xxxxxxxx",
	} {
		var got strings.Builder
		for _, h := range held {
			got.WriteByte(map[bool]byte{true: 'x', false: '.'}[mode.Conflicts(h)])
		}
		if got.String() != want {
			t.Errorf("%s: %s, not %s", mode, got.String(), want)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"T": "t", `"T"`: "T", `App."T x".U`: "app.T x.u", `"a""B"`: "aB"} {
		if got := Key(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
