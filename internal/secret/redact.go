package secret

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	// minRunes: a secret of one or two characters occurs everywhere by chance,
	// and masking it would blank the text without hiding it. Such values are
	// not redacted.
	minRunes = 3
	// wholeWordBelow: a shorter secret is often an ordinary word ("postgres"),
	// so it is masked only where it stands alone, not inside "postgresql".
	wholeWordBelow = 12
)

// Redactor replaces every secret it was given by Mask, in the plain form and in
// the forms that a secret takes on its way into messages: percent-encoded (URL
// path, query, upper and lower case), quoted as JSON, as Go, as SQL and as a
// connection string.
//
// Values of one or two characters are not redacted: see Add. The zero value is
// ready; a Redactor may be used from several goroutines.
type Redactor struct {
	mu     sync.RWMutex
	known  map[string]bool
	forms  []form // longest first
	starts [256]bool
}

type form struct {
	text  string
	alone bool // only where no letter or digit touches it
}

// Add makes values known. Empty values and values of one or two characters are
// left out; a value shorter than 12 bytes is masked only where no letter or
// digit touches it.
func (r *Redactor) Add(values ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range values {
		if utf8.RuneCountInString(v) < minRunes {
			continue
		}
		for _, f := range spellings(v) {
			if r.known[f] {
				continue
			}
			if r.known == nil {
				r.known = map[string]bool{}
			}
			r.known[f] = true
			r.forms = append(r.forms, form{text: f, alone: len(v) < wholeWordBelow})
			r.starts[f[0]] = true
		}
	}
	slices.SortStableFunc(r.forms, func(a, b form) int { return len(b.text) - len(a.text) })
}

// AddText is Add for wrapped values.
func (r *Redactor) AddText(values ...Text) {
	for _, v := range values {
		r.Add(v.Reveal())
	}
}

// spellings lists the forms in which v may appear in a message: as URLs, SQL and
// connection strings write it, and each of these as JSON and Go write that, JSON
// in JSON too. Of a text of several lines each line counts, because programs'
// output and logs come line by line.
func spellings(v string) []string {
	forms := []string{v}
	if lines := strings.Split(v, "\n"); len(lines) > 1 {
		for _, line := range lines {
			if line = strings.TrimSpace(line); len(line) >= wholeWordBelow {
				forms = append(forms, line)
			}
		}
	}
	for _, part := range slices.Clone(forms) {
		escaped := []string{url.QueryEscape(part), url.PathEscape(part), url.UserPassword("", part).String()[1:]}
		for _, f := range escaped {
			forms = append(forms, f, lowerHex(f))
		}
		forms = append(forms, strings.ReplaceAll(part, "'", "''"), strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(part))
	}
	for range 2 {
		for _, f := range slices.Clone(forms) {
			forms = append(forms, jsonText(f, true), jsonText(f, false))
		}
		slices.Sort(forms)
		forms = slices.Compact(forms)
	}
	for _, f := range slices.Clone(forms) {
		forms = append(forms, strings.Trim(strconv.Quote(f), `"`), strings.Trim(strconv.QuoteToASCII(f), `"`))
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// jsonText is s as JSON writes it, without the quotes around it.
func jsonText(s string, html bool) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(html)
	if enc.Encode(s) != nil {
		return s
	}
	return strings.TrimSuffix(b.String()[1:], "\"\n")
}

// lowerHex turns %2F into %2f.
func lowerHex(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i+1:i+3], strings.ToLower(string(b[i+1:i+3])))
			i += 2
		}
	}
	return string(b)
}

// String returns s with every known secret replaced by Mask.
func (r *Redactor) String(s string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.forms) == 0 {
		return s
	}
	out, _ := r.scan("", s, true)
	return out
}

// scan redacts s, which followed the text before. Unless final, it stops where
// more text could still make a match, and returns what it has not decided on.
func (r *Redactor) scan(before, s string, final bool) (out, rest string) {
	var b strings.Builder
	text := before + s
	from := len(before)
	for i := from; i < len(text); {
		if !r.starts[text[i]] {
			i++
			continue
		}
		length, undecided := r.match(text, i, final)
		if undecided {
			b.WriteString(text[from:i])
			return b.String(), text[i:]
		}
		if length == 0 {
			i++
			continue
		}
		b.WriteString(text[from:i])
		b.WriteString(Mask)
		i += length
		from = i
	}
	b.WriteString(text[from:])
	return b.String(), ""
}

// match returns the length of the longest secret that starts at text[i], or 0.
// undecided: the text ends before that can be said.
func (r *Redactor) match(text string, i int, final bool) (length int, undecided bool) {
	rest := text[i:]
	for _, f := range r.forms {
		if len(rest) < len(f.text) {
			if !final && strings.HasPrefix(f.text, rest) && (!f.alone || boundaryBefore(text[:i])) {
				return 0, true
			}
			continue
		}
		if !strings.HasPrefix(rest, f.text) {
			continue
		}
		if !f.alone {
			return len(f.text), false
		}
		if !boundaryBefore(text[:i]) {
			continue
		}
		after := rest[len(f.text):]
		if !final && !utf8.FullRuneInString(after) {
			return 0, true
		}
		if c, _ := utf8.DecodeRuneInString(after); after == "" || !wordRune(c) {
			return len(f.text), false
		}
	}
	return 0, false
}

func wordRune(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }

// boundaryBefore reports whether a word may start after s. The last letter of an
// escape (%3D, \n, \u003d) is not part of a word.
func boundaryBefore(s string) bool {
	c, _ := utf8.DecodeLastRuneInString(s)
	if s == "" || !wordRune(c) {
		return true
	}
	n := len(s)
	return n >= 3 && s[n-3] == '%' || n >= 2 && s[n-2] == '\\' ||
		n >= 6 && s[n-6] == '\\' && s[n-5] == 'u'
}

// Writer returns a writer that redacts what passes through it to w, also where
// a secret is split over several writes. It holds back only text that may still
// turn out to be a secret; Flush sends that on.
func (r *Redactor) Writer(w io.Writer) *Writer { return &Writer{redactor: r, to: w} }

// Writer redacts a stream. It may be used from several goroutines.
type Writer struct {
	redactor *Redactor
	to       io.Writer

	mu   sync.Mutex
	held string // not decided yet
	tail string // the last bytes that were passed, to know what a word is
}

// tailBytes is enough to see an escape (\u003d) or a rune before a word.
const tailBytes = 6

// Write takes all of p, or returns the error of the writer below.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.pass(w.held+string(p), false); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what was held back.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pass(w.held, true)
}

func (w *Writer) pass(s string, final bool) error {
	w.redactor.mu.RLock()
	out, rest := w.redactor.scan(w.tail, s, final)
	w.redactor.mu.RUnlock()
	w.held = rest
	seen := w.tail + s[:len(s)-len(rest)]
	w.tail = seen[max(0, len(seen)-tailBytes):]
	if out == "" {
		return nil
	}
	_, err := io.WriteString(w.to, out)
	return err
}
