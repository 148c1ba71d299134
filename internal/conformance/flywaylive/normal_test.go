package flywaylive

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	t.Parallel()
	const rule = "-------------------------------------------------------\n"
	for _, c := range []struct{ name, in, want string }{
		{
			name: "banner of 13, URL hidden",
			in: "Flyway OSS Edition 13.0.0 by Redgate\n\nSee release notes here: https://example.org/x?y=z\n" +
				"Database: ******** (PostgreSQL 15.18)\nSchema version: 1\n",
			want: "Database: URL (PostgreSQL VERSION)\nSchema version: 1\n",
		},
		{
			name: "banner of 8.5.4, URL shown, server too new",
			in: "Flyway Community Edition 8.5.4 by Redgate\nSee what's new here: https://example.org#8.5.4\n\n" +
				"Database: jdbc:postgresql://127.0.0.1:5432/fw (PostgreSQL 15.18)\n" +
				"WARNING: Flyway upgrade recommended: PostgreSQL 15.18 is newer than this. The latest is 14.\nnext\n" +
				"Automate migration testing for Database CI with x. Visit https://example.org\n",
			want: "Database: URL (PostgreSQL VERSION)\nnext\n",
		},
		{
			name: "a newer Flyway exists",
			in:   "done\n" + rule + "A more recent version of Flyway is available. Find out more\n" + rule + "after\n",
			want: "done\nafter\n",
		},
		{
			name: "durations",
			in:   "Successfully validated 1 migration (execution time 00:01.044s)\n",
			want: "Successfully validated 1 migration (execution time 00:00.000s)\n",
		},
		{
			name: "the info table keeps its widths",
			in:   "| 1 | a | 2026-11-22 17:14:48 | Success |\n| 2 | b |                     | Pending |\n",
			want: "| 1 | a | YYYY-MM-DD hh:mm:ss | Success |\n| 2 | b |                     | Pending |\n",
		},
		{
			name: "a title's underline is not an update notice",
			in:   "ERROR: Failed\r\n" + rule + "SQL State  : 22012\r\nCaused by: x\n\tat a.B.c(B.java:1)\n\t... 26 more\n",
			want: "ERROR: Failed\n" + rule + "SQL State  : 22012\nCaused by: x\n",
		},
		{
			name: "versions of migrations stay",
			in:   "Migrating schema \"public\" to version \"13.0.0 - x\"\n",
			want: "Migrating schema \"public\" to version \"13.0.0 - x\"\n",
		},
	} {
		if d := cmp.Diff(c.want, Text(c.in, "")); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestTextHidesTheFolder(t *testing.T) {
	t.Parallel()
	real := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	// Flyway prints the path that it was started in and Java sometimes the one behind the link.
	in := "Location   : sql/V1__a.sql (" + link + "/sql/V1__a.sql)\n-> " + real + "/sql/V1__a.sql (SQL)\n"
	want := "Location   : sql/V1__a.sql (DIR/sql/V1__a.sql)\n-> DIR/sql/V1__a.sql (SQL)\n"
	if d := cmp.Diff(want, Text(in, link)); d != "" {
		t.Error(d)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	in := `{"timestamp":"2026-11-22T17:14:50.299100493","flywayVersion" : "13.0.0","exception": null,
		"error":{"message":"x\r\nat /w/sql/V1__a.sql <b>","stackTrace":"a.B: x\n\tat a.B.c(B.java:1)\n","cause":{"stackTrace":null}},
		"migrations":[{"version":"1","executionTime":12345678901234567890,"installedOnUTC":"","filepath":"/w/sql/V1__a.sql"},
			{"version":"1.10","installedOnUTC":"2026-11-22T17:14:48.9Z","checksum":-1193849269}]}`
	want := `{
  "error": {
    "cause": {
      "stackTrace": null
    },
    "message": "x\nat DIR/sql/V1__a.sql <b>",
    "stackTrace": "STACK"
  },
  "exception": null,
  "flywayVersion": "VERSION",
  "migrations": [
    {
      "executionTime": 0,
      "filepath": "DIR/sql/V1__a.sql",
      "installedOnUTC": "",
      "version": "1"
    },
    {
      "checksum": -1193849269,
      "installedOnUTC": "TIME",
      "version": "1.10"
    }
  ],
  "timestamp": "TIME"
}
`
	got, err := JSON([]byte(in), "/w")
	if d := cmp.Diff(want, got); d != "" || err != nil {
		t.Errorf("%v\n%s", err, d)
	}
	for _, bad := range []string{"", "ERROR: not JSON", `{} {}`} {
		if got, err := JSON([]byte(bad), ""); err == nil {
			t.Errorf("%q: got %q and no error", bad, got)
		}
	}
}
