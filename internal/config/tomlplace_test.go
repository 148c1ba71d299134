package config

import (
	"fmt"
	"strings"
	"testing"
)

// A mistake's place is that of its value's first character, whatever quotes are around it.
func TestTOMLPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"a = 5", "1:5"},
		{"a=true", "1:3"},
		{`a = "x"`, "1:5"},
		{`a = 'x'`, "1:5"},
		{`a = ""`, "1:5"},
		{`a = """x"""`, "1:5"},
		{"\na = \"\"\"\nx\ny\"\"\"", "2:5"},
		{"a = ''''''", "1:5"},
		{`a = """"q"""`, "1:5"},
		{`a = ["x", 'y']`, "1:5"},
		{`a = [ 1 ]`, "1:5"},
		{`a = []`, "1:5"},
		{`"ü" = "z"`, "1:7"},
		{"[t]\na.b = 1.5", "2:7"},
	} {
		leaves, mistake := readTOML(c.text, "f")
		if mistake != nil || len(leaves) != 1 {
			t.Fatalf("%s: %d values, %v", c.text, len(leaves), mistake)
		}
		o := leaves[0].origin
		got := fmt.Sprintf("%d:%d", o.Line, o.Column)
		if got != c.want {
			t.Errorf("%s: at %s, want %s", strings.ReplaceAll(c.text, "\n", `\n`), got, c.want)
		}
	}
}
