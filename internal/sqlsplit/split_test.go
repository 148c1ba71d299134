package sqlsplit

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "record the results of the txtar cases")

// TestCases runs testdata/*.txtar: section "in" is split, section "want" shows the statements or the error.
func TestCases(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.Files) != 2 || archive.Files[0].Name != "in" || archive.Files[1].Name != "want" {
				t.Fatal(`want the sections "in" and "want"`)
			}
			got := show(string(archive.Files[0].Data))
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// show writes a split so that every field of a Statement can be read from it.
func show(text string) string {
	statements, err := Split(text)
	var bad *Error
	if errors.As(err, &bad) {
		return fmt.Sprintf("error at %d: %v\nhint: %s\n", bad.Offset, bad, bad.Hint)
	}
	var b strings.Builder
	for _, st := range statements {
		fmt.Fprintf(&b, "line %d, bytes %d-%d, body at %d\n", st.Line, st.Start, st.End, st.Body)
		for line := range strings.Lines(text[st.Start:st.End]) {
			fmt.Fprintf(&b, "\t%s\n", strings.TrimSuffix(line, "\n"))
		}
		if st.DataStart > 0 {
			fmt.Fprintf(&b, "data %d-%d\n", st.DataStart, st.DataEnd)
			for line := range strings.Lines(text[st.DataStart:st.DataEnd]) {
				fmt.Fprintf(&b, "\t%s\n", strings.TrimSuffix(line, "\n"))
			}
		}
	}
	return b.String()
}

// TestBytes holds the cases that depend on bytes an editor would not keep.
func TestBytes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       []Statement
		bad        *Error
	}{
		{name: "empty", text: ""},
		{name: "blanks", text: " \t\r\n\v\f"},
		{name: "semicolons", text: ";;; ;"},
		{name: "byte order mark", text: "\ufeffselect 1;", want: []Statement{{Start: 3, End: 11, Body: 3, Line: 1}}},
		{name: "CRLF", text: "-- a\r\nselect 1\r\n;\r\nselect 2\r\n", want: []Statement{
			{Start: 0, End: 14, Body: 6, Line: 2}, {Start: 19, End: 27, Body: 19, Line: 4}}},
		{name: "carriage return ends a line comment", text: "-- a\rselect 1;", want: []Statement{
			{Start: 0, End: 13, Body: 5, Line: 1}}},
		{name: "letters outside ASCII", text: "select é$$;select $é$;$é$", want: []Statement{
			{Start: 0, End: 11, Body: 0, Line: 1}, {Start: 12, End: 28, Body: 12, Line: 1}}},
		{name: "COPY with CRLF", text: "copy t from stdin;\r\na\tb\r\n\\.\r\nselect 1;", want: []Statement{
			{Start: 0, End: 17, Body: 0, Line: 1, DataStart: 20, DataEnd: 25}, {Start: 29, End: 37, Body: 29, Line: 4}}},
		{name: "COPY whose last line has no line break", text: "copy t from stdin;\n1\n\\.", want: []Statement{
			{Start: 0, End: 17, Body: 0, Line: 1, DataStart: 19, DataEnd: 21}}},
		{name: "COPY without rows", text: "copy t from stdin;\n\\.\n", want: []Statement{
			{Start: 0, End: 17, Body: 0, Line: 1, DataStart: 19, DataEnd: 19}}},
		{name: "COPY without a line after it", text: "select 1;\ncopy t from stdin", bad: &Error{Offset: 10, Line: 2, What: "COPY data"}},
		{name: "COPY end mark with a blank", text: "copy t from stdin;\n1\n\\. \n", bad: &Error{Offset: 0, Line: 1, What: "COPY data"}},
		{name: "COPY end mark inside a line", text: "copy t from stdin;\n1 \\.\n\\.x\n", bad: &Error{Offset: 0, Line: 1, What: "COPY data"}},
		{name: "escape at the end", text: `select E'\`, bad: &Error{Offset: 7, Line: 1, What: "quoted string"}},
		{name: "lone prefix at the end", text: "select U&", want: []Statement{{Start: 0, End: 9, Body: 0, Line: 1}}},
		{name: "lone dollar at the end", text: "select $", want: []Statement{{Start: 0, End: 8, Body: 0, Line: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Split(c.text)
			var bad *Error
			if errors.As(err, &bad); bad != nil {
				if bad.Hint == "" {
					t.Error("no hint")
				}
				bad.Hint = ""
			}
			if diff := cmp.Diff(c.bad, bad); diff != "" {
				t.Errorf("error (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(fmt.Sprintf("%+v", c.want), fmt.Sprintf("%+v", got)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestTokens writes tokens as kind:text.
func TestTokens(t *testing.T) {
	t.Parallel()
	kinds := map[Kind]string{Word: "w", QuotedIdentifier: "q", String: "s", Number: "n", Symbol: "y", Parameter: "p"}
	for in, want := range map[string]string{
		"":                                "",
		"-- c\n/* d */":                   "",
		"/* open":                         "",
		`a."B ""c"".d" U&"x"`:             `w:a y:. q:"B ""c"".d" q:U&"x"`,
		`'a''b' E'\'' b'1' X'f' N'n'`:     `s:'a''b' s:E'\'' s:b'1' s:X'f' s:N'n'`,
		"$1 $$a$$ $t$a$$b$t$ $ foo$bar$":  "p:$1 s:$$a$$ s:$t$a$$b$t$ y:$ w:foo$bar$",
		"1 .5 1.5e-3 0xFF 1_000 1..10 2.": "n:1 n:.5 n:1.5e-3 n:0xFF n:1_000 n:1 y:.. n:10 n:2.",
		"1-1 1e-x":                        "n:1 y:- n:1 n:1e y:- w:x",
		"a::int :b x:=1":                  "w:a y::: w:int y:: w:b w:x y::= n:1",
		"a=-1 a->>b @-1 a<-- c":           "w:a y:= y:- n:1 w:a y:->> w:b y:@- n:1 w:a y:<",
		"f(a,b[1]);":                      "w:f y:( w:a y:, w:b y:[ n:1 y:] y:) y:;",
		"'open":                           "s:'open",
		`"open`:                           `q:"open`,
		"$t$open":                         "s:$t$open",
		`\d t`:                            `y:\ w:d w:t`,
		"a*/**/b":                         "w:a y:* w:b",
	} {
		var got []string
		for tok := range Tokens(in) {
			if !strings.HasPrefix(in[tok.Start:], tok.Text) {
				t.Errorf("%q: token %q is not at %d", in, tok.Text, tok.Start)
			}
			got = append(got, kinds[tok.Kind]+":"+tok.Text)
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%q\n got %s\nwant %s", in, got, want)
		}
	}
	for tok := range Tokens("Concurrently \"concurrently\" conſurrently") {
		if got, want := tok.Is("concurrently"), tok.Start == 0; got != want {
			t.Errorf("%q is concurrently: %t", tok.Text, got)
		}
	}
	for range Tokens("stops when told") {
		break
	}
}
