package watch

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ view, row, want string }{
		{"create_index", "command=CREATE INDEX phase=building_index:_scanning_table blocks_done=25 blocks_total=100 tuples_done=7 relation=t", "CREATE INDEX|building index: scanning table|t|25/100 blocks|7 rows"},
		{"create_index", "command=CREATE INDEX phase=building_index:_sorting_live_tuples blocks_done=100 blocks_total=100", "CREATE INDEX|building index: sorting live tuples||0/0 |0 rows"},
		{"create_index", "command=CREATE INDEX phase=building_index:_loading_tuples_in_tree blocks_total=100 tuples_done=5 tuples_total=10", "CREATE INDEX|building index: loading tuples in tree||5/10 rows|5 rows"},
		{"create_index", "command=REINDEX phase=waiting_for_old_snapshots lockers_done=1 lockers_total=3", "REINDEX|waiting for old snapshots||1/3 lockers|0 rows"},
		{"vacuum", "phase=scanning_heap heap_blks_scanned=3 heap_blks_total=9", "VACUUM|scanning heap||3/9 blocks|0 rows"},
		{"vacuum", "phase=vacuuming_indexes heap_blks_scanned=3 heap_blks_total=9", "VACUUM|vacuuming indexes||0/0 |0 rows"},
		{"vacuum", "phase=vacuuming_indexes indexes_processed=1 indexes_total=2", "VACUUM|vacuuming indexes||1/2 indexes|0 rows"},
		{"vacuum", "phase=vacuuming_heap heap_blks_vacuumed=2 heap_blks_total=9", "VACUUM|vacuuming heap||2/9 blocks|0 rows"},
		{"cluster", "command=VACUUM_FULL phase=seq_scanning_heap heap_blks_scanned=4 heap_blks_total=8 heap_tuples_scanned=70", "VACUUM FULL|seq scanning heap||4/8 blocks|70 rows"},
		{"repack", "phase=index_scanning_heap heap_tuples_written=70", "REPACK|index scanning heap||0/0 |70 rows"},
		{"analyze", "phase=acquiring_sample_rows sample_blks_scanned=4 sample_blks_total=8", "ANALYZE|acquiring sample rows||4/8 blocks|0 rows"},
		{"analyze", "phase=computing_extended_statistics ext_stats_computed=1 ext_stats_total=2", "ANALYZE|computing extended statistics||1/2 statistics|0 rows"},
		{"copy", "command=COPY_FROM bytes_processed=10 bytes_total=0 tuples_processed=2 relation=-", "COPY|||10/0 bytes|2 rows"},
	} {
		row := map[string]string{}
		for pair := range strings.FieldsSeq(strings.ReplaceAll(c.row, "CREATE INDEX", "CREATE_INDEX")) {
			k, v, _ := strings.Cut(pair, "=")
			row[k] = v
			if k == "phase" || k == "command" {
				row[k] = strings.ReplaceAll(v, "_", " ")
			}
		}
		w := Read(c.view, row)
		got := fmt.Sprintf("%s|%s|%s|%d/%d %s|%d rows", w.Command, w.Phase, w.Relation, w.Done, w.All, w.Unit, w.Rows)
		if got != c.want {
			t.Errorf("%s %s: %s, want %s", c.view, c.row, got, c.want)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{
		"select 'a''b', 1\n  from t":                      "select '…', 1 from t",
		`insert into t values (E'it\'s', $$x$$, $a$y$a$)`: "insert into t values (E'…', '…', '…')",
		"select $1, 'never closed":                        "select $1, '…'",
		"select $b$never closed":                          "select '…'",
		"select 12345678901234567890":                     "select 123456789012…",
	} {
		limit := 100
		if strings.HasSuffix(want, "…") {
			limit = len([]rune(want))
		}
		if got := Redact(query, limit); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	start := time.Unix(1000, 0)
	var p Pace
	at := func(second int, phase string, done, all int64, want time.Duration) {
		t.Helper()
		if got := p.Left(start.Add(time.Duration(second)*time.Second), Work{Command: "X", Phase: phase, Done: done, All: all}); got != want {
			t.Errorf("after %d s at %d of %d: %s, want %s", second, done, all, got, want)
		}
	}
	at(0, "a", 0, 100, 0)
	at(2, "a", 20, 100, 0) // too early to tell
	at(4, "a", 40, 100, 6*time.Second)
	at(5, "b", 0, 100, 0) // another phase
	at(9, "b", 0, 100, 0) // it does not move
	at(10, "b", 10, 100, 45*time.Second)
	at(60, "b", 20, 100, 0) // what is long ago does not count
	at(64, "b", 60, 100, 4*time.Second)
	at(65, "b", 10, 100, 0) // begun again
	at(66, "c", 5, 0, 0)
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	lock := Session{PID: 1, State: "idle in transaction", StateAge: time.Hour}
	busy := Session{PID: 2, State: "active"}
	counting := Work{Command: "CREATE INDEX", Done: 5, All: 10}
	for name, c := range map[string]struct {
		look Look
		want Verdict // at once
		late Verdict // after a minute without a change
	}{
		"nobody":                          {Look{}, Nothing, Nothing},
		"a statement":                     {Look{Lock: lock, Worker: Facts{Session: busy}}, Working, Working},
		"counters":                        {Look{Lock: lock, Worker: Facts{Session: busy, Work: counting}}, Working, Stalled},
		"counters at their end":           {Look{Lock: lock, Worker: Facts{Session: busy, Work: Work{Done: 10, All: 10}}}, Working, Working},
		"a blocker":                       {Look{Lock: lock, Worker: Facts{Session: busy, Work: counting, Blockers: []Session{{PID: 9}}}}, Blocked, Blocked},
		"no lock":                         {Look{Worker: Facts{Session: busy}}, Orphaned, Orphaned},
		"no lock, a blocker":              {Look{Worker: Facts{Session: busy, Blockers: []Session{{PID: 9}}}}, Orphaned, Orphaned},
		"only the fence":                  {Look{Fence: busy}, Orphaned, Orphaned},
		"a callback before the lock":      {Look{Runner: true, Silent: time.Second, Worker: Facts{Session: busy}}, Working, Working},
		"the run is silent":               {Look{Lock: lock, Runner: true, Silent: 11 * time.Second, Worker: Facts{Session: busy}}, Stalled, Stalled},
		"the run is silent and blocked":   {Look{Lock: lock, Runner: true, Silent: time.Minute, Worker: Facts{Session: busy, Blockers: []Session{{PID: 0}}}}, Blocked, Blocked},
		"nothing sent, just now":          {Look{Lock: lock, Worker: Facts{Session: Session{PID: 2, State: "idle", StateAge: time.Second}}}, Working, Working},
		"nothing sent, for long":          {Look{Lock: lock, Worker: Facts{Session: Session{PID: 2, State: "idle in transaction", StateAge: time.Minute}}}, Stalled, Stalled},
		"a program":                       {Look{Lock: lock, Runner: true, Program: true, Worker: Facts{Session: Session{PID: 2, State: "idle", StateAge: time.Minute}}}, Working, Working},
		"a lock and nothing else":         {Look{Lock: lock}, Stalled, Stalled},
		"a lock that one may not look at": {Look{Lock: Session{PID: 1}}, Unseen, Unseen},
		"a worker that is hidden":         {Look{Lock: lock, Worker: Facts{Session: Session{PID: 2}}}, Unseen, Unseen},
	} {
		var j Judge
		now := time.Unix(1000, 0)
		first, _, still := j.Verdict(now, c.look, 10*time.Second)
		late, reason, _ := j.Verdict(now.Add(time.Minute), c.look, 10*time.Second)
		if first != c.want || late != c.late || still != 0 {
			t.Errorf("%s: %s, later %s (%s), want %s and %s", name, first, late, reason, c.want, c.late)
		}
		c.look.Worker.Work.Done++
		if v, _, still := j.Verdict(now.Add(time.Minute), c.look, 10*time.Second); c.late != c.want && (v != c.want || still != 0) {
			t.Errorf("%s: %s after it has moved", name, v)
		}
	}
}
