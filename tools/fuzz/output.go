package main

import (
	"regexp"
	"strconv"
	"strings"
)

// outcome is what go said about a target.
type outcome struct {
	// executions are those of inputs that go came up with. It counts those of what was in
	// the corpus too, which every test run executes; they are left out.
	executions int
	// input is the file of an input that breaks the target, below its directory, and
	// test what runs that input alone. Both are empty if no input does.
	input, test string
	// isLate says that nothing is wrong but that the time was over: before Go 1.27 that is
	// now and then taken for a failure (golang.org/issue/75804).
	isLate bool
	rest   string // what else was said
}

var (
	progress = regexp.MustCompile(`^fuzz: elapsed: [^,]+, (?:execs: ([0-9]+) |(?:gathering baseline coverage|testing seed corpus): [0-9]+/([0-9]+) |minimizing)`)
	// A new input is written to a file, one that was there already is only named.
	written = regexp.MustCompile(`^\s*Failing input written to testdata/fuzz/(Fuzz\S+)$`)
	seed    = regexp.MustCompile(`^\s*failure while testing seed corpus entry: (Fuzz\S+)$`)
)

// read takes the output of go test apart.
func read(output string) outcome {
	var o outcome
	all, corpus := 0, 0
	for line := range strings.Lines(output) {
		trimmed := strings.TrimRight(line, "\r\n")
		if parts := progress.FindStringSubmatch(trimmed); parts != nil {
			all, corpus = max(all, number(parts[1])), max(corpus, number(parts[2]))
			continue
		}
		for _, pattern := range []*regexp.Regexp{written, seed} {
			if parts := pattern.FindStringSubmatch(trimmed); parts != nil {
				o.test, o.input = parts[1], "testdata/fuzz/"+parts[1]
			}
		}
		o.rest += line
	}
	o.executions = max(0, all-corpus)
	o.isLate = o.input == "" && strings.Contains(o.rest, "\n    context deadline exceeded\n")
	return o
}

// number reads digits, 0 if there are none.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
