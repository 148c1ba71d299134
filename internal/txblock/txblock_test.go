package txblock

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "record testdata/transaction.tsv from ../shared/data/locks")

const oldest, newest = 12, 18

// measured is what a statement in a transaction block answered: SQLSTATE or "ok" by version, "-" where the version
// has no such statement, and the statement's kind in the message of 25001.
type measured struct {
	Answers [newest - oldest + 1]string
	What    string
}

// measurements reads testdata/transaction.tsv: label, an answer for each version, and the kind or "-".
func measurements(t *testing.T) map[string]measured {
	t.Helper()
	raw, err := os.ReadFile("testdata/transaction.tsv")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]measured{}
	for line := range strings.Lines(string(raw)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != newest-oldest+3 {
			t.Fatalf("%d cells in %q", len(cells), line)
		}
		var m measured
		copy(m.Answers[:], cells[1:])
		m.What = strings.TrimPrefix(cells[len(cells)-1], "-")
		found[cells[0]] = m
	}
	return found
}

// TestMeasurements holds transaction.tsv against the files it was made from.
func TestMeasurements(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("..", "..", "..", "shared", "data", "locks")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no ../shared/data/locks beside the module: testdata/transaction.tsv is used unchecked")
	}
	shared := map[string]measured{}
	for version := oldest; version <= newest; version++ {
		raw, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("tx%d.json", version)))
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			R map[string]struct{ Tx, TxMsg string }
		}
		if err := json.Unmarshal(raw, &file); err != nil {
			t.Fatal(err)
		}
		for label, r := range file.R {
			m := shared[label]
			m.Answers[version-oldest] = r.Tx
			if what, ok := strings.CutSuffix(r.TxMsg, " cannot run inside a transaction block"); ok {
				m.What = what
			}
			shared[label] = m
		}
	}
	var lines []string
	for label, m := range shared {
		for i, a := range m.Answers {
			if a == "" {
				m.Answers[i] = "-"
			}
		}
		shared[label] = m
		lines = append(lines, label+"\t"+strings.Join(m.Answers[:], "\t")+"\t"+cmpOr(m.What, "-")+"\n")
	}
	if *update {
		slices.Sort(lines)
		head := "# What a statement in a transaction block answered, PostgreSQL 12 to 18, and its kind in the message of 25001.\n"
		if err := os.WriteFile("testdata/transaction.tsv", []byte(head+strings.Join(lines, "")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(shared, measurements(t)); diff != "" {
		t.Errorf("testdata/transaction.tsv is not what was measured (-shared +here), record it with -update:\n%s", diff)
	}
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// labelled is one entry of testdata/statements.txt, which explains itself.
type labelled struct {
	class    string
	control  string
	asks     []string // class, relation, label whose answer decides
	differs  string   // class, then the reason
	from     int      // differs only from this version on
	spelling []string
}

func statements(t *testing.T) map[string]*labelled {
	t.Helper()
	f, err := os.Open("testdata/statements.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := map[string]*labelled{}
	var l *labelled
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		key, value, _ := strings.Cut(line, ": ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "= "):
			l = &labelled{class: "Plain"}
			if found[line[2:]] != nil {
				t.Fatalf("%s stands twice", line)
			}
			found[line[2:]] = l
		case key == "class":
			l.class = value
		case key == "control":
			l.control = value
		case key == "asks":
			l.asks = strings.SplitN(value, " ", 3)
		case key == "differs":
			var reason string
			if l.differs, reason, _ = strings.Cut(value, " "); reason == "" {
				t.Fatalf("%q gives no reason", line)
			}
			if _, err := fmt.Sscanf(reason, "from %d:", &l.from); err != nil {
				l.from = 0 // a difference of all versions
			}
		default:
			l.spelling = append(l.spelling, strings.ReplaceAll(line, `\n`, "\n"))
		}
	}
	return found
}

var classNames = map[Class]string{Plain: "Plain", Refused: "Refused", AskTable: "AskTable", AskIndex: "AskIndex",
	Opaque: "Opaque", Control: "Control", CopyIn: "CopyIn"}

var controlNames = map[ControlKind]string{NoControl: "", Begin: "Begin", End: "End", Chain: "Chain", Savepoint: "Savepoint"}

// TestMeasured judges every spelling of every measured statement for every version.
func TestMeasured(t *testing.T) {
	t.Parallel()
	answers, labels := measurements(t), statements(t)
	for label := range labels {
		if _, ok := answers[label]; !ok {
			t.Errorf("%q was not measured", label)
		}
	}
	for label, m := range answers {
		l := labels[label]
		if l == nil || len(l.spelling) == 0 {
			t.Errorf("%q was measured: give it a statement in testdata/statements.txt", label)
			continue
		}
		if differs := l.differs != "" && l.differs == expected(l, m.Answers[newest-oldest]); differs {
			t.Errorf("%q does not differ", label)
		}
		for version := oldest; version <= newest; version++ {
			if m.Answers[version-oldest] != "-" {
				l.judge(t, label, version, answers)
			}
		}
	}
}

// judge compares every spelling with what the version answered.
func (l *labelled) judge(t *testing.T, label string, version int, answers map[string]measured) {
	t.Helper()
	m := answers[label]
	answer := m.Answers[version-oldest]
	class, relation := expected(l, answer), ""
	if l.differs != "" && version >= l.from {
		class = l.differs
	}
	if l.asks != nil {
		class = "Plain"
		if answers[l.asks[2]].Answers[version-oldest] == "25001" {
			class, relation = l.asks[0], l.asks[1]
		}
	}
	for _, sql := range l.spelling {
		got := Of(sql, version*10000+3)
		if classNames[got.Class] != class || got.Relation != relation || controlNames[got.Control] != l.control {
			t.Errorf("%d, %s: %q is %s %+v, want %s %s %s", version, label, sql, classNames[got.Class], got, class, relation, l.control)
		}
		if answer == "25001" && (got.Class == Refused || l.asks != nil) && got.What != m.What {
			t.Errorf("%d, %s: %q is called %q, the server says %q", version, label, sql, got.What, m.What)
		}
		if (got.What == "") != (got.Class == Plain) {
			t.Errorf("%d, %s: %q is %s and called %q", version, label, sql, classNames[got.Class], got.What)
		}
	}
}

// expected is the class that the answer alone asks for.
func expected(l *labelled, answer string) string {
	if answer == "25001" {
		return "Refused"
	}
	return l.class
}

// TestUnmeasured holds what no measurement covers: unknown and future versions, and what the grammar alone says.
func TestUnmeasured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sql    string
		server int
		want   Verdict
	}{
		{"", 0, Verdict{}},
		{"-- only a comment", 0, Verdict{}},
		{`"vacuum"`, 0, Verdict{}},
		{"'vacuum'", 0, Verdict{}},
		{"vacuum t", 0, Verdict{Class: Refused, What: "VACUUM"}},
		{"reindex table t", 0, Verdict{Class: AskTable, Relation: "t", What: "REINDEX TABLE"}},
		{"reindex index i", 130005, Verdict{}},
		{"reindex index i", 190000, Verdict{Class: AskIndex, Relation: "i", What: "REINDEX INDEX"}},
		{"cluster a.b.c", 0, Verdict{Class: AskTable, Relation: "a.b.c", What: "CLUSTER"}},
		{"cluster t", 140009, Verdict{}},
		{"cluster", 0, Verdict{Class: Refused, What: "CLUSTER"}},
		{"alter type m add value 'x'", 0, Verdict{}},
		{"alter type m add value 'x'", 110022, Verdict{Class: Refused, What: "ALTER TYPE ... ADD"}},
		{"alter type m add attribute a int", 110022, Verdict{}},
		{"alter subscription s refresh publication", 0, Verdict{Class: Refused, What: "ALTER SUBSCRIPTION ... REFRESH"}},
		{"alter subscription s refresh publication", 130000, Verdict{}},
		{"alter subscription s set publication p", 0, Verdict{Class: Refused, What: "ALTER SUBSCRIPTION with refresh"}},
		{"alter subscription s set (failover)", 0, Verdict{Class: Refused, What: "ALTER SUBSCRIPTION ... SET (failover)"}},
		// By the source of 18; the measurement covers switching it on only.
		{"alter subscription s set (two_phase = false)", 180000, Verdict{Class: Refused, What: "ALTER SUBSCRIPTION ... SET (two_phase)"}},
		{"alter subscription s set (two_phase = false)", 170000, Verdict{}},
		// By the source of 19.
		{"repack (concurrently) t", 190000, Verdict{Class: Refused, What: "REPACK (CONCURRENTLY)"}},
		{"repack (verbose, concurrently on) t using index i", 0, Verdict{Class: Refused, What: "REPACK (CONCURRENTLY)"}},
		{"repack (concurrently off) s.t", 190000, Verdict{Class: AskTable, Relation: "s.t", What: "REPACK"}},
		{"repack t using index", 190000, Verdict{Class: AskTable, Relation: "t", What: "REPACK"}},
		{"repack", 190000, Verdict{Class: Refused, What: "REPACK"}},
		{"repack (verbose);", 190000, Verdict{Class: Refused, What: "REPACK"}},
		{"repack using index", 190000, Verdict{Class: Refused, What: "REPACK"}},
		{"repack t", 180000, Verdict{}},
		{"copy t from stdin", 0, Verdict{Class: CopyIn, What: "COPY FROM STDIN"}},
		{"COPY s.\"from\" (a, \"to\") FROM /* file */ STDIN WITH (FORMAT csv);", 0, Verdict{Class: CopyIn, What: "COPY FROM STDIN"}},
		{"copy s.from from stdout", 0, Verdict{Class: CopyIn, What: "COPY FROM STDIN"}},
		{"copy t from program 'x' where a is distinct from stdin", 0, Verdict{}},
		{"copy t to program 'cat' with (from stdin)", 0, Verdict{}},
		{`copy t from "stdin"`, 0, Verdict{}},
		{"commit and chain", 0, Verdict{Class: Control, Control: Chain, What: "COMMIT AND CHAIN"}},
		{"rollback work and chain;", 0, Verdict{Class: Control, Control: Chain, What: "ROLLBACK AND CHAIN"}},
		{"end and no chain", 0, Verdict{Class: Control, Control: End, What: "END"}},
		{"prepare transaction 'x'", 0, Verdict{Class: Control, Control: End, What: "PREPARE TRANSACTION"}},
		{"prepare transaction_log as select 1", 0, Verdict{}},
		{"start", 0, Verdict{}},
		{"create subscription s connection 'x' publication p with (connect = false", 0, Verdict{}},
		{"alter table t detach partition", 0, Verdict{}},
		{"reindex (((", 0, Verdict{}},
	} {
		if diff := cmp.Diff(c.want, Of(c.sql, c.server)); diff != "" {
			t.Errorf("%q for %d (-want +got)\n%s", c.sql, c.server, diff)
		}
	}
}

func FuzzOf(f *testing.F) {
	raw, err := os.ReadFile("testdata/statements.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		f.Add(line, 150000)
	}
	f.Fuzz(func(t *testing.T, sql string, server int) {
		v := Of(sql, server)
		if (v.What == "") != (v.Class == Plain) || (v.Control != NoControl) != (v.Class == Control) {
			t.Fatalf("%q: %+v", sql, v)
		}
		if v.Relation != "" && v.Class != AskTable && v.Class != AskIndex {
			t.Fatalf("%q: %+v", sql, v)
		}
	})
}
