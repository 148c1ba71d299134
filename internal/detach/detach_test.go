package detach

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
)

func script(t *testing.T, text string) []Statement {
	t.Helper()
	found, err := sqlsplit.Split(text)
	if err != nil {
		t.Fatal(err)
	}
	var all []Statement
	for _, s := range found {
		one := text[s.Body:s.End]
		all = append(all, Statement{one, txblock.Of(one, 150000)})
	}
	return all
}

func TestDetachable(t *testing.T) {
	t.Parallel()
	archive, err := txtar.ParseFile("testdata/scripts.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range archive.Files {
		text, want, ok := strings.Cut(string(f.Data), "--> ")
		if !ok {
			t.Fatalf("%s: nothing is decided", f.Name)
		}
		s := Script{Statements: script(t, text)}
		switch kind, _, _ := strings.Cut(f.Name, ","); kind {
		case "outside":
			s.Outside = true
		case "steered":
			s.Steered = true
		case "proxy":
			s.Proxy = true
		case "client":
			s.Client = "it is a program"
		case "parts":
			s.Parts = "the scripts of a group share one transaction"
		}
		yes, reason := Detachable(s)
		if yes {
			reason = "detachable"
		}
		if reason != strings.TrimSpace(want) {
			t.Errorf("%s: %s\nnot: %s", f.Name, reason, strings.TrimSpace(want))
		}
	}
}

// The answers have to fit into the server's buffer, of which the next statement's would be sent.
func TestAnswersFillTheBuffer(t *testing.T) {
	t.Parallel()
	for text, most := range map[string]int{"insert into a values (1);": 153, "select f();": 24} {
		for _, n := range []int{most, most + 1} {
			ok, reason := Detachable(Script{Statements: script(t, strings.Repeat(text, n))})
			if ok != (n == most) || !ok && !strings.HasPrefix(reason, fmt.Sprintf("statement %d ", n)) {
				t.Errorf("%d × %s: %t %s", n, text, ok, reason)
			}
		}
		if ok, reason := Detachable(Script{Outside: true, Statements: script(t, strings.Repeat(text, 1000))}); !ok {
			t.Errorf("outside, each is answered by itself: %s", reason)
		}
	}
}
