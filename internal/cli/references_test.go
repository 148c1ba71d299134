package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The whole way of a wrong reference: exit code 2, and its place.
func TestWrongReferenceExits2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ password, want string }{
		{"aws-secretmanager:shop", "skein.toml:3:12: password: there is no reference aws-secretmanager: (did you mean aws-secretsmanager:? plain: before a text takes it as it is)"},
		{"env:NOT_SET", "skein.toml:3:12: password: env:NOT_SET: the variable is not set, or is empty (set it before the command, or correct the name)"},
	} {
		dir := t.TempDir()
		text := "[environments.default]\nurl = 'postgres://127.0.0.1:1/none'\npassword = '" + c.password + "'\n[flyway]\nlocations = ['filesystem:.']\n"
		if err := os.WriteFile(filepath.Join(dir, "skein.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		code := Main(t.Context(), Process{Args: []string{"skein", "info"}, Dir: dir, Home: dir, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out})
		if code != 2 || !strings.Contains(out.String(), c.want) {
			t.Errorf("exit %d\n%s", code, &out)
		}
	}
}
