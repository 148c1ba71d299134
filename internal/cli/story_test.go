package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/skein-db/skein/internal/pgtest"
	"github.com/skein-db/skein/internal/s3test"
)

// TestStory plays testdata/story.txtar, a release on its way through three environments on two servers, its scripts and
// releases in S3, and looks for what README.md shows of it.
func TestStory(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &story{window: 2}
	params := testscript.Params{
		Files: []string{"testdata/story.txtar"},
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"tell": s.tell, "put": s.put, "days": s.days, "window": s.open},
		Setup: func(env *testscript.Env) error {
			bin := filepath.Join(env.WorkDir, ".bin")
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			second := pgtest.Server(t, nil)
			s.dev, s.qa = pgtest.New(t), pgtest.On(t, second)
			production := pgtest.On(t, second)
			for name, url := range map[string]string{"DEV": s.dev.URL, "QA": s.qa.URL, "PRODUCTION": production.URL} {
				env.Setenv(name, url)
			}
			s.s3 = s3test.New(t)
			s.s3.Bucket("shop", true)
			for _, v := range s.s3.Env() {
				name, value, _ := strings.Cut(v, "=")
				env.Setenv(name, value)
			}
			return errors.Join(os.Mkdir(bin, 0o755), os.Symlink(self, filepath.Join(bin, "skein")))
		},
	}
	t.Cleanup(func() { // the script is a parallel test of its own
		if t.Failed() || s.told.Len() == 0 {
			return
		}
		readme, err := os.ReadFile("../../README.md")
		if err != nil {
			t.Fatal(err)
		}
		shown(t, string(readme), s.told.String())
	})
	testscript.Run(t, params)
}

// shown looks for the parts of a page's blocks named story, in their order. Moments, lengths of time, digests and names of
// databases are others each time.
func shown(t *testing.T, page, told string) {
	t.Helper()
	blocks := regexp.MustCompile("(?ms)^```story\n(.*?)^```$").FindAllStringSubmatch(page, -1)
	rest, parts := steady(told), 0
	for _, block := range blocks {
		for part := range strings.SplitSeq(block[1], "…\n") {
			parts++
			_, after, found := strings.Cut(rest, steady(part))
			if !found {
				t.Errorf("the story does not have this, or not there:\n%s\nit has:\n%s", part, told)
				return
			}
			rest = after
		}
	}
	if parts < 5 {
		t.Errorf("%d parts of the story in README.md", parts)
	}
}

var changing = []struct {
	is   *regexp.Regexp
	will string
}{
	{regexp.MustCompile(`\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?: \S+)?`), "MOMENT"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d(?: [A-Z+-][A-Z0-9:+-]*)?`), "MOMENT"},
	{regexp.MustCompile(`\d\d-\d\d \d\d:\d\d`), "MOMENT"},
	{regexp.MustCompile(`\b\d+(?:\.\d+)? ?(?:ms|s|min|m|h|d)\b(?: \d+ ?(?:s|min|m|h)\b)*`), "LENGTH"},
	{regexp.MustCompile(`\((?:mon|tue|wed|thu|fri|sat|sun),(?:mon|tue|wed|thu|fri|sat|sun) UTC\)`), "WINDOW"},
	{regexp.MustCompile(`sha256:[0-9a-f]+`), "DIGEST"},
	{regexp.MustCompile(`database \S+ on .*`), "DATABASE"},
	{regexp.MustCompile(`plan [0-9a-f]{16}, history [0-9a-f]{16}`), "PLAN"},
	{regexp.MustCompile(` {2,}`), "  "},
	{regexp.MustCompile(`-{3,}`), "---"},
}

// steady takes out of a text what differs from run to run.
func steady(text string) string {
	for _, c := range changing {
		text = c.is.ReplaceAllString(text, c.will)
	}
	return text
}

// story is what the commands of the script share.
type story struct {
	dev, qa *pgtest.DB
	s3      *s3test.Server
	told    strings.Builder
	window  int // in how many days it opens
}

// tell runs a command, which has to end with the code given first, and writes down what a person would see.
func (s *story) tell(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: tell code command...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	fmt.Fprintf(&s.told, "$ %s\n%s%s", strings.Join(args[1:], " "), ts.ReadFile("stderr"), ts.ReadFile("stdout"))
	if got != args[0] {
		ts.Fatalf("%s ended with %s, not %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// put writes a file of the script into the bucket.
func (s *story) put(ts *testscript.TestScript, _ bool, args []string) {
	s.s3.Put("shop", args[0], ts.ReadFile(args[1]))
}

// open writes production's window into the settings: the day in s.window days, and the one after it.
func (s *story) open(ts *testscript.TestScript, _ bool, _ []string) {
	day := func(n int) string { return strings.ToLower(time.Now().UTC().AddDate(0, 0, n).Format("Mon")) }
	text := regexp.MustCompile(`windows = .*`).ReplaceAllString(ts.ReadFile("skein.toml"), fmt.Sprintf(`windows = ["%s,%s"]`, day(s.window), day(s.window+1)))
	ts.Check(os.WriteFile(ts.MkAbs("skein.toml"), []byte(text), 0o600))
}

// days lets days pass. The clock cannot be turned, so the world is: everything that was applied is older now, and the
// window is nearer. The script is at least a day away from either end of a window, should it run at midnight.
func (s *story) days(ts *testscript.TestScript, _ bool, args []string) {
	var n int
	_, err := fmt.Sscan(args[0], &n)
	ts.Check(err)
	for _, db := range []*pgtest.DB{s.dev, s.qa} {
		conn, err := pgx.Connect(context.Background(), db.URL)
		ts.Check(err)
		_, err = conn.Exec(context.Background(), "update skein.applied set instant = instant - make_interval(days => $1)", n)
		ts.Check(errors.Join(err, conn.Close(context.Background())))
	}
	s.window -= n
	s.open(ts, false, nil)
}
