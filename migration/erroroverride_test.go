package migration

import (
	"strings"
	"testing"
)

func TestErrorOverrides(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ rules, state, want string }{
		{"42P07:0:I", "42P07", "I"},
		{"42P07:0:I", "42P01", ""},
		{"42P07:*:W-", "42P07", "W brief"},
		{"*:*:E", "01000", "E"},
		{"*:0:D-", "00000", "D brief"},
		{"42*:0:W", "42601", "W"},
		{"42*:0:W", "22012", ""},
		{"42p07:0:W", "42P07", "W"},
		{"42P07:17110:W", "42P07", "idle"},
		{"S1:0:W", "S1000", "idle"},
		{"42P07:0:E,42*:0:W", "42P07", "E"},
		{"42*:0:W,42P07:0:E", "42P07", "W"},
	} {
		rules, err := ParseErrorOverrides(strings.Split(c.rules, ","))
		if err != nil {
			t.Errorf("%s: %v", c.rules, err)
			continue
		}
		got := ""
		if o, found := OverrideFor(rules, c.state); found {
			if got = string(o.To); o.Brief {
				got += " brief"
			}
		}
		if rules[0].Idle() {
			got = strings.TrimSpace(got + " idle")
		}
		if got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.rules, c.state, got, c.want)
		}
	}
}

func TestErrorOverridesThatDoNotParse(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]string{
		"": "three parts", "42P07": "three parts", "42P07:0:I:W": "three parts", ":0:I": "the state", "42[07:0:I": "the state",
		"42P07:x:I": "the code", "42P07::I": "the code", "42P07:0:": "the action", "42P07:0:X": "the action", "42P07:0:i": "the action",
		"42P07:0:I--": "the action", "42P07:0:-": "the action", "42P07:0:DI": "the action",
	} {
		rules, err := ParseErrorOverrides([]string{"42P07:0:I", rule})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one about %q", rule, err, want)
		}
		if len(rules) != 1 {
			t.Errorf("%q: %d rules are left, want the good one", rule, len(rules))
		}
	}
}
