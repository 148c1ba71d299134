package migration

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Every byte outside of a value comes from an equal byte of the original, every byte of a value from the start of its
// placeholder, and positions never run backwards.
func TestReplaceMapped(t *testing.T) {
	t.Parallel()
	p := Placeholders{Values: map[string]string{"a": "VALUE", "long name": "", "b": "x\ny"}}
	piece := rapid.SampledFrom([]string{"${a}", "${B}", "${long name}", "$", "{", "}", "é", "\n", "select ", "$${a}"})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(piece, 0, 20).Draw(t, "pieces"), "")
		out, m, err := p.ReplaceMapped(text)
		if err != nil {
			t.Skip("a placeholder that is not closed or unknown")
		}
		last := 0
		for i := range out {
			from := m.Original(i)
			if from < last || from >= len(text) {
				t.Fatalf("%q: byte %d of %q comes from %d, the one before from %d", text, i, out, from, last)
			}
			last = from
			if text[from] != out[i] && !strings.HasPrefix(text[from:], "${") {
				t.Fatalf("%q: byte %d of %q comes from %d, another byte that starts no placeholder", text, i, out, from)
			}
		}
		if end := m.Original(len(out)); end != len(text) {
			t.Fatalf("%q: the end of %q comes from %d, not %d", text, out, end, len(text))
		}
	})
}

func TestPlaceholderErrorPlace(t *testing.T) {
	t.Parallel()
	_, err := Placeholders{Values: map[string]string{"b": "1"}}.Replace("${b}\r\n\r--é\n  ${c}")
	missing, ok := errors.AsType[*PlaceholderError](err)
	if !ok || missing.Line != 4 || missing.Offset != 14 || missing.Name != "c" || missing.Text != "${c}" {
		t.Errorf("got %#v", err)
	}
}

func FuzzReplace(f *testing.F) {
	for _, text := range []string{"", "${a}", "$${a}", "$$${a}", "${", "${a", "${b}", "é${a}\n$"} {
		f.Add(text, "${", "}")
	}
	f.Add("##{{a}}", "#{{", "}}")
	f.Fuzz(func(t *testing.T, text, prefix, suffix string) {
		p := Placeholders{Values: map[string]string{"a": "value", "A b": ""}, Prefix: prefix, Suffix: suffix}
		out, m, err := p.ReplaceMapped(text)
		if err != nil {
			missing, ok := errors.AsType[*PlaceholderError](err)
			if !ok || missing.Line < 1 || missing.Offset >= len(text) || !strings.HasPrefix(text[missing.Offset:], missing.Text) {
				t.Fatalf("%q: %#v", text, err)
			}
			return
		}
		if end := m.Original(len(out)); end != len(text) {
			t.Fatalf("%q: the end of %q comes from %d", text, out, end)
		}
		if len(m.cuts) == 0 && out != text {
			t.Fatalf("%q became %q without a replacement", text, out)
		}
	})
}

func FuzzName(f *testing.F) {
	for _, name := range []string{"V1__a.sql", "V1_2-x.SQL", "R__.sql", "beforeMigrate.sql", "v1_x.sql", "V.sql", "1__x.sql", "\u212a1__x.sql", ".sql", "V1__\xff.sql"} {
		f.Add(name, "V", "__")
	}
	f.Fuzz(func(t *testing.T, file, prefix, separator string) {
		naming := Naming{Versioned: &prefix, Separator: separator}
		name, err := naming.Parse(file)
		if err == nil {
			if name.Event == "" && name.Kind != Repeatable && name.Version.IsZero() {
				t.Fatalf("%q has no version", file)
			}
			return
		}
		bad, ok := errors.AsType[*NameError](err)
		if !ok || bad.File != file || bad.Reason == "" {
			t.Fatalf("%q: %#v", file, err)
		}
		if bad.Fix != "" {
			if _, err := naming.Parse(bad.Fix); err != nil {
				t.Fatalf("%q: the fix %q does not parse: %v", file, bad.Fix, err)
			}
		}
	})
}
