package postgres

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// CopyOut runs one COPY … TO STDOUT in the text format and hands over row by row. Null is "". The slice of values is
// valid until do returns, the values stay.
func (c *Conn) CopyOut(ctx context.Context, statement string, do func(values []string) error) error {
	w := &copyRows{do: do}
	_, err := c.pg.CopyTo(ctx, w, statement)
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &StatementError{Err: pe}
	}
	if err != nil {
		return err
	}
	return w.failed
}

// copyRows takes COPY's text apart. The server sends a row in each message, but the protocol does not promise it.
type copyRows struct {
	do     func(values []string) error
	rest   []byte
	values []string
	failed error // kept until the end, so that the protocol runs its course
}

func (w *copyRows) Write(p []byte) (int, error) {
	data := p
	if len(w.rest) > 0 {
		data = append(w.rest, p...)
	}
	for {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			w.rest = append(w.rest[:0], data...)
			return len(p), nil
		}
		data = rest
		if w.failed == nil {
			w.failed = w.do(w.split(string(line)))
		}
	}
}

func (w *copyRows) split(line string) []string {
	w.values = w.values[:0]
	for {
		value, rest, more := strings.Cut(line, "\t")
		w.values = append(w.values, unescape(value))
		if !more {
			return w.values
		}
		line = rest
	}
}

// unescape undoes COPY's backslashes.
func unescape(value string) string {
	if value == `\N` {
		return ""
	}
	if strings.IndexByte(value, '\\') < 0 {
		return value
	}
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		b := value[i]
		if b == '\\' && i+1 < len(value) {
			i++
			if b = value[i]; strings.IndexByte("bfnrtv", b) >= 0 {
				b = map[byte]byte{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v'}[b]
			}
		}
		out = append(out, b)
	}
	return string(out)
}
