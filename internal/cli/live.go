package cli

import (
	"strings"
	"unicode"
)

// live is a block of lines at the bottom of a terminal that is written again in place. What else is printed goes above
// it, and in the end it is gone: what stays on the screen is what a file would hold.
type live struct {
	columns func() int // of the terminal now; nil or 0: not known
	shown   []string   // what stands there
}

const unknownColumns = 80

func (l *live) width() int {
	if l.columns != nil {
		if n := l.columns(); n > 0 {
			return n
		}
	}
	return unknownColumns
}

// paint is what to send so that the lines stand in the place of those before. Lines end before the last column, since
// terminals differ in what they do there.
// With colour, the one that says who is waited for is yellow.
func (l *live) paint(lines []string, colour bool) string {
	width := l.width()
	var b strings.Builder
	b.WriteString(rise(l.shown, width))
	l.shown = l.shown[:0]
	for _, line := range lines {
		line = cut(line, width-1)
		l.shown = append(l.shown, line)
		b.WriteString(paint(colour && strings.HasPrefix(line, "   waits"), yellow, line) + "\x1b[K\r\n") // clear what is left of the old line, not the line first: no flicker
	}
	b.WriteString("\x1b[J")
	return b.String()
}

// erase is what to send so that nothing stands there.
func (l *live) erase() string {
	if len(l.shown) == 0 {
		return ""
	}
	text := rise(l.shown, l.width()) + "\x1b[J"
	l.shown = nil
	return text
}

// rise goes up to the first of the lines. A terminal that was made narrower has broken those that were longer.
func rise(lines []string, width int) string {
	rows := 0
	for _, line := range lines {
		rows += 1 + max(0, columnsOf(line)-1)/width
	}
	return strings.Repeat("\x1b[A", rows)
}

// cut shortens a line to so many columns, and takes control characters out of it: they would move the cursor.
func cut(line string, width int) string {
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, line)
	if columnsOf(line) <= width {
		return line
	}
	used := 0
	for i, r := range line {
		if used+columnOf(r) > width-1 {
			return line[:i] + "…"
		}
		used += columnOf(r)
	}
	return line
}

func columnsOf(line string) int {
	n := 0
	for _, r := range line {
		n += columnOf(r)
	}
	return n
}

// columnOf is how many columns a character takes: two in the scripts of East Asia, none for marks on another.
func columnOf(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul), r >= 0xFF01 && r <= 0xFF60, r >= 0x1F300 && r <= 0x1FAFF:
		return 2
	}
	return 1
}
