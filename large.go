package skein

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/skein-db/skein/internal/sqlsplit"
	"github.com/skein-db/skein/internal/txblock"
	"github.com/skein-db/skein/migration"
)

// A large script is not held. It is read twice, a window at a time: once to judge its statements, which decides how it
// runs, and once to run it. What cannot be one transaction is held all the same, because its journal needs the whole.

// windowBytes is how much of a large script is cut at a time. A statement, or the data of a COPY, that is longer makes
// the window grow until it is whole.
const windowBytes = bulkBytes

// reading is a large script on its way from its file to the server.
type reading struct {
	run    *run
	script *migration.Script
	window int

	file   io.ReadCloser
	sum    hash.Hash
	text   string // read and not cut yet
	ended  bool   // that is the rest
	begun  bool   // something was cut
	before lines  // what stands before the text
	index  int    // statements that were cut
}

// lines is the way from the start of a file to the start of a window.
type lines struct {
	count   int    // whole lines
	head    string // the line in which the window starts, up to there; "" where that is too long to be shown
	columns int    // characters of that
}

// after is the way to what follows the text.
func (l lines) after(text string) lines {
	if n := strings.Count(text, "\n"); n > 0 {
		l = lines{count: l.count + n}
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	if shown := utf8.RuneCountInString(l.head) == l.columns; shown && len(l.head)+len(text) <= windowBytes {
		l.head = strings.Clone(l.head + text) // not to keep the window
	} else {
		l.head = ""
	}
	l.columns += utf8.RuneCountInString(text)
	return l
}

func (r *run) read(s *migration.Script) *reading {
	return &reading{run: r, script: s, window: windowBytes, sum: sha256.New()}
}

// next gives the next statements; none are left when it gives none.
func (l *reading) next() ([]*piece, error) {
	if l.file == nil {
		var err error
		if l.file, err = l.script.Open(); err != nil {
			return nil, l.fault(err.Error(), "let the user who runs Skein read it")
		}
	}
	for want := l.window; ; want *= 2 {
		if err := l.fill(want); err != nil {
			return nil, l.fault("cannot be read: "+err.Error(), "let the user who runs Skein read it")
		}
		if l.ended && [32]byte(l.sum.Sum(nil)) != l.script.Digest {
			return nil, l.fault("the file was changed while it was being read", "run the same command again: it starts with the file as it is then")
		}
		if l.ended && l.text == "" {
			return nil, nil
		}
		pieces, err := l.cut()
		if err != nil || len(pieces) > 0 {
			return pieces, err
		}
	}
}

func (l *reading) fault(message, hint string) error {
	return &Error{Kind: KindScript, Code: "ERROR", Message: message, Hint: hint, At: &Location{Path: l.script.Path, Physical: l.script.Physical}}
}

// close closes the file, whether or not it was read to its end.
func (l *reading) close() {
	if l.file != nil {
		_ = l.file.Close() // it was only read
	}
}

// fill reads until so many bytes wait to be cut, and on to the end of a line, which errors show.
func (l *reading) fill(want int) error {
	buffer := make([]byte, len(l.text), max(want, len(l.text))+longLine)
	copy(buffer, l.text)
	for !l.ended && len(buffer) < cap(buffer) {
		have := len(buffer)
		upTo := max(want, min(have+512, cap(buffer)))
		n, err := io.ReadFull(l.file, buffer[have:upTo])
		l.ended = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !l.ended {
			return err
		}
		buffer = buffer[:have+n]
		l.sum.Write(buffer[have:]) // hashes do not fail
		if have >= want && bytes.IndexByte(buffer[have:], '\n') >= 0 {
			break
		}
	}
	l.text = unsafe.String(unsafe.SliceData(buffer), len(buffer)) // nobody writes to it any more
	return nil
}

// longLine is how far fill looks for the end of a line.
const longLine = 64 << 10

// cut cuts what waits, as far as nothing that follows can change it.
func (l *reading) cut() ([]*piece, error) {
	t := &text{path: l.script.Path, physical: l.script.Physical, original: l.text, before: l.before}
	part, whole := l.text, l.ended
	if !whole {
		part = part[:lastCharacter(part)]
	}
	placeholders := l.run.placeholders.For(path.Base(l.script.Path), l.script.Config)
	var err error
	t.sql, t.mapping, err = placeholders.ReplaceMapped(part)
	if open, ok := errors.AsType[*migration.PlaceholderError](err); ok && open.Open && !whole {
		part = part[:open.Offset]
		t.sql, t.mapping, err = placeholders.ReplaceMapped(part)
	}
	if err != nil {
		return nil, t.textError(err)
	}
	statements, next, err := sqlsplit.Part(t.sql, !l.begun, whole)
	if err != nil {
		return nil, t.textError(err)
	}
	at := len(part)
	if !whole {
		if at = t.mapping.Original(next); next == 0 || t.mapping.Original(next-1) == at {
			return nil, nil // nothing is whole, or the cut is inside a placeholder's value
		}
	}
	pieces := t.pieces(statements, l.index, l.run.facts.VersionNum)
	l.begun, l.index = true, l.index+len(pieces)
	l.before, l.text = l.before.after(part[:at]), l.text[at:]
	return pieces, nil
}

// lastCharacter is where a character begins that may not be there whole.
func lastCharacter(s string) int {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if at := len(s) - n; utf8.RuneStart(s[at]) {
			if !utf8.FullRuneInString(s[at:]) {
				return at
			}
			break
		}
	}
	return len(s)
}

// judge reads a large script through, decides its mode and finds out which locks it wants.
func (r *run) judge(ctx context.Context, s *migration.Script, locks *demand) (mode, error) {
	l := &aheadOf{reading: r.read(s)}
	defer l.close()
	d := r.decision(s.Config)
	for {
		if err := ctx.Err(); err != nil {
			return 0, r.wrap(err)
		}
		pieces, err := l.next()
		if err != nil {
			return 0, keptNothing(err, s)
		}
		if len(pieces) == 0 {
			break
		}
		if err := d.add(ctx, pieces); err != nil {
			return 0, err
		}
		locks.add(pieces)
		locks.seen += len(pieces)
	}
	m, err := d.mode()
	if m == together {
		m = stepwise
	}
	return m, err
}

func keptNothing(err error, s *migration.Script) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Kept == "" {
		e.Kept = "nothing of " + s.Path + " ran"
	}
	return err
}

// stream makes the step's script come a window at a time, with the each-callbacks around it, if it is a transaction.
func (s *step) stream(ctx context.Context) (bool, error) {
	r := s.x.run
	each := "Each" + r.way.event()
	first, told, err := r.around("before" + each)
	if err != nil {
		return false, err
	}
	last, more, err := r.around("after" + each)
	if err != nil {
		return false, err
	}
	locks := &demand{created: map[string]bool{}}
	locks.add(first)
	m, err := r.judge(ctx, s.Script, locks)
	if err != nil || !m.transactional() {
		return false, err
	}
	locks.add(last)
	s.events, s.x.pieces, s.x.mode, s.x.foreseen = append(told, more...), first, stepwise, locks
	s.x.total = locks.seen
	s.windows(first, last)
	return true, nil
}

// windows arranges for the script's pieces, between first and last, to be read when they are needed.
func (s *step) windows(first, last []*piece) {
	a, rest := &aheadOf{reading: s.x.run.read(s.Script)}, last
	s.x.close = func() { a.close() }
	s.x.restart = func() {
		a.close()
		a, rest = &aheadOf{reading: s.x.run.read(s.Script)}, last
		s.x.pieces = first
	}
	s.x.rest = func() ([]*piece, error) {
		pieces, err := a.next()
		for _, p := range pieces {
			// It was judged before: a file that changed meanwhile must not end the transaction.
			if p.verdict.Class == txblock.Control && p.verdict.Control != txblock.Savepoint {
				return nil, a.fault("the file was changed while it was being read", "run the same command again: it starts with the file as it is then")
			}
		}
		if err == nil && len(pieces) == 0 {
			pieces, rest = rest, nil
		}
		return pieces, err
	}
}

// aheadOf is a reading that cuts the next window while the one before is judged, or the server works on it.
type aheadOf struct {
	*reading
	coming chan cutting // nil: nothing is being cut
}

type cutting struct {
	pieces []*piece
	err    error
}

func (a *aheadOf) next() ([]*piece, error) {
	if a.coming == nil {
		a.start()
	}
	c := <-a.coming
	if a.coming = nil; c.err == nil && len(c.pieces) > 0 {
		a.start()
	}
	return c.pieces, c.err
}

func (a *aheadOf) start() {
	coming := make(chan cutting, 1)
	a.coming = coming
	go func() {
		pieces, err := a.reading.next()
		coming <- cutting{pieces, err}
	}()
}

// close waits for what is being cut, and closes the file.
func (a *aheadOf) close() {
	if a.coming != nil {
		<-a.coming
		a.coming = nil
	}
	a.reading.close()
}

// streams reports whether the script can come a window at a time: it is large, and no callback runs around each of its
// statements, nor a program beside it in its transaction.
func (s *step) streams(g *group) bool {
	each := "Each" + s.x.run.way.event()
	return s.Script.Open != nil && (g == nil || g.mode != outside) && !slices.ContainsFunc(s.x.run.callbacks, func(c migration.Callback) bool {
		script := c.Event == "before"+each || c.Event == "after"+each
		return script && c.Type == migration.TypeScript || c.Event == "before"+each+"Statement" || c.Event == "after"+each+"Statement"
	})
}

// wholeText is the text of a script, read if it is large.
func (r *run) wholeText(s *migration.Script) (string, error) {
	if s.Open == nil {
		return s.Text, nil
	}
	l := r.read(s)
	in, err := s.Open()
	if err != nil {
		return "", l.fault(err.Error(), "let the user who runs Skein read it")
	}
	defer func() { _ = in.Close() }() // it was only read
	content, err := io.ReadAll(in)
	switch {
	case err != nil:
		return "", l.fault(fmt.Sprintf("cannot be read: %v", err), "let the user who runs Skein read it")
	case sha256.Sum256(content) != s.Digest:
		return "", l.fault("the file was changed while it was being read", "run the same command again: it starts with the file as it is then")
	}
	return string(content), nil
}
