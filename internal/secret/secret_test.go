package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/skein-db/skein/internal/secret"
)

const canary = `c4n4ry'"\ /%é<&>tail`

// TestTextDoesNotPrint is AT-16a for the value type: no verb, encoder or logger shows it.
func TestTextDoesNotPrint(t *testing.T) {
	t.Parallel()
	type holder struct {
		Public  secret.Text
		private secret.Text
		pointer *secret.Text
	}
	text := secret.New(canary)
	h := holder{Public: text, private: text, pointer: &text}

	var out bytes.Buffer
	for _, verb := range "vsdqxXtbcoOUeEfFgGpw" {
		for _, flags := range []string{"", "+", "#", "-30", "030", ".3", " "} {
			format := "%" + flags + string(verb) + "\n"
			fmt.Fprintf(&out, format, text)
			fmt.Fprintf(&out, format, &text)
			fmt.Fprintf(&out, format, h)
			fmt.Fprintf(&out, format, []secret.Text{text})
			fmt.Fprintf(&out, format, map[secret.Text]secret.Text{text: text})
		}
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "password", text, "in", h, "list", []secret.Text{text})
	}
	if err := json.NewEncoder(&out).Encode(map[string]any{"a": text, "b": h, "c": map[secret.Text]int{text: 1}}); err != nil {
		t.Fatal(err)
	}
	if err := toml.NewEncoder(&out).Encode(map[string]any{"a": text, "b": []secret.Text{text}}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, fmt.Errorf("wrapped: %v", text), text)

	for _, part := range []string{"c4n4ry", "tail", fmt.Sprintf("%x", "c4n4ry"), fmt.Sprintf("%X", "c4n4ry"), fmt.Sprint([]byte("c4n4ry"))} {
		if i := strings.Index(out.String(), part); i >= 0 {
			t.Errorf("%q leaks: …%s", part, out.String()[max(0, i-60):i+len(part)])
		}
	}
	if got := text.Reveal(); got != canary {
		t.Errorf("Reveal() = %q", got)
	}
}

func TestTextValue(t *testing.T) {
	t.Parallel()
	if secret.New("") != (secret.Text{}) || !secret.New("").IsEmpty() || secret.New("").Reveal() != "" {
		t.Error("the empty text is not the zero value")
	}
	a, again, other := secret.New("a"), secret.New("a"), secret.New("b")
	if a != again || a == other {
		t.Error("texts do not compare by value")
	}
}
