package main_test

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// golden compares a text that is reviewed with the file that keeps it, line by line. UPDATE=1
// writes the file.
func golden(t *testing.T, file, text string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range differences(text, string(want)) {
		t.Errorf("%s %s; UPDATE=1 writes it, to be read with the others", difference, file)
	}
}

// differences lists the lines that only one of the texts has.
func differences(text, want string) []string {
	var found []string
	for _, change := range []struct{ how, from, to string }{{"is not in", text, want}, {"is not said any more, and is in", want, text}} {
		known := strings.Split(change.to, "\n")
		for line := range strings.SplitSeq(change.from, "\n") {
			if !slices.Contains(known, line) {
				found = append(found, line+" "+change.how)
			}
		}
	}
	if len(found) == 0 && text != want {
		found = append(found, "what is said comes in another order than in")
	}
	return found
}
