// Package secret holds values that must not be printed, and the redactor that
// takes known secrets out of any text.
package secret

import (
	"fmt"
	"io"
	"log/slog"
	"unique"
)

// Mask stands wherever a secret would have been printed.
const Mask = "***"

// Text is a password, token or other text that prints as Mask under every fmt
// verb, in JSON, in TOML and other text encodings, and in slog. The zero value
// is the empty text. Texts compare with == by value.
//
// The text sits behind a unique.Handle because fmt does not call methods on
// unexported fields: a plain string field inside somebody's struct would be
// printed by %+v, a handle shows an address.
type Text struct {
	handle unique.Handle[string]
}

// New wraps s.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{handle: unique.Make(s)}
}

// Reveal returns the text itself. Every call is a place where a secret can
// leave the program.
func (t Text) Reveal() string {
	if t.IsEmpty() {
		return ""
	}
	return t.handle.Value()
}

// IsEmpty reports whether there is no text.
func (t Text) IsEmpty() bool { return t == Text{} }

// String returns Mask, also for the empty text: whether a password is set is
// told by IsEmpty, not by printing.
func (t Text) String() string { return Mask }

// GoString returns Mask, for %#v.
func (t Text) GoString() string { return Mask }

// Format writes Mask for every verb, flag and width.
func (t Text) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Mask) }

// MarshalText writes Mask; TOML, JSON map keys and XML use it.
func (t Text) MarshalText() ([]byte, error) { return []byte(Mask), nil }

// MarshalJSON writes Mask as a JSON string.
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Mask + `"`), nil }

// LogValue gives slog the Mask.
func (t Text) LogValue() slog.Value { return slog.StringValue(Mask) }
