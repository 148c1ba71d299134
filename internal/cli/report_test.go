package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/secret"
)

// TestReportHasNoSecrets is AT-16a for reports: canaries that come as password and as a placeholder, and are repeated by
// scripts, notices, programs, warnings and errors, in forms that HTML and JSON would change once more.
func TestReportHasNoSecrets(t *testing.T) {
	t.Parallel()
	const canary = `c4n4ry<&>"q'uote-x`
	url := pgtest.URL(t)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"V1__ok.sql":  "do $$ begin raise warning '${apiToken}'; raise notice 'n ${apiToken}'; end $$; select '${apiToken}' as \"a\"; select $x$" + strings.Repeat("y", 3990) + " ${apiToken}$x$;",
		"V2__out.sh":  "echo \"$FP__apiToken__\"; echo again \"$FP__apiToken__\"",
		"V3__bad.sql": "select 'x', nowhere('${apiToken}');",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	quoted := strings.ReplaceAll(canary, "'", "''")
	for _, program := range []string{"skein", "flyway"} {
		var out bytes.Buffer
		code := Main(t.Context(), Process{
			Args: []string{program, "-url=" + url, "-password=" + canary, "-placeholders.apiToken=" + quoted, "-locations=filesystem:" + dir, "-reportEnabled=true", "migrate", "info"},
			Env:  os.Environ(), Dir: dir, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		})
		page, err := os.ReadFile(filepath.Join(dir, "report.html"))
		if err != nil || code == 0 {
			t.Fatalf("%d, %v\n%s", code, err, out.String())
		}
		data, err := os.ReadFile(filepath.Join(dir, "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		for kind, text := range map[string]string{"page": string(page), "JSON": string(data)} {
			if i := strings.Index(text, "c4n4ry"); i >= 0 {
				t.Errorf("%s: the %s leaks: …%s", program, kind, text[max(0, i-80):i+30])
			}
			if program == "skein" && strings.Count(text, secret.Mask) < 7 {
				t.Errorf("the %s does not show the texts at all:\n%s", kind, text)
			}
		}
	}
}

// Flyway's part of the JSON file is the document that -outputType=json prints.
func TestReportHoldsFlywaysDocument(t *testing.T) {
	t.Parallel()
	url, dir := pgtest.URL(t), t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "V1__a.sql"), []byte("select 1;"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"migrate", "info"} {
		var out bytes.Buffer
		if code := Main(t.Context(), Process{
			Args: []string{"flyway", "-url=" + url, "-locations=filesystem:" + dir, "-reportEnabled=true", "-outputType=json", verb},
			Env:  os.Environ(), Dir: dir, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out,
		}); code != 0 {
			t.Fatal(out.String())
		}
		data, err := os.ReadFile(filepath.Join(dir, "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		var printed map[string]any
		var file struct{ IndividualResults []map[string]any }
		if err := json.Unmarshal(out.Bytes(), &printed); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &file); err != nil {
			t.Fatal(err)
		}
		if printed["htmlReport"] != filepath.Join(dir, "report.html") || printed["jsonReport"] != filepath.Join(dir, "report.json") {
			t.Errorf("%v, %v", printed["htmlReport"], printed["jsonReport"])
		}
		delete(printed, "htmlReport")
		delete(printed, "jsonReport")
		last := file.IndividualResults[len(file.IndividualResults)-1]
		want, _ := json.Marshal(printed)
		if got, _ := json.Marshal(last); !bytes.Equal(got, want) {
			t.Errorf("%s: %s, not %s", verb, got, want)
		}
	}
}

func TestReportNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"report": "/d/report.html /d/report.json", "x.html": "/d/x.html /d/x.json", "x.HTM": "/d/x.HTM /d/x.json",
		"x.txt": "/d/x.txt.html /d/x.txt.json", "x.json": "/d/x.json.html /d/x.json.json", "a/v1.2": "/d/a/v1.2.html /d/a/v1.2.json", "/abs/r": "/abs/r.html /abs/r.json",
	} {
		page, data := reportNames(name, "/d")
		if got := filepath.ToSlash(page + " " + data); got != want {
			t.Errorf("%s: %s, not %s", name, got, want)
		}
	}
}

// A run that is stopped half way leaves what the files held before; one that ends leaves nothing of the longer text that
// was there.
func TestReportReplacesLongerFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "r.html")
	if err := os.WriteFile(file, bytes.Repeat([]byte("old"), 100000), 0o600); err != nil {
		t.Fatal(err)
	}
	Main(t.Context(), Process{Args: []string{"skein", "-url=postgres://127.0.0.1:1/x", "-locations=filesystem:" + dir, "-reportEnabled=true", "-reportFilename=r", "info"},
		Env: os.Environ(), Dir: dir, Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{}})
	text, err := os.ReadFile(file)
	if err != nil || regexp.MustCompile(`(old){2}`).Match(text) || !bytes.HasSuffix(bytes.TrimSpace(text), []byte("</html>")) {
		t.Errorf("%v: %d bytes", err, len(text))
	}
}
