package migration

import "strings"

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func firstLine(s string) string {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return s[:i]
	}
	return s
}

// baseName is the part of a "/" separated path behind its last slash.
func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// editDistance counts the letters to insert, delete, replace or swap with their neighbour to turn a into b.
func editDistance(a, b string) int {
	if len(a) > 128 || len(b) > 128 {
		return len(a) + len(b) // nobody mistypes one of these for the other
	}
	x, y := []rune(a), []rune(b)
	before, last, now := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		now[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			now[j] = min(now[j-1]+1, last[j]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(y)]
}

// compareUTF16 orders strings as Java does, by UTF-16 unit: characters beyond U+FFFF come before U+E000.
func compareUTF16(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) {
		return len(a) - len(b)
	}
	x, y := a[i], b[i]
	// Four-byte sequences (lead byte from 0xF0) are surrogate pairs in UTF-16 and sort before 0xEE and 0xEF.
	if x >= 0xf0 && (y == 0xee || y == 0xef) {
		return -1
	}
	if y >= 0xf0 && (x == 0xee || x == 0xef) {
		return 1
	}
	return int(x) - int(y)
}

// lineAt counts the lines of s, from 1: the line on which the text behind s goes on.
func lineAt(s string) int {
	line := 1
	for i := range len(s) {
		if s[i] == '\n' || s[i] == '\r' && (i+1 == len(s) || s[i+1] != '\n') {
			line++
		}
	}
	return line
}
