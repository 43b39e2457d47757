package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name    string
		events  []string
		verbose bool
		passed  bool
		want    string
	}{
		{
			name: "passing tests are counted and not shown",
			events: []string{
				`{"Action":"run","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"=== RUN   TestA\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    chatter\n"}`,
				`{"Action":"pass","Package":"p","Test":"TestA/sub","Elapsed":0.1}`,
				`{"Action":"pass","Package":"p","Test":"TestA","Elapsed":0.1}`,
				`{"Action":"output","Package":"p","Output":"PASS\n"}`,
				`{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`,
				`{"Action":"pass","Package":"p","Elapsed":0.1}`,
			},
			passed: true,
			want:   "ok  \tp\t0.1s\npassed: 1 packages, 1 tests and 1 subtests, 0 failed, 0 skipped\n",
		},
		{
			name:    "verbose names the top-level tests",
			events:  []string{`{"Action":"pass","Package":"p","Test":"TestA/sub"}`, `{"Action":"pass","Package":"p","Test":"TestA","Elapsed":1.5}`, `{"Action":"pass","Package":"p"}`},
			verbose: true,
			passed:  true,
			want:    "--- PASS: TestA (1.50s)\npassed: 1 packages, 1 tests and 1 subtests, 0 failed, 0 skipped\n",
		},
		{
			name: "a failing test is shown with what it said",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: wrong\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"}`,
				`{"Action":"fail","Package":"p","Test":"TestA"}`,
				`{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: "    a_test.go:1: wrong\n--- FAIL: TestA (0.00s)\nFAIL\tp\t0.1s\nFAILED: 1 packages, 1 tests and 0 subtests, 1 failed, 0 skipped\n",
		},
		{
			name: "a skipped test is named with its reason",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: no such token\n"}`,
				`{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}`,
				`{"Action":"skip","Package":"p","Test":"TestA"}`,
			},
			passed: true,
			want:   "skipped: p TestA: a_test.go:1: no such token\npassed: 0 packages, 1 tests and 0 subtests, 0 failed, 1 skipped\n",
		},
		{
			name: "a test that never ended is shown when its package fails",
			events: []string{
				`{"Action":"output","Package":"p","Test":"TestA","Output":"panic: oh\n"}`,
				`{"Action":"fail","Package":"p"}`,
			},
			want: "panic: oh\nFAILED: 1 packages, 0 tests and 0 subtests, 0 failed, 0 skipped\n",
		},
		{
			name:   "a package that does not build",
			events: []string{`{"ImportPath":"p","Action":"build-output","Output":"p.go:1: syntax error\n"}`, `{"Action":"fail","Package":"p","Elapsed":0}`},
			want:   "p.go:1: syntax error\nFAILED: 1 packages, 0 tests and 0 subtests, 0 failed, 0 skipped\n",
		},
		{
			name: "nothing at all is no success",
			want: "FAILED: 0 packages, 0 tests and 0 subtests, 0 failed, 0 skipped\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			r := newReport(&out, tt.verbose)
			if err := r.read(strings.NewReader(strings.Join(tt.events, "\n"))); err != nil {
				t.Fatal(err)
			}
			if passed := r.finish(); passed != tt.passed {
				t.Errorf("passed is %v, want %v", passed, tt.passed)
			}
			if out.String() != tt.want {
				t.Errorf("printed\n%s\nwant\n%s", out.String(), tt.want)
			}
		})
	}
}
