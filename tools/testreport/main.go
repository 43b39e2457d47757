// Command testreport reads what `go test -json` writes and prints it for people:
// one line per package, all output of the tests that failed, and at the end how
// many tests passed and failed, and each one that was skipped with its reason, so
// that nothing is skipped silently. With -v it names every top-level test.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	verbose := flag.Bool("v", false, "name every top-level test")
	flag.Parse()
	r := newReport(os.Stdout, *verbose)
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
		os.Exit(1)
	}
	if !r.finish() {
		os.Exit(1)
	}
}

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output, ImportPath string
	Elapsed                                   float64
}

type testID struct{ pkg, name string }

type report struct {
	out     io.Writer
	verbose bool
	said    map[testID][]string         // output of the tests that have not ended
	held    map[string]*strings.Builder // by package: what to print when it ends, so that packages do not mix

	tests, subtests, failed, packages int
	skips                             []string
	broken                            bool // a package failed, perhaps before any test ran
}

func newReport(out io.Writer, verbose bool) *report {
	return &report{out: out, verbose: verbose, said: map[testID][]string{}, held: map[string]*strings.Builder{}}
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			r.line(line)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		r.print(line) // what go itself says is not always JSON
		return
	}
	switch {
	case e.Action == "build-output":
		r.print(e.Output)
	case e.Test == "":
		r.packageEvent(e)
	default:
		r.testEvent(e)
	}
}

func (r *report) packageEvent(e event) {
	switch e.Action {
	case "output":
		if e.Output != "PASS\n" && e.Output != "FAIL\n" {
			r.hold(e.Package, e.Output)
		}
		return
	case "pass":
		r.packages++
	case "fail":
		r.packages++
		r.broken = true
		r.holdUnfinished(e.Package)
	case "skip": // it has no tests
	default:
		return
	}
	if held := r.held[e.Package]; held != nil {
		r.print(held.String())
		delete(r.held, e.Package)
	}
}

func (r *report) testEvent(e event) {
	id := testID{e.Package, e.Test}
	sub := strings.Contains(e.Test, "/")
	switch e.Action {
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			r.said[id] = append(r.said[id], e.Output)
		}
		return
	case "fail":
		r.failed++
		r.hold(e.Package, strings.Join(r.said[id], ""))
	case "skip":
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(r.said[id])))
	case "pass":
		if r.verbose && !sub {
			r.hold(e.Package, fmt.Sprintf("--- PASS: %s (%.2fs)\n", e.Test, e.Elapsed))
		}
	default: // run, pause, cont, …: not an end
		return
	}
	delete(r.said, id)
	if sub {
		r.subtests++
	} else {
		r.tests++
	}
}

// holdUnfinished adds what the tests had said that never ended: a panic or a
// time-out ends the package first.
func (r *report) holdUnfinished(pkg string) {
	for id, said := range r.said {
		if id.pkg == pkg {
			r.hold(pkg, strings.Join(said, ""))
			delete(r.said, id)
		}
	}
}

// reason is what a skipped test said, without the line that says that it skipped.
func reason(said []string) string {
	var parts []string
	for _, line := range said {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--- SKIP") {
			parts = append(parts, line)
		}
	}
	if len(parts) == 0 {
		return "no reason given"
	}
	return strings.Join(parts, " ")
}

// finish prints the summary and reports whether everything passed.
func (r *report) finish() bool {
	for _, skip := range r.skips {
		r.print("skipped: " + skip + "\n")
	}
	passed := !r.broken && r.failed == 0 && r.tests > 0
	verdict := "FAILED"
	if passed {
		verdict = "passed"
	}
	r.print(fmt.Sprintf("%s: %d packages, %d tests and %d subtests, %d failed, %d skipped\n",
		verdict, r.packages, r.tests, r.subtests, r.failed, len(r.skips)))
	return passed
}

func (r *report) hold(pkg, text string) {
	if r.held[pkg] == nil {
		r.held[pkg] = &strings.Builder{}
	}
	r.held[pkg].WriteString(text)
}

func (r *report) print(text string) { _, _ = io.WriteString(r.out, text) }
