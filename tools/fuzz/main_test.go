package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What go says, of each kind.
const (
	ranWell = `fuzz: elapsed: 0s, gathering baseline coverage: 0/5 completed
fuzz: elapsed: 0s, gathering baseline coverage: 5/5 completed, now fuzzing with 1 workers
fuzz: elapsed: 3s, execs: 60005 (19999/sec), new interesting: 3 (total: 8)
fuzz: elapsed: 10s, execs: 200005 (20000/sec), new interesting: 9 (total: 14)
PASS
ok  	example.org/m/a	10.2s
`
	onlyTheCorpus = `fuzz: elapsed: 0s, gathering baseline coverage: 0/5 completed
fuzz: elapsed: 3s, gathering baseline coverage: 5/5 completed, now fuzzing with 1 workers
fuzz: elapsed: 10s, execs: 5 (0/sec), new interesting: 0 (total: 5)
PASS
ok  	example.org/m/a	10.2s
`
	notThere = `testing: warning: no fuzz tests to fuzz
PASS
ok  	example.org/m/a	0.2s
`
	broken = `fuzz: elapsed: 0s, gathering baseline coverage: 0/1 completed
fuzz: elapsed: 0s, gathering baseline coverage: 1/1 completed, now fuzzing with 1 workers
fuzz: elapsed: 1s, execs: 1235 (1235/sec), new interesting: 1 (total: 2)
--- FAIL: FuzzA (1.02s)
    --- FAIL: FuzzA (0.00s)
        a_test.go:7: oh
    
    Failing input written to testdata/fuzz/FuzzA/771e938e4458e983
    To re-run:
    go test -run=FuzzA/771e938e4458e983
FAIL
exit status 1
FAIL	example.org/m/a	1.2s
`
	brokenSeed = `fuzz: elapsed: 0s, gathering baseline coverage: 0/2 completed
failure while testing seed corpus entry: FuzzA/hostile
fuzz: elapsed: 0s, gathering baseline coverage: 1/2 completed
--- FAIL: FuzzA (0.02s)
    --- FAIL: FuzzA (0.00s)
        a_test.go:7: oh
FAIL
`
	late = `fuzz: elapsed: 0s, gathering baseline coverage: 1/1 completed, now fuzzing with 1 workers
fuzz: elapsed: 10s, execs: 101 (10/sec), new interesting: 0 (total: 1)
--- FAIL: FuzzA (10.05s)
    context deadline exceeded
FAIL
`
	notBuilt = "a/a_test.go:3:1: syntax error\nFAIL	example.org/m/a [build failed]\n"
)

func TestRun(t *testing.T) {
	failure := errors.New("exit status 1")
	for name, test := range map[string]struct {
		output string
		err    error
		passes bool
		says   []string
	}{
		"runs":                              {ranWell, nil, true, []string{"a FuzzA: 200000 executions", "fuzzed: 1 targets, 200000 executions, 0 failed"}},
		"runs nothing but the corpus":       {onlyTheCorpus, nil, false, []string{"a FuzzA: FAILED, as it ran nothing but what is kept", "FAILED: 1 of 1 fuzz targets: FuzzA"}},
		"is not there":                      {notThere, nil, false, []string{"ran nothing", "no fuzz tests to fuzz"}},
		"says nothing":                      {"", nil, false, []string{"ran nothing"}},
		"is broken by an input":             {broken, failure, false, []string{"FAILED after 1234 executions", "a_test.go:7: oh", "a/testdata/fuzz/FuzzA/771e938e4458e983", "go test -run='^FuzzA/771e938e4458e983$' ./a"}},
		"is broken by one that is kept":     {brokenSeed, failure, false, []string{"FAILED after 0 executions", "a/testdata/fuzz/FuzzA/hostile", "go test -run='^FuzzA/hostile$' ./a"}},
		"does not build":                    {notBuilt, failure, false, []string{"syntax error", "FAILED: 1 of 1"}},
		"fails for another reason":          {ranWell, failure, false, []string{"FAILED after 200000 executions (exit status 1)"}},
		"comes to its end late":             {late, failure, true, []string{"100 executions"}},
		"comes late and did not even begin": {strings.Replace(late, "execs: 101", "execs: 1", 1), failure, false, []string{"ran nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			r := report{out: &out, fuzz: func(target) (string, error) { return test.output, test.err }}
			if passes := r.run([]target{{"a", "FuzzA"}}); passes != test.passes {
				t.Errorf("passes: %v", passes)
			}
			for _, words := range test.says {
				if !strings.Contains(out.String(), words) {
					t.Errorf("it does not say %q:\n%s", words, out.String())
				}
			}
			if strings.Contains(out.String(), "elapsed") {
				t.Errorf("it repeats go's progress:\n%s", out.String())
			}
		})
	}
}

// TestRunAll: one that fails does not keep the others from being run, nor is it forgotten.
func TestRunAll(t *testing.T) {
	var out bytes.Buffer
	r := report{out: &out, fuzz: func(t target) (string, error) {
		if t.name == "FuzzB" {
			return onlyTheCorpus, nil
		}
		return ranWell, nil
	}}
	if r.run([]target{{"a", "FuzzA"}, {"b", "FuzzB"}, {"c", "FuzzC"}}) {
		t.Error("passed")
	}
	for _, words := range []string{"a FuzzA: 200000", "b FuzzB: FAILED", "c FuzzC: 200000", "FAILED: 1 of 3 fuzz targets: FuzzB\n"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("it does not say %q:\n%s", words, out.String())
		}
	}
}

func TestRunNone(t *testing.T) {
	var out bytes.Buffer
	r := report{out: &out}
	if r.run(nil) || !strings.HasPrefix(out.String(), "FAILED: there is no fuzz target") {
		t.Errorf("%s", out.String())
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"go.mod": "module m",
		"a_test.go": `package a
func FuzzTop(f *testing.F) {}
func Fuzz(f *testing.F) {}
func Fuzzy(f *testing.F) {}
func (x t) FuzzMethod(f *testing.F) {}
func TestFuzz(t *testing.T) {}`,
		"b/c/a_test.go":        "//go:build never\n\npackage c\nfunc FuzzDeep(f *testing.F) {}",
		"b/c/a.go":             "package c\nfunc FuzzNoTest() {}",
		"b/testdata/a_test.go": "package x\nfunc FuzzData(f *testing.F) {}",
		".b/a_test.go":         "package x\nfunc FuzzHidden(f *testing.F) {}",
		"_b/a_test.go":         "package x\nfunc FuzzIgnored(f *testing.F) {}",
		"other/go.mod":         "module other",
		"other/a_test.go":      "package x\nfunc FuzzOther(f *testing.F) {}",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	targets, err := find(root)
	want := []target{{".", "Fuzz"}, {".", "FuzzTop"}, {"b/c", "FuzzDeep"}}
	if err != nil || !slices.Equal(targets, want) {
		t.Errorf("found %v, %v, want %v", targets, err, want)
	}
	if got := fmt.Sprint(named(targets, "FuzzDeep"), named(targets, ""), named(targets, "FuzzNot")); got != fmt.Sprint(want[2:], want, []target{}) {
		t.Errorf("named: %s", got)
	}
}

// TestTargets finds some of our own.
func TestTargets(t *testing.T) {
	targets, err := find("../..")
	if err != nil || len(targets) < 5 || !slices.Contains(targets, target{"internal/config", "FuzzParseURI"}) {
		t.Errorf("found %v, %v", targets, err)
	}
}
