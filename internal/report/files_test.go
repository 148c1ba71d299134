package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const flywaysMigrate = `{"operation":"migrate","database":"old","timestamp":"2026-01-02T03:04:05.678901234","flywayVersion":"13.0.0","exception":null,
 "targetSchemaVersion":"4","migrations":[{"version":"4","description":"four","type":"SQL","filepath":"/srv/sql/V4__four.sql","executionTime":42}]}`

const flywaysInfo = `{"operation":"info","database":"old","timestamp":"2026-01-02T03:04:05.678901234","flywayVersion":"13.0.0","exception":"it broke\nbadly",
 "schemaVersion":"4","migrations":[{"version":"4","description":"four","type":"SQL","filepath":"C:\\sql\\V4__four.sql","state":"Success","installedOnUTC":"2026-01-01T23:30:00.5Z","installedBy":"me","executionTime":42}]}`

// A report in a file that is there keeps the newest of each verb, in Flyway's part and in Skein's.
func TestFilesMerge(t *testing.T) {
	t.Parallel()
	run := func(verb, skein string) Run {
		return Run{Verb: verb, Skein: skein, Started: start, Ended: start.Add(time.Second), Summary: skein, OK: true}
	}
	result := func(op, mark string) json.RawMessage {
		return json.RawMessage(`{"operation":"` + op + `","mark":"` + mark + `"}`)
	}
	earlier := &Earlier{}
	for _, c := range []struct {
		name    string
		runs    []Run
		results []json.RawMessage
		want    string
		runsAre string
	}{
		{"the first", []Run{run("info", "1")}, []json.RawMessage{result("info", "1")}, "info 1", "info 1"},
		{"another verb", []Run{run("migrate", "2")}, []json.RawMessage{result("migrate", "2")}, "info 1 migrate 2", "info 1 migrate 2"},
		{"two in one line", []Run{run("info", "3"), run("info", "4")}, []json.RawMessage{result("info", "3"), result("info", "4")}, "migrate 2 info 4", "migrate 2 info 3 info 4"},
		{"none of Flyway's", []Run{run("validate", "5")}, nil, "migrate 2 info 4", "migrate 2 info 3 info 4 validate 5"},
	} {
		_, data, err := Report{Runs: c.runs, Results: c.results, Redact: plain}.Files(earlier)
		if err != nil {
			t.Fatal(err)
		}
		if earlier, err = Read(data); err != nil {
			t.Fatal(err)
		}
		var results, runs []string
		for _, raw := range earlier.results {
			var o struct{ Operation, Mark string }
			if err := json.Unmarshal(raw, &o); err != nil {
				t.Fatal(err)
			}
			results = append(results, o.Operation, o.Mark)
		}
		for _, run := range earlier.runs {
			runs = append(runs, run.Verb, run.Skein)
		}
		if got := strings.Join(results, " "); got != c.want {
			t.Errorf("%s: results %s, not %s", c.name, got, c.want)
		}
		if got := strings.Join(runs, " "); got != c.runsAre {
			t.Errorf("%s: runs %s, not %s", c.name, got, c.runsAre)
		}
	}
}

// What Flyway wrote is shown as far as it tells.
func TestFilesOfFlyway(t *testing.T) {
	t.Parallel()
	earlier, err := Read([]byte(`{"individualResults":[` + flywaysMigrate + "," + flywaysInfo + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	page, data, err := Report{Runs: []Run{big(1, 1)}, Results: []json.RawMessage{json.RawMessage(`{"operation":"migrate"}`)}, Redact: plain}.Files(earlier)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Earlier, from the same file", "Flyway 13.0.0", "V4__four.sql", "<dt>Database<dd>old</div>", "it broke\nbadly", "2026-01-02 03:04:05", "2026-01-02 00:30:00"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(string(data), "/srv/sql") || !strings.Contains(string(data), `"database": "old"`) {
		t.Errorf("the JSON is\n%s", data)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                       "",
		" \n":                                    "",
		`{"individualResults":[]}`:               "",
		`{"individualResults":[{"x":1},7,null]}`: "",
		`{"individualResults":[],"skein":{"format":1,"runs":[],"later":1}}`: "",
		`{"individualResults":[],"skein":{"format":2}}`:                     "a newer version of Skein wrote it (format 2, this one knows 1)",
		`{}`:                       "it is no report: it has no individualResults",
		`[]`:                       "it is no report: json: cannot unmarshal array",
		`name,price`:               "it is no report: invalid character",
		`{"individualResults":[{}`: "it is no report: unexpected end",
	} {
		_, err := Read([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for micros, want := range map[int64]string{0: "0.00 ms", 420: "0.42 ms", 123456: "123 ms", 2_346_000: "2.35 s", 185_000_000: "3 min 05 s", 3_660_000_000: "1 h 01 min"} {
		if got := span(micros); got != want {
			t.Errorf("%d is %q, not %q", micros, got, want)
		}
	}
	for at, want := range map[time.Time]string{start: "+01:00 (CET)", start.UTC(): "UTC", start.In(time.FixedZone("", 7200)): "+02:00"} {
		if got := zone(at); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	long := strings.Repeat("é", 300)
	for _, c := range []struct {
		f    Failure
		want string
	}{
		{Failure{Line: 7, Column: 3, Source: "ab cd"}, "7 | ab cd\n  |   ^"},
		{Failure{Line: 12, Column: 3, Source: "\té\tcd"}, "12 | \té\tcd\n   | \t ^"},
		{Failure{Line: 1, Column: 0, Source: "ab"}, "1 | ab"},
		{Failure{Line: 1, Column: 9, Source: "ab"}, "1 | ab"},
		{Failure{Line: 1, Column: 150, Source: long}, "1 | " + long[:240] + "\n  | " + strings.Repeat(" ", 59) + "^"},
	} {
		if got := caret(&c.f); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
	for _, c := range []struct {
		in   string
		n    int
		want string
		left int
	}{{"abc", 3, "abc", 0}, {"abcd", 3, "abc", 1}, {"ééé", 3, "ééé", 0}, {"éééé", 3, "ééé", 1}, {"", 0, "", 0}} {
		if got, left := cut(c.in, c.n); got != c.want || left != c.left {
			t.Errorf("cut %q: %q, %d", c.in, got, left)
		}
	}
}
