package sqlsplit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func FuzzSplit(f *testing.F) {
	paths, _ := filepath.Glob("testdata/*.txtar")
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(archive.Files[0].Data))
	}
	f.Add(mixedText(1))
	f.Fuzz(func(t *testing.T, text string) { checkSplit(t, text) })
}

// TestProperties checks on real files what FuzzSplit checks on made ones.
func TestProperties(t *testing.T) {
	t.Parallel()
	checkSplit(t, mixedText(200_000))
	dir := corpora(t)
	paths, _ := filepath.Glob(filepath.Join(dir, "*", "*", "*", "*", "*", "*", "*", "*", "*.sql"))
	more, _ := filepath.Glob(filepath.Join(dir, "ground-truth", "schema", "*.sql"))
	for _, path := range append(paths, more...) {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		checkSplit(t, string(raw))
	}
	if len(paths) == 0 || len(more) == 0 {
		t.Errorf("%d and %d files found", len(paths), len(more))
	}
}

// checkSplit asserts what holds for every text: offsets are ordered, inside the text and do not overlap; outside
// statements and data only blanks, semicolons, comments and the end marks of data stand; each statement splits into itself.
func checkSplit(t *testing.T, text string) {
	t.Helper()
	statements, err := Split(text)
	if err != nil {
		var bad *Error
		if !errors.As(err, &bad) {
			t.Fatalf("%v is not an *Error", err)
		}
		if bad.Offset < 0 || bad.Offset > len(text) || bad.What == "" || bad.Hint == "" ||
			bad.Line != 1+strings.Count(text[:bad.Offset], "\n") || statements != nil {
			t.Fatalf("error %+v, statements %v", bad, statements)
		}
		return
	}
	at := 0
	if strings.HasPrefix(text, "\ufeff") {
		at = 3
	}
	for _, st := range statements {
		if st.Start < at || st.Body < st.Start || st.End <= st.Body || st.End > len(text) {
			t.Fatalf("%+v after offset %d of %d", st, at, len(text))
		}
		outside(t, text[at:st.Start])
		if st.Line != 1+strings.Count(text[:st.Body], "\n") {
			t.Fatalf("%+v is not on its line", st)
		}
		at = st.End
		sent := text[st.Start:st.End]
		if strings.TrimRight(sent, " \t\r\n\f\v") != sent {
			t.Fatalf("blanks around %q", sent)
		}
		if st.DataStart != 0 {
			if st.DataStart <= st.End || st.DataEnd < st.DataStart || st.DataEnd > len(text) || text[st.DataStart-1] != '\n' {
				t.Fatalf("data of %+v", st)
			}
			outside(t, text[st.End:st.DataStart])
			at = st.DataEnd + endMark(text[st.DataEnd:])
			if at == st.DataEnd {
				t.Fatalf("no end mark at the end of the data of %+v", st)
			}
			sent += ";\n\\."
		}
		again, err := Split(sent)
		if err != nil || len(again) != 1 || again[0].Body != st.Body-st.Start || again[0].End != st.End-st.Start {
			// A byte order mark is a mark at the start of a text only.
			if !strings.HasPrefix(sent, "\ufeff") {
				t.Fatalf("%q splits again into %+v, %v", sent, again, err)
			}
		}
	}
	outside(t, text[at:])
}

func outside(t *testing.T, gap string) {
	t.Helper()
	for i := 0; i < len(gap); {
		p, end := lex(gap, i)
		if p != blank && p != comment && gap[i] != ';' {
			t.Fatalf("%q is in no statement", gap[i:end])
		}
		i = end
	}
}
