package migration

import (
	"testing"
)

// The fingerprint changes with everything that changes what a run does, and with nothing else.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	one := int32(1)
	plan := func(change func(s []Script)) string {
		scripts := []Script{
			{Kind: Versioned, Version: MustVersion("1"), Description: "a", Type: TypeSQL, Path: "V1__a.sql", Physical: "/x/V1__a.sql", Text: "select 1", Checksum: &one},
			{Kind: Repeatable, Description: "r", Type: TypeSQL, Path: "R__r.sql", Text: "select 2", Checksum: &one},
		}
		change(scripts)
		entries, err := Reconcile(scripts, nil, ReconcileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := PlanMigrate(entries, PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return p.Fingerprint
	}
	same := plan(func([]Script) {})
	if len(same) != 64 {
		t.Errorf("%q is no SHA-256", same)
	}
	if plan(func(s []Script) { s[0].Physical = "/elsewhere/V1__a.sql" }) != same {
		t.Error("the folder a script lies in changes the fingerprint")
	}
	scripts := []Script{{Kind: Versioned, Version: MustVersion("2"), Description: "b", Type: TypeSQL, Path: "V2__b.sql"}}
	history := func(rows ...Row) string {
		entries, err := Reconcile(scripts, rows, ReconcileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		p, err := PlanMigrate(entries, PlanOptions{})
		if err != nil || len(p.Steps) != 1 {
			t.Fatal(p.Steps, err)
		}
		return p.Fingerprint
	}
	row := Row{Rank: 1, Version: MustVersion("1"), Description: "a", Type: TypeSQL, Script: "V1__a.sql", Checksum: &one, Success: true, InstalledBy: "me", ExecutionTime: 3}
	other, again := row, row
	again.InstalledBy, again.ExecutionTime = "you", 5
	other.Checksum = nil
	if history(row) != history(again) {
		t.Error("who ran a migration changes the fingerprint")
	}
	if history(row) == history(other) || history(row) == history() {
		t.Error("another history leaves the fingerprint as it is")
	}
	two := int32(2)
	for what, change := range map[string]func(s []Script){
		"version":     func(s []Script) { s[0].Version = MustVersion("1.0") },
		"description": func(s []Script) { s[0].Description = "b" },
		"path":        func(s []Script) { s[0].Path = "sub/V1__a.sql" },
		"text":        func(s []Script) { s[0].Text = "select  1" },
		"checksum":    func(s []Script) { s[1].Checksum = &two },
		"no checksum": func(s []Script) { s[1].Checksum = nil },
	} {
		if plan(change) == same {
			t.Errorf("another %s leaves the fingerprint as it is", what)
		}
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	if len(stateEnums) != 18 {
		t.Errorf("%d states, Flyway has 18", len(stateEnums))
	}
	for state, enum := range stateEnums {
		if back, ok := StateOf(enum); !ok || back != state || state.Enum() != enum {
			t.Errorf("%s: %s leads to %s", state, enum, back)
		}
		if state.Failed() && !state.Applied() {
			t.Errorf("%s has failed without having run", state)
		}
	}
	if _, ok := StateOf("pending"); ok {
		t.Error("enum names are in capitals")
	}
}

func TestShouldExecute(t *testing.T) {
	t.Parallel()
	for expression, want := range map[string]bool{
		"": true, "true": true, "FALSE": false, "a==a": true, "a == b": false, "a!=b": true, "a!=a": false,
		"true && false": false, "true||false": true, "false && false || true": true, "false && (false || true)": false,
		"prod==prod && (eu==us || eu==eu)": true, "==": true, "==x": false, `"a b"==a b`: true, "((true))": true,
	} {
		if got := (ScriptConfig{ShouldExecute: expression}).Executes(); got != want {
			t.Errorf("%q is %t", expression, got)
		}
	}
	for _, expression := range []string{"yes", "a=b", "(true", "true)", "true &&", "&& true", "a==b c==d", "()"} {
		if _, err := evaluate(expression); err == nil {
			t.Errorf("%q was read", expression)
		}
	}
}
