package sqlsplit

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// inParts cuts a text as one that is read piece by piece: each part is as short as it can be, grown by step bytes.
func inParts(text string, step int) ([]Statement, error) {
	var all []Statement
	begin := 0
	for end := min(step, len(text)); ; end = min(end+step, len(text)) {
		statements, next, err := Part(text[begin:end], begin == 0, end == len(text))
		if err != nil {
			return nil, err
		}
		for _, s := range statements {
			s.Start, s.End, s.Body = s.Start+begin, s.End+begin, s.Body+begin
			s.Line += strings.Count(text[:begin], "\n")
			if s.DataStart > 0 {
				s.DataStart, s.DataEnd = s.DataStart+begin, s.DataEnd+begin
			}
			all = append(all, s)
		}
		begin += next
		if end == len(text) {
			return all, nil
		}
	}
}

// checkParts compares with the whole.
func checkParts(t *testing.T, text string, steps ...int) {
	t.Helper()
	want, wrong := Split(text)
	for _, step := range steps {
		got, err := inParts(text, step)
		if (err == nil) != (wrong == nil) {
			t.Fatalf("step %d: %v, whole: %v\n%q", step, err, wrong, text)
		}
		if err == nil && !slices.Equal(got, want) {
			t.Fatalf("step %d: %+v\nwhole: %+v\n%q", step, got, want, text)
		}
		if err == nil {
			continue
		}
		// Lines and offsets are the part's own; what is wrong, and what to do, must be the same.
		var a, b *Error
		if !errors.As(err, &a) || !errors.As(wrong, &b) || a.What != b.What || a.Hint != b.Hint {
			t.Fatalf("step %d: %v\nwhole: %v\n%q", step, err, wrong, text)
		}
	}
}

// Every text that the other tests cut is cut alike when it comes in parts.
func TestPartsAreCutAsTheWhole(t *testing.T) {
	t.Parallel()
	files := 0
	for _, root := range []string{"testdata", "../../testdata", "../conformance/testdata", "../demo/sql"} {
		err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err != nil || info.Size() > 8<<10 {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text := string(content)
			if strings.HasSuffix(path, ".txtar") { // its comment and names of files would hide what is in them
				for part := range strings.SplitSeq(text, "\n-- ") {
					_, body, _ := strings.Cut(part, "\n")
					checkParts(t, body, 5, 64, 1000)
				}
			} else {
				checkParts(t, text, 5, 64, 1000)
			}
			files++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 100 {
		t.Errorf("only %d files", files)
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", ";", "\ufeff select 1;\ufeffselect 2;", "select 1", "select 'a;''b'; select 2;", "select E'a\\';'\n  -- x\n 'b;' ; x",
		"select $a$;$b$;$a$;x", "select $a;$a$;$a$", "/* ; /* ; */ ; */ select 1;", "select 1 -- ;\n;", "select 1/2;3-1;4--5\n;",
		"copy a from stdin;\n1;2\n\\.\nselect 1;", "copy a from stdin; -- x\n\\.\r\nx;", "copy a from stdin; /* c\n */ x\n\\.\n", "copy a from stdin;\n\\.x\n\\.",
		"copy a from stdin; - x", "copy a from stdin;\n1", "copy a to stdout; b", "create function f() begin atomic select case 1 when 1 then 2 end; end; select 1;",
		"create function f() begin atomic select 1;", "create or replace procedure p() begin /* x */ atomic; end; y;", "select 'x", "select \"x", "a; \\restrict abc\nb;",
		"create rule r as on insert to t do (select 1; select 2); x;", "u&'\\;';U&\";\";x", "select 1;\n\n-- the end", "select $1;$x;$1$;$ä$;$ä$;", "a;b;c;d",
	} {
		checkParts(t, text, 1, 2, 3, 5, 11)
	}
}

func FuzzParts(f *testing.F) {
	f.Add("select $a$;$a$; copy a from stdin;\n1\n\\.\n-- x\nb;", 3)
	f.Fuzz(func(t *testing.T, text string, step int) {
		checkParts(t, text, 1+max(step, 0)%97)
	})
}
