package demo

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/skein-db/skein/migration"
)

// screen prints plain lines. Both servers report their start at the same time, so it is locked.
type screen struct {
	mu     sync.Mutex
	out    io.Writer
	width  int
	color  bool
	failed error // the first write that failed; a demo that nobody could read has not succeeded
}

func newScreen(opt Options) *screen {
	s := &screen{out: opt.Out, width: cmp.Or(opt.Width, 80), color: opt.Color}
	if s.out == nil {
		s.out = io.Discard
	}
	return s
}

func (s *screen) line(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	if s.failed == nil {
		s.failed = err
	}
}

func (s *screen) gap() { s.line("") }

// say prints sentences, broken at the right margin.
func (s *screen) say(format string, args ...any) {
	for _, l := range wrap(fmt.Sprintf(format, args...), s.width) {
		s.line("%s", l)
	}
}

// verb prints one aligned line of progress.
func (s *screen) verb(verb, text string) {
	for i, l := range wrap(text, s.width-12) {
		if i > 0 {
			verb = ""
		}
		s.line("  %-9s %s", verb, l)
	}
}

// command shows what a person would type.
func (s *screen) command(text string) { s.line("  $ %s", text) }

// sql shows what a person would type into psql.
func (s *screen) sql(e *environment, text string) {
	prompt := e.name + "=# "
	for l := range strings.Lines(strings.TrimSpace(text)) {
		s.line("  %s%s", prompt, strings.TrimRight(l, "\n"))
		prompt = strings.Repeat(" ", len(prompt))
	}
}

// block prints a text of several lines, such as an error: prose is broken at the margin, a quoted line and the caret
// below it are not.
func (s *screen) block(text string) {
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\n")
		if strings.HasPrefix(l, " ") {
			s.line("  %s", l)
			continue
		}
		for _, part := range wrap(l, s.width-2) {
			s.line("  %s", part)
		}
	}
}

// wrap breaks text between words. A word longer than the width stands alone.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case len([]rune(line))+1+len([]rune(word)) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}

// table is an info table as lines of equal width; the last column is the state.
func (s *screen) table(title string, rows [][]string) (lines []string, width int) {
	header := []string{"Version", "Description", "State"}
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	rule := "+"
	for _, w := range widths {
		rule += strings.Repeat("-", w+2) + "+"
	}
	draw := func(row []string, paint func(string) string) string {
		l := "|"
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i == len(row)-1 {
				cell = paint(cell)
			}
			l += " " + cell + pad + " |"
		}
		return l
	}
	plain := func(cell string) string { return cell }
	lines = []string{title + strings.Repeat(" ", max(0, len(rule)-len(title))), rule, draw(header, plain), rule}
	for _, row := range rows {
		lines = append(lines, draw(row, s.paint))
	}
	return append(lines, rule), max(len(rule), len(title))
}

func (s *screen) paint(state string) string {
	if !s.color {
		return state
	}
	color := "32" // green: applied
	switch st := migration.State(state); {
	case st.Failed():
		color = "31"
	case !st.Applied():
		color = "33"
	}
	return "\x1b[" + color + "m" + state + "\x1b[0m"
}

// beside prints two tables side by side, or one below the other where they do not fit.
func (s *screen) beside(left []string, leftWidth int, right []string, rightWidth int) {
	const margin, between = 2, 2
	indent := strings.Repeat(" ", margin)
	if margin+leftWidth+between+rightWidth > s.width || len(left) != len(right) {
		for _, l := range left {
			s.line("%s%s", indent, strings.TrimRight(l, " "))
		}
		s.gap()
		for _, l := range right {
			s.line("%s%s", indent, strings.TrimRight(l, " "))
		}
		return
	}
	for i := range left {
		s.line("%s%s%s%s", indent, left[i], strings.Repeat(" ", between), strings.TrimRight(right[i], " "))
	}
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
