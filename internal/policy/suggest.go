package policy

import (
	"fmt"
	"slices"
)

// suggestion is the hint to use the known word that is closest to a misspelt one, or
// else the other hint.
func suggestion(word string, known []string, otherwise string) string {
	if best, ok := closest(word, known); ok {
		return fmt.Sprintf("Did you mean %q?", best)
	}
	return otherwise
}

// closest returns the known word that takes the fewest changes to get to, if it is no
// other word altogether: one letter in three may be wrong.
func closest(word string, known []string) (best string, ok bool) {
	limit := max(1, len(word)/3)
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(word, k); d <= limit {
			best, ok, limit = k, true, d-1
		}
	}
	return best, ok
}

// distance is how many letters have to be put in, left out, changed, or swapped with
// their neighbour, to get from one word to the other (optimal string alignment).
func distance(a, b string) int {
	before, above, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, above, row = above, row, before
		row[0] = i + 1
		for j := range len(b) {
			change := above[j]
			if a[i] != b[j] {
				change++
			}
			row[j+1] = min(change, above[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
