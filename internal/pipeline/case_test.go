package pipeline

import (
	"fmt"
	"hash/crc32"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/skein-db/skein/internal/schedule"
	"github.com/skein-db/skein/migration"
)

// story is what a case says, line by line.
type story struct {
	t        testing.TB
	p        Pipeline
	releases []Release
	targets  []TargetFacts
	evidence Evidence
	now      time.Time
	asks     [][]string
}

var words = regexp.MustCompile(`[^\s"=]+="[^"]*"|"[^"]*"|\S+`)

// read takes a case's lines; what begins with # is a remark.
func (s *story) read(text string) {
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		s.line(words.FindAllString(line, -1))
	}
}

func (s *story) line(w []string) {
	args := w[1:]
	switch w[0] {
	case "environment":
		s.environment(args[0], options(args[1:]))
	case "people":
		s.p.People = map[string][]string{}
		for k, v := range options(args) {
			s.p.People[k] = strings.Split(v, ",")
		}
	case "sign":
		s.p.SignReleases = true
	case "release":
		s.release(args)
	case "target":
		s.target(args)
	case "now":
		s.now = s.instant(args[0])
	case "approval":
		s.approval(args[0], options(args[1:]))
	case "running":
		o := options(args)
		s.evidence.Running = &Running{ID: o["id"], Release: o["release"], Releaser: o["by"], Since: s.instant(o["since"])}
	case "override":
		o := options(args[1:])
		s.evidence.Override = &Override{Person: args[0], Why: o["why"]}
		for _, g := range strings.Split(o["gates"], ",") {
			s.evidence.Override.Gates = append(s.evidence.Override.Gates, Gate(g))
		}
	case "command":
		s.evidence.Command = &Answer{Yes: args[0] == "yes", Text: strings.Trim(strings.Join(args[1:], " "), `"`)}
	case "query":
		if s.evidence.Queries == nil {
			s.evidence.Queries = map[string]Answer{}
		}
		s.evidence.Queries[args[0]] = Answer{Yes: args[1] == "yes", Text: strings.Trim(strings.Join(args[2:], " "), `"`)}
	case "restore":
		if s.evidence.RestorePoints == nil {
			s.evidence.RestorePoints = map[string]RestorePoint{}
		}
		o := options(args[1:])
		point := RestorePoint{What: o["what"], Err: o["err"]}
		if o["at"] != "" {
			point.At = s.instant(o["at"])
		}
		s.evidence.RestorePoints[args[0]] = point
	case "factor":
		s.evidence.Factor, _ = strconv.ParseFloat(args[0], 64)
	case "next", "back", "promote", "board", "why", "proceed":
		s.asks = append(s.asks, w)
	default:
		s.t.Fatalf("unknown word %q", w[0])
	}
}

// options reads name=value and name.
func options(args []string) map[string]string {
	out := map[string]string{}
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		out[k] = strings.Trim(v, `"`)
	}
	return out
}

func (s *story) instant(text string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t
		}
	}
	s.t.Fatalf("%q is no time", text)
	return time.Time{}
}

func (s *story) duration(text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *story) environment(name string, o map[string]string) {
	e := Environment{Name: name, HealthWait: s.duration(o["healthWait"])}
	g := &e.Gates
	_, e.Production = o["production"]
	_, e.Health = o["health"]
	_, g.Previous = o["previous"]
	_, g.Validate = o["validate"]
	g.Soak, g.ApprovalExpiry = s.duration(o["soak"]), s.duration(o["expiry"])
	g.Approvals, _ = strconv.Atoi(o["approvals"])
	e.Concurrent, _ = strconv.Atoi(o["concurrent"])
	g.RestorePoint, g.Command, g.Query = o["restorePoint"], o["command"], o["query"]
	loc, err := time.LoadLocation(o["zone"])
	if err != nil {
		s.t.Fatal(err)
	}
	list := func(key string) []string {
		if o[key] == "" {
			return nil
		}
		return strings.Split(o[key], ";")
	}
	if g.Windows, err = schedule.ParseWindows(list("windows"), list("freezes"), loc); err != nil {
		s.t.Fatal(err)
	}
	for _, text := range list("waves") {
		w, err := ParseWave(text)
		if err != nil {
			s.t.Fatal(err)
		}
		e.Waves = append(e.Waves, w)
	}
	if o["budget"] != "" {
		if e.Budget, err = ParseBudget(o["budget"]); err != nil {
			s.t.Fatal(err)
		}
	}
	if at := slices.IndexFunc(s.p.Environments, func(e Environment) bool { return e.Name == name }); at >= 0 {
		s.p.Environments[at] = e // a case may say an environment again
		return
	}
	s.p.Environments = append(s.p.Environments, e)
}

// sum is the checksum of a script's text, which cases name by a word.
func sum(text string) *int32 {
	c := int32(crc32.ChecksumIEEE([]byte(text))) //nolint:gosec // any 32 bits will do
	return &c
}

var scriptWord = regexp.MustCompile(`^(V|U|B|R)([\w.]+)(?:=(\w+))?$`)

// script reads V2, V2=text, R.views, U2 or B5.
func (s *story) script(word string) Script {
	m := scriptWord.FindStringSubmatch(word)
	if m == nil {
		s.t.Fatalf("%q is no script", word)
	}
	text := word[:len(m[1])+len(m[2])]
	if m[3] != "" {
		text += " " + m[3]
	}
	sc := Script{Path: m[1] + m[2] + "__.sql", Checksum: sum(text), SHA256: "sha of " + text}
	kinds := map[string]migration.Kind{"V": migration.Versioned, "U": migration.Undo, "B": migration.Baseline, "R": migration.Repeatable}
	if sc.Kind = kinds[m[1]]; sc.Kind == migration.Repeatable {
		sc.Description, sc.Path = m[2][1:], "R__"+m[2][1:]+".sql"
	} else {
		sc.Version = migration.MustVersion(m[2])
	}
	return sc
}

func (s *story) release(args []string) {
	rel := Release{Name: args[0], Digest: "sha256:" + args[0]}
	for _, a := range args[1:] {
		k, v, found := strings.Cut(a, "=")
		switch {
		case found && k == "author":
			rel.Author = v
		case found && k == "key":
			rel.Key = v
		case found && k == "unsound":
			rel.Unsound = strings.Trim(v, `"`)
		case found && k == "created":
			rel.Created = s.instant(v)
		default:
			rel.Scripts = append(rel.Scripts, s.script(a))
		}
	}
	s.releases = append(s.releases, rel)
}

// A row: V2, V2=text, with @instant or ?digits-without-a-zone, /duration, #release, "!" failed, "$" with the hash of its bytes,
// "~" may be missing. -V2 undoes, xV2 is a deletion, baseline5 is a baseline.
var rowWord = regexp.MustCompile(`^(-|x|baseline)?([VRB]?[\w.]+?(?:=\w+)?)(?:([@?])([^/#!$~]+))?(?:/([\w.]+))?(?:#([\w.-]+))?([!$~]*)$`)

func (s *story) row(word string, rank int) Applied {
	m := rowWord.FindStringSubmatch(word)
	if m == nil {
		s.t.Fatalf("%q is no row", word)
	}
	row := Applied{Rank: rank, Success: !strings.Contains(m[7], "!"), MissingOK: strings.Contains(m[7], "~"), Duration: s.duration(m[5]), Release: m[6]}
	if m[6] != "" {
		row.Digest = "sha256:" + m[6]
	}
	if m[1] == "baseline" {
		row.Type, row.Version = migration.TypeBaseline, migration.MustVersion(m[2])
	} else {
		sc := s.script(m[2])
		row.Version, row.Description, row.Script, row.Checksum = sc.Version, sc.Description, sc.Path, sc.Checksum
		row.Type = migration.TypeSQL
		if sc.Kind == migration.Baseline {
			row.Type = migration.TypeSQLBaseline
		}
		if strings.Contains(m[7], "$") {
			row.SHA256 = sc.SHA256
		}
	}
	switch m[1] {
	case "-":
		row.Type = migration.TypeUndoSQL
	case "x":
		row.Type = migration.TypeDelete
	}
	row.At, row.Zoned = time.Date(2026, 1, 1, 0, 0, rank, 0, time.UTC), true
	if m[4] != "" {
		row.At, row.Zoned = s.instant(m[4]), m[3] == "@"
	}
	return row
}

func (s *story) target(args []string) {
	env, name, _ := strings.Cut(args[0], "/")
	t := TargetFacts{Name: name, Environment: env, Identity: Identity{Environment: env, System: "7" + name, Database: "app", Host: name + ".example"}}
	for _, a := range args[1:] {
		k, v, found := strings.Cut(a, "=")
		v = strings.Trim(v, `"`)
		switch {
		case found && k == "down":
			t.Unreachable, t.Silent = v, v != "the role may not" // that is an answer
		case found && k == "misplaced":
			t.Misplaced = v
		case found && k == "readonly":
			t.ReadOnly = v
		case found && k == "busy":
			t.Busy = v
		case found && k == "noplan":
			t.NoPlan = v
		case found && k == "problems":
			t.Problems = strings.Split(v, ";")
		case found && k == "system":
			t.Identity.System = v
		case found && k == "clock":
			t.Clock = s.instant(v)
		case found && k == "pin":
			e, sys, _ := strings.Cut(v, ":")
			t.Pinned = &Identity{Environment: e, System: sys}
		case found && k == "expected":
			t.Expected = &Identity{System: v, Database: "app"}
		case found && k == "skipped":
			path, why, _ := strings.Cut(v, ":")
			t.Skipped = map[string]string{s.script(path).Path: why}
		default:
			t.Applied = append(t.Applied, s.row(a, len(t.Applied)+1))
		}
	}
	if at := slices.IndexFunc(s.targets, func(o TargetFacts) bool { return o.Name == name && o.Environment == env }); at >= 0 {
		s.targets[at] = t // a case may say a target again
		return
	}
	s.targets = append(s.targets, t)
}

func (s *story) approval(person string, o map[string]string) {
	a := Approval{Person: person, Key: o["key"], Environment: o["environment"], Release: o["release"], Digest: "sha256:" + o["release"],
		Given: s.now.Add(-time.Hour), SignatureOK: true, Unsound: o["unsound"]}
	if a.Unsound != "" {
		a.SignatureOK = false
	}
	if o["given"] != "" {
		a.Given = s.instant(o["given"])
	}
	if o["expires"] != "" {
		a.Expires = s.instant(o["expires"])
	}
	for _, name := range strings.Split(o["targets"], ",") {
		if name != "" {
			part, wrong, _ := strings.Cut(name, ":") // qa1:plan, qa1:history, qa1:identity are bound to something else
			a.Targets = append(a.Targets, ApprovedTarget{Name: part, History: wrong})
		}
	}
	s.evidence.Approvals = append(s.evidence.Approvals, a)
}

func (s *story) named(name string) Release {
	for _, r := range s.releases {
		if r.Name == name {
			return r
		}
	}
	s.t.Fatalf("no release %s", name)
	return Release{}
}

// facts plans each target as a survey would: what is not applied runs, and repeatables that differ.
func (s *story) facts(rel Release) []TargetFacts {
	var out []TargetFacts
	for _, t := range s.targets {
		if t.Unreachable == "" {
			p := presentIn(t.Applied)
			for _, sc := range rel.Scripts {
				_, how := p.of(sc)
				_, skipped := t.Skipped[sc.Path]
				if sc.runs() && !skipped && (how == absent || how == changed && sc.Kind == migration.Repeatable) {
					t.Pending = append(t.Pending, Step{Kind: sc.Kind, Version: sc.Version, Path: sc.Path, SHA256: sc.SHA256})
				}
			}
			t.seal()
		}
		out = append(out, t)
	}
	return out
}

func (t *TargetFacts) seal() {
	t.Key = "system " + t.Identity.System
	t.Fingerprint = fmt.Sprintf("plan of %s: %v after %d", t.Name, t.Pending, len(t.Applied))
	t.History = fmt.Sprintf("history of %s: %d", t.Name, len(t.Applied))
}

// bind completes the approvals from the facts that the approver saw: those of now, but where a case says otherwise.
func (s *story) bind(facts []TargetFacts) Evidence {
	e := s.evidence
	e.Approvals = slices.Clone(e.Approvals)
	for i := range e.Approvals {
		a := &e.Approvals[i]
		var bound []ApprovedTarget
		for _, t := range facts {
			at := slices.IndexFunc(a.Targets, func(o ApprovedTarget) bool { return o.Name == t.Name })
			if t.Environment != a.Environment || len(a.Targets) > 0 && at < 0 {
				continue
			}
			b := ApprovedTarget{Name: t.Name, Identity: t.Key, Fingerprint: t.Fingerprint, History: t.History}
			if at >= 0 {
				switch a.Targets[at].History {
				case "plan":
					b.Fingerprint = "another"
				case "history":
					b.History = "another"
				case "identity":
					b.Identity = "another"
				}
			}
			bound = append(bound, b)
		}
		a.Targets = bound
	}
	return e
}
