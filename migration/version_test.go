package migration

import (
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func versionText() *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		parts := rapid.SliceOfN(rapid.StringMatching(`0{0,2}([0-9]|[0-9]{18,22})`), 1, 4).Draw(t, "parts")
		separator := rapid.SampledFrom([]string{".", "_"}).Draw(t, "separator")
		sign := rapid.SampledFrom([]string{"", "", "", "-", "+"}).Draw(t, "sign")
		return sign + strings.Join(parts, separator)
	})
}

// The comparison is held against one with big integers, is a total order, and agrees with key.
func TestVersionOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var v [3]Version
		for i := range v {
			text := versionText().Draw(t, "version")
			parsed, err := ParseVersion(text)
			if err != nil {
				t.Fatal(err)
			}
			v[i] = parsed
		}
		a, b, c := v[0], v[1], v[2]
		if got, want := a.Compare(b), compareBig(a, b); got != want {
			t.Fatalf("%s against %s: %d, by big integers %d", a, b, got, want)
		}
		if a.Compare(b) != -b.Compare(a) {
			t.Fatalf("%s and %s are not antisymmetric", a, b)
		}
		if a.Compare(b) <= 0 && b.Compare(c) <= 0 && a.Compare(c) > 0 {
			t.Fatalf("%s <= %s <= %s, but not the first and the last", a, b, c)
		}
		if (a.Compare(b) == 0) != (a.key() == b.key()) {
			t.Fatalf("%s and %s: Compare %d, keys %q and %q", a, b, a.Compare(b), a.key(), b.key())
		}
		if again, err := ParseVersion(a.String()); err != nil || again != a {
			t.Fatalf("%s reads back as %s, %v", a, again, err)
		}
	})
}

func compareBig(a, b Version) int {
	x, y := strings.Split(a.text, "."), strings.Split(b.text, ".")
	for i := range max(len(x), len(y)) {
		p, q := new(big.Int), new(big.Int)
		if i < len(x) {
			p.SetString(x[i], 10)
		}
		if i < len(y) {
			q.SetString(y[i], 10)
		}
		if c := p.Cmp(q); c != 0 {
			return c
		}
	}
	return 0
}

func TestZeroVersion(t *testing.T) {
	t.Parallel()
	var none Version
	one := MustVersion("1")
	if !none.IsZero() || one.IsZero() || none.String() != "" {
		t.Error("the zero value is not no version")
	}
	if none.Compare(one) != -1 || one.Compare(none) != 1 || none.Compare(Version{}) != 0 || none.Compare(MustVersion("-5")) != -1 {
		t.Error("no version is not below every version")
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"": "latest", "Latest": "latest", "CURRENT": "current", "next": "next", "1_2": "1.2", "1.2?": "1.2?"} {
		got, err := ParseTarget(text)
		if err != nil || got.String() != want {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
		v, ok := got.Version()
		words := got.IsLatest() || got.IsCurrent() || got.IsNext()
		if ok == words || ok == v.IsZero() {
			t.Errorf("%q is a version (%t, %s) and a word (%t)", text, ok, v, words)
		}
	}
	for _, text := range []string{"?", "1.x", "1??", "latest?"} {
		if _, err := ParseTarget(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
