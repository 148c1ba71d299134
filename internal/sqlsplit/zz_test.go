package sqlsplit
import "testing"
func TestZZ(t *testing.T) {
	for _, text := range []string{
		"copy t from stdin;\n\\.\nx'ff' \n, 3;\nselect 5;",
	} {
		t.Logf("%q -> %q", text, runPsql(t, "psql", text))
	}
}
