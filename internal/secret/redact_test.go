package secret_test

import (
	"bytes"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/skein-db/skein/internal/secret"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, secrets, in, want string // secrets: space separated
	}{
		{"nothing known", "", "password=x", "password=x"},
		{"plain", "correct-horse-battery", "password=correct-horse-battery;", "password=***;"},
		{"long ones anywhere", "correct-horse-battery", "xcorrect-horse-batteryx", "x***x"},
		{"empty, one, two characters", "a é1 ab", "a ab é1 abc", "a ab é1 abc"},
		{"three characters count", "abc", "abc abcd (abc)", "*** abcd (***)"},
		{"a short word inside another", "postgres", "jdbc:postgresql://u:postgres@h postgres", "jdbc:postgresql://u:***@h ***"},
		{"underscore does not hide it", "s3cr3t", "x_s3cr3t_y", "x_***_y"},
		{"query escaped", "p@ss/w rd+1", "?password=p%40ss%2Fw+rd%2B1&x", "?password=***&x"},
		{"path escaped, lower hex", "p@ss/w rd+1", "//u:p@ss%2fw%20rd+1@h", "//u:***@h"},
		{"after an escape", "hunter2", `password%3Dhunter2 \nhunter2 \u003dhunter2`, `password%3D*** \n*** \u003d***`},
		{"SQL quoted", "it's-a-long-secret", "password 'it''s-a-long-secret'", "password '***'"},
		{"connection string quoted", `it's-\long-secret`, `password='it\'s-\\long-secret'`, `password='***'`},
		{"JSON quoted", `long<"secret>text`, `{"p":"long\u003c\"secret\u003etext","q":"long<\"secret>text"}`, `{"p":"***","q":"***"}`},
		{"SQL in JSON", `it's"a-long-secret`, `{"m":"'it''s\"a-long-secret'"}`, `{"m":"'***'"}`},
		{"JSON in JSON", `a"long-secret-text`, `"{\"p\":\"a\\\"long-secret-text\"}"`, `"{\"p\":\"***\"}"`},
		{"line by line", "-----BEGIN-KEY-----\nMIIEvQIBADANBgkq\nshort", "> MIIEvQIBADANBgkq\n> short", "> ***\n> short"},
		{"the longest wins", "abcdefghijkl abcdefghijklmnop", "abcdefghijklmnop abcdefghijkl", "*** ***"},
		{"overlap: leftmost wins", "aaaabbbbcccc ccccddddeeee", "aaaabbbbccccddddeeee", "***ddddeeee"},
		{"repeated", "aaaaaaaaaaaa", strings.Repeat("a", 26), "******aa"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r secret.Redactor
			if strings.Contains(c.secrets, "w rd") || strings.Contains(c.secrets, "\n") {
				r.Add(c.secrets)
			} else {
				r.Add(strings.Fields(c.secrets)...)
			}
			if got := r.String(c.in); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// However a text is cut into writes, the writer gives what String gives.
func TestWriterIsString(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.RuneFrom([]rune("ab1 /é%")), 0, 40, -1)
		var r secret.Redactor
		r.Add(rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab1/é")), 3, 15, -1), 1, 4).Draw(t, "secrets")...)
		text := letters.Draw(t, "text")
		var out bytes.Buffer
		w := r.Writer(&out)
		for rest := []byte(text); len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "n")
			if _, err := w.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		if want := r.String(text); out.String() != want {
			t.Fatalf("text %q\n got %q\nwant %q", text, out.String(), want)
		}
	})
}

// A long secret is gone from any text in any of its spellings.
func TestNoSpellingSurvives(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOfN(rapid.RuneFrom([]rune(`abXY09'"\/@: +%&é`)), 12, 30, -1).Draw(t, "value")
		var r secret.Redactor
		r.Add(value)
		for _, spelled := range []string{value, url.QueryEscape(value), url.PathEscape(value),
			strings.ReplaceAll(value, "'", "''"), strings.Trim(strconv.Quote(value), `"`)} {
			if got := r.String("<" + spelled + ">"); strings.Contains(got, spelled) {
				t.Fatalf("%q survives as %q", value, got)
			}
		}
	})
}

func TestWriterHoldsBackLittle(t *testing.T) {
	t.Parallel()
	var r secret.Redactor
	r.Add("correct-horse-battery")
	var out bytes.Buffer
	w := r.Writer(&out)
	for _, step := range []struct{ write, want string }{
		{"progress 50%\n", "progress 50%\n"},
		{"got corr", "progress 50%\ngot "},
		{"upt", "progress 50%\ngot corrupt"},
		{" correct-horse-batter", "progress 50%\ngot corrupt "},
	} {
		if _, err := w.Write([]byte(step.write)); err != nil || out.String() != step.want {
			t.Errorf("after %q: %q, %v; want %q", step.write, out.String(), err, step.want)
		}
	}
	if err := w.Flush(); err != nil || !strings.HasSuffix(out.String(), "batter") {
		t.Errorf("Flush: %q, %v", out.String(), err)
	}
	broken := r.Writer(brokenPipe{})
	if _, err := broken.Write([]byte("x")); !errors.Is(err, errBroken) {
		t.Errorf("the error of the writer below is lost: %v", err)
	}
}

var errBroken = errors.New("broken")

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestRedactorIsShared(t *testing.T) {
	t.Parallel()
	var r secret.Redactor
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			value := "a-long-secret-" + strconv.Itoa(i)
			r.AddText(secret.New(value))
			if got := r.String("x " + value); got != "x ***" {
				t.Errorf("%q", got)
			}
		})
	}
	group.Wait()
}
