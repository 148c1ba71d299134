package cli

import (
	"strings"
	"unicode/utf16"
)

// table is Flyway's ASCII table. Widths count UTF-16 units, as Java's String.length does, so that a table printed by
// either program has the same bytes.
type table struct {
	Header []string
	Rows   [][]string
	Empty  string // what stands in the table when it has no rows
	// Paint colours a cell after it was padded; nil leaves it plain.
	Paint func(row, column int, cell string) string
}

// String renders the table; it ends in a line feed.
func (t table) String() string {
	widths := make([]int, len(t.Header))
	for i, h := range t.Header {
		widths[i] = units(h)
	}
	for _, row := range t.Rows {
		for i, cell := range row {
			widths[i] = max(widths[i], units(cell))
		}
	}
	var rule strings.Builder
	rule.WriteByte('+')
	for _, w := range widths {
		rule.WriteString(strings.Repeat("-", w+2) + "+")
	}
	rule.WriteByte('\n')

	var b strings.Builder
	b.WriteString(rule.String())
	b.WriteString(t.line(widths, -1, t.Header))
	b.WriteString(rule.String())
	if len(t.Rows) == 0 {
		b.WriteString("| " + fit(t.Empty, max(0, rule.Len()-5)) + " |\n")
	}
	for i, row := range t.Rows {
		b.WriteString(t.line(widths, i, row))
	}
	b.WriteString(rule.String())
	return b.String()
}

func (t table) line(widths []int, row int, cells []string) string {
	var b strings.Builder
	b.WriteByte('|')
	for i, w := range widths {
		cell := fit(cells[i], w)
		if t.Paint != nil && row >= 0 {
			cell = t.Paint(row, i, cell)
		}
		b.WriteString(" " + cell + " |")
	}
	b.WriteByte('\n')
	return b.String()
}

// units is the length of s in UTF-16 units.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// fit pads s with blanks, or cuts it, to width UTF-16 units. A character that would be cut in two is left out.
func fit(s string, width int) string {
	n := 0
	for i, r := range s {
		w := max(1, utf16.RuneLen(r))
		if n+w > width {
			return s[:i] + strings.Repeat(" ", width-n)
		}
		n += w
	}
	return s + strings.Repeat(" ", width-n)
}
