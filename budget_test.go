package skein_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein"
	"github.com/skein-db/skein/internal/pgtest"
)

// TestTimeBudget: a run begins no script that the rule says does not fit, and says what is left; the next run does that.
func TestTimeBudget(t *testing.T) {
	t.Parallel()
	files := []string{"V1__a.sql", "select pg_sleep(3.1);", "V2__b.sql", "select 2;", "V3__c.sql", "select 3;", "R__r.sql", "select 4;"}
	for name, c := range map[string]struct {
		cfg     skein.Config
		applied int
		says    string
	}{
		"used up at once":                {skein.Config{TimeBudget: time.Nanosecond}, 0, "the time budget of 1ns is used up"},
		"the longest does not fit again": {skein.Config{TimeBudget: 6 * time.Second}, 1, "less than the longest script of this run took (3."},
		"enough":                         {skein.Config{TimeBudget: time.Hour}, 4, ""},
		"a group":                        {skein.Config{TimeBudget: 6 * time.Second, Group: true}, 4, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := pgtest.New(t)
			c.cfg.Source = scripts(files...)
			result, err := migrate(t, db, c.cfg)
			if len(result.Applied) != c.applied || len(result.Remaining) != 4-c.applied {
				t.Errorf("%d applied, %d left", len(result.Applied), len(result.Remaining))
			}
			if c.says == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var e *skein.Error
			if !errors.As(err, &e) || e.Kind != skein.KindInterrupted || !strings.Contains(e.Message, c.says) || !strings.Contains(e.Kept, "left to do: ") {
				t.Fatalf("error %v", err)
			}
			if got := db.Value(t, "select count(*) from flyway_schema_history"); got != map[int]string{0: "0", 1: "1"}[c.applied] {
				t.Errorf("%s rows", got)
			}
			if result, err := migrate(t, db, skein.Config{Source: c.cfg.Source}); err != nil || len(result.Applied) != 4-c.applied {
				t.Errorf("the second run: %v", err)
			}
		})
	}
}
