// Package flywaylive runs the real Flyway beside ours, so that tests can compare the two. Only tests import it.
//
// The Flyway to run is named by the environment: FLYWAY is the path of a `flyway` command (fetch.sh makes one),
// FLYWAY_854 that of version 8.5.4, and any further FLYWAY_nnn that of version n.n.n. Without them tests skip.
package flywaylive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"
	"time"
)

// Limit ends a run of Flyway that does not end by itself, as its CREATE INDEX CONCURRENTLY does not.
const Limit = 90 * time.Second

// Flyway is one installed Flyway.
type Flyway struct {
	Name string // the variable that named it, such as FLYWAY_854
	Path string // absolute path of the flyway command
}

// Call is one command line. Its zero value runs flyway without arguments in a folder of its own.
type Call struct {
	Dir   string   // working folder; "" is an empty temporary one
	URL   string   // postgres:// URL of the database; "" passes no -url, -user and -password
	Args  []string // verbs and -key=value, passed as they are
	JSON  bool     // adds -outputType=json
	Env   []string // additions, as NAME=value; the FLYWAY_… variables of the test itself are never passed
	Stdin string
	Limit time.Duration // 0 is the package's Limit
}

// Result is what a run left to see.
type Result struct {
	Stdout, Stderr string
	Exit           int
	Ended          bool // false when the limit ended it; Exit then means nothing
}

var selecting = regexp.MustCompile(`^FLYWAY(_[0-9]+)?$`)

// Find gives the Flyway that the variable names, or skips the test.
func Find(tb testing.TB, variable string) Flyway {
	tb.Helper()
	for _, f := range installed(tb) {
		if f.Name == variable {
			return f
		}
	}
	tb.Skipf("%s is not set: it names a flyway command to compare with (internal/conformance/flywaylive/fetch.sh makes one)", variable)
	return Flyway{}
}

// All gives every Flyway that the environment names, in the order of the variables' names, or skips the test.
func All(tb testing.TB) []Flyway {
	tb.Helper()
	found := installed(tb)
	if len(found) == 0 {
		tb.Skip("neither FLYWAY nor FLYWAY_nnn is set: each names a flyway command to compare with (internal/conformance/flywaylive/fetch.sh makes one)")
	}
	return found
}

func installed(tb testing.TB) []Flyway {
	tb.Helper()
	var found []Flyway
	for _, kv := range os.Environ() {
		name, path, _ := strings.Cut(kv, "=")
		if path == "" || !selecting.MatchString(name) {
			continue
		}
		abs, err := filepath.Abs(path)
		if err == nil {
			_, err = exec.LookPath(abs)
		}
		if err != nil {
			// A variable that is set and wrong must not turn a comparison into a silent skip.
			tb.Fatalf("%s=%s: %v", name, path, err)
		}
		found = append(found, Flyway{Name: name, Path: abs})
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Name < found[j].Name })
	return found
}

// Run runs Flyway and waits for its end. A failing Flyway is a Result; only one that cannot be started fails the test.
func (f Flyway) Run(tb testing.TB, c Call) Result {
	tb.Helper()
	if c.Dir == "" {
		c.Dir = tb.TempDir()
	}
	args, err := c.arguments()
	if err != nil {
		tb.Fatal(err)
	}
	limit := c.Limit
	if limit == 0 {
		limit = Limit
	}
	ctx, cancel := context.WithTimeout(tb.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.Path, args...)
	cmd.Dir = c.Dir
	cmd.Env = append(clean(os.Environ()), c.Env...)
	// Java takes the home folder, where a flyway.conf may lie, from the user database and not from HOME.
	cmd.Env = append(cmd.Env, "JAVA_ARGS=-Duser.home="+tb.TempDir(), "REDGATE_DISABLE_TELEMETRY=true")
	cmd.Stdin = strings.NewReader(c.Stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	endWithChildren(cmd)
	cmd.WaitDelay = 5 * time.Second
	err = cmd.Run()
	var failed *exec.ExitError
	if err != nil && ctx.Err() == nil && !errors.As(err, &failed) {
		tb.Fatalf("%s %s: %v", f.Path, strings.Join(args, " "), err)
	}
	return Result{Stdout: stdout.String(), Stderr: stderr.String(), Exit: cmd.ProcessState.ExitCode(), Ended: ctx.Err() == nil}
}

func (c Call) arguments() ([]string, error) {
	var args []string
	if c.URL != "" {
		jdbc, user, password, err := JDBC(c.URL)
		if err != nil {
			return nil, err
		}
		// Empty credentials are passed too: without them 8.5.4 asks for them on the terminal.
		args = append(args, "-url="+jdbc, "-user="+user, "-password="+password)
	}
	if c.JSON {
		args = append(args, "-outputType=json")
	}
	return append(args, c.Args...), nil
}

func clean(environ []string) []string {
	var kept []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if upper := strings.ToUpper(name); strings.HasPrefix(upper, "FLYWAY") || upper == "JAVA_ARGS" || upper == "CLASSPATH" {
			continue
		}
		kept = append(kept, kv)
	}
	return kept
}

// JDBC turns a postgres:// URL into what Flyway's PostgreSQL driver takes: a jdbc: URL without credentials, and those.
func JDBC(raw string) (jdbc, user, password string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", "", "", err
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", "", "", fmt.Errorf("%s: want a postgres:// URL", u.Redacted())
	}
	user = u.User.Username()
	password, _ = u.User.Password()
	u.User, u.Scheme = nil, "postgresql"
	if u.Hostname() == "" {
		return "", "", "", fmt.Errorf("%s: Flyway's driver needs a host and cannot use a unix socket", u.Redacted())
	}
	return "jdbc:" + u.String(), user, password, nil
}

// Decode reads the JSON document of a run into v.
func (r Result) Decode(v any) error {
	if err := json.Unmarshal([]byte(r.Stdout), v); err != nil {
		return fmt.Errorf("flyway's JSON (exit %d): %w\nstdout: %s\nstderr: %s", r.Exit, err, r.Stdout, r.Stderr)
	}
	return nil
}
