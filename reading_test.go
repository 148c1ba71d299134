package skein

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/postgres"
	"github.com/skein-db/skein/migration"
)

// opened is a run and a script that is not held.
func opened(text string, values map[string]string) (*run, *migration.Script) {
	r := &run{facts: postgres.Facts{VersionNum: 150000}, placeholders: migration.Placeholders{Values: values}}
	return r, &migration.Script{Path: "V1__x.sql", Text: text, Digest: sha256.Sum256([]byte(text)),
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// seen is everything that the engine asks of a statement.
func seen(pieces []*piece) []string {
	var all []string
	for _, p := range pieces {
		f := &failure{piece: p, offset: min(7, len([]rune(p.sql()))-1)}
		loc := f.location()
		all = append(all, fmt.Sprintf("%d %d %q %v %d:%d %q %q", p.index, p.line(), p.sql(), p.verdict, loc.Line, loc.Column, loc.Source,
			p.text.sql[p.stmt.DataStart:p.stmt.DataEnd]))
	}
	return all
}

// A script that comes in windows is cut, judged and located as one that is held, however small the windows are.
func TestWindows(t *testing.T) {
	t.Parallel()
	values := map[string]string{"t": "täble", "two": "select 1; select 2", "none": "", "lines": "\n\n"}
	for _, text := range []string{
		"", " ", "-- nothing", "select 1", "create table ${t}(i int);\r\ninsert into ${t} values (1); insert into ${t}\n values (2);select '${t};';\n\n  vacuum ${t} ;",
		"${two}; select 3; ${two} ${two};x${none};${none}${lines}y; z;", "select $$;${t};$$; select 'ä;ö'; sel€ct; €;\u00a0;",
		"copy a from stdin;\n1\t${t};\n2\n\\.\nselect 1; copy b from stdin;\n\\.\n\n/* a; */ select 2 -- ;\n; begin; $${t} $$${t};",
		strings.Repeat("select 1; ", 30) + "\n" + strings.Repeat("x", 90) + "; y;\nz; z;\n",
	} {
		r, script := opened(text, values)
		pieces, err := r.prepare(script.Path, "", text, script.Config)
		if err != nil {
			t.Fatal(err)
		}
		want := seen(pieces)
		for _, window := range []int{1, 2, 3, 10, 37, 1000} {
			l := r.read(script)
			l.window = window
			var got []string
			for {
				pieces, err := l.next()
				if err != nil {
					t.Fatalf("window %d of %q: %v", window, text, err)
				}
				if len(pieces) == 0 {
					break
				}
				got = append(got, seen(pieces)...)
			}
			if a, b := strings.Join(got, "\n"), strings.Join(want, "\n"); a != b {
				t.Errorf("window %d of %q:\n%s\nwhole:\n%s", window, text, a, b)
			}
		}
	}
}

// So are its faults placed.
func TestFaultsInWindows(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"select 1;\nselect 2; select ${nope};\nselect 3;", "select 1;\n\nselect ${t", "select 1; select 'x;\n", "select 1;\nselect 2; \\restrict abc\nselect 3;",
		"select 1;\ncopy a from stdin;\n1\n", "select 1;\n copy a from stdin; select 2;\n", "a;\nb; $x$;\n",
	} {
		r, script := opened(text, map[string]string{"t": "u"})
		_, err := r.prepare(script.Path, "", text, script.Config)
		var want, got *Error
		if !errors.As(err, &want) {
			t.Fatalf("%q: %v", text, err)
		}
		for _, window := range []int{1, 5, 1000} {
			l := r.read(script)
			l.window = window
			for err = nil; err == nil; {
				var pieces []*piece
				if pieces, err = l.next(); err == nil && len(pieces) == 0 {
					break
				}
			}
			if !errors.As(err, &got) || *got.At != *want.At || got.Message != want.Message || got.Hint != want.Hint {
				t.Errorf("window %d of %q: %v\nat %+v\nwhole: %v\nat %+v", window, text, err, got, want, want.At)
			}
		}
	}
}

func TestChangedWhileRead(t *testing.T) {
	t.Parallel()
	r, script := opened("select 1;\nselect 2;\n", nil)
	script.Digest[0]++
	var e *Error
	if _, err := r.read(script).next(); !errors.As(err, &e) || !strings.Contains(e.Message, "was changed") || e.Hint == "" {
		t.Errorf("error %v", err)
	}
	if _, err := r.wholeText(script); !errors.As(err, &e) || !strings.Contains(e.Message, "was changed") {
		t.Errorf("error %v", err)
	}
}
