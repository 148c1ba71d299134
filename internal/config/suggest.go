package config

import (
	"slices"
	"strings"
)

// nearest returns the candidate closest to word by edit distance, letter case
// aside, when it is at most limit away; "" otherwise. Of equals the first wins.
func nearest(word string, limit int, candidates []string) string {
	best, found := limit+1, ""
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c), best); d < best {
			best, found = d, c
		}
	}
	return found
}

// suggestLimit is the distance up to which a name is taken for a slip: 2, or 1
// for names so short that 2 would match anything.
func suggestLimit(word string) int {
	if len(word) < 6 {
		return 1
	}
	return 2
}

// didYouMean is the hint for an unknown name, "" without a near one.
func didYouMean(word string, candidates []string) string {
	if c := nearest(word, suggestLimit(word), candidates); c != "" {
		return "did you mean " + c + "?"
	}
	return ""
}

// distance counts the insertions, deletions, replacements and swaps of two
// neighbours that turn a into b. It gives up at limit.
func distance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	previous2 := make([]int, len(b)+1)
	previous := make([]int, len(b)+1)
	current := make([]int, len(b)+1)
	for j := range previous {
		previous[j] = j
	}
	for i := 1; i <= len(a); i++ {
		current[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			current[j] = min(previous[j]+1, current[j-1]+1, previous[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				current[j] = min(current[j], previous2[j-2]+1)
			}
		}
		if slices.Min(current) >= limit {
			return limit
		}
		previous2, previous, current = previous, current, previous2
	}
	return previous[len(b)]
}
