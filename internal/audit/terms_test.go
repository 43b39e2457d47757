package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keystead/terraform-provider-hsm/internal/audit"
	"github.com/keystead/terraform-provider-hsm/internal/fault"
)

// resign signs checkpoints of so many records each anew, by a copy of a version of the key, over
// the records as they are.
func (d *desk) resign(version int, sizes ...int) {
	d.tb.Helper()
	thief := &pen{keys: d.pen.keys[:version], there: true}
	var all, newest []byte
	for _, size := range sizes {
		lines := d.lines()[:size]
		note, err := audit.Sign(d.tb.Context(), thief, audit.Checkpoint{Origin: audit.Origin("prod"), Size: int64(size), Root: root(d.tb, lines), Time: d.now})
		if err != nil {
			d.tb.Fatal(err)
		}
		all, newest = append(append(all, note...), '\n'), note
	}
	err := errors.Join(os.WriteFile(filepath.Join(d.dir, "checkpoints"), all, 0o600), os.WriteFile(filepath.Join(d.dir, "checkpoint"), newest, 0o600))
	if err := errors.Join(err, os.RemoveAll(filepath.Join(d.dir, "tree"))); err != nil {
		d.tb.Fatal(err)
	}
}

// TestReplacedKeySigns: whoever has a copy of the audit key that was taken out of use can sign
// what goes before that, and nothing after it.
func TestReplacedKeySigns(t *testing.T) {
	step := func(seq int, what string, version int) audit.Step {
		return audit.Step{Seq: seq, What: what, Version: version}
	}
	unclear := &fault.Error{Kind: fault.Unavailable, Op: "write", Problem: "It is not known."}
	type write struct {
		steps   []audit.Step
		failure error
	}
	rotated := []audit.Step{step(2, "generated", 2), step(3, "deactivated", 1), step(4, "activated", 2), step(5, "begun", 0)}
	for name, tc := range map[string]struct {
		writes []write
		ended  int // how many of the records that the writes leave come before the one that ends version 1
	}{
		"rotated":                 {[]write{{rotated, nil}, {[]audit.Step{step(6, "settled", 0)}, nil}}, 1},
		"revoked":                 {[]write{{[]audit.Step{step(2, "revoked", 1), step(3, "destroyed", 1)}, nil}}, 1},
		"compacted":               {[]write{{[]audit.Step{step(2, "activated", 2)}, nil}}, 1},
		"perhaps, and it was":     {[]write{{rotated, unclear}, {[]audit.Step{step(6, "settled", 0)}, nil}}, 3},
		"perhaps, and it was not": {[]write{{rotated, unclear}, {[]audit.Step{step(2, "begun", 0)}, nil}, {[]audit.Step{step(3, "deactivated", 1)}, nil}}, 5},
		"perhaps, nobody knows":   {[]write{{rotated, unclear}}, 9},
		"refused":                 {[]write{{rotated, &fault.Error{Kind: fault.Denied, Op: "write", Problem: "No."}}}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.fill(3)
			l := d.log()
			keys, err := d.pen.all()
			if err != nil {
				t.Fatal(err)
			}
			first := write{[]audit.Step{{Seq: 1, What: "generated", Version: 1, Digest: keys[0].Fingerprint()}}, nil}
			before := len(d.lines()) + 2
			for _, w := range append([]write{first}, tc.writes...) {
				o, err := l.Begin(t.Context(), audit.Event{Operation: "rotate", Subject: "key/.audit", Steps: w.steps, Head: "audit"})
				if err != nil {
					t.Fatal(err)
				}
				o.End(t.Context(), w.failure)
			}
			d.pen.keys = append(d.pen.keys, newEd25519(t))
			d.write(l, "key/orders", 4, nil)
			d.close(l)
			if _, problems := d.verify(); problems != nil {
				t.Fatalf("as it was: %q", problems)
			}
			lines := d.lines()
			lines[1] = strings.Replace(lines[1], "ada@build", "eve@build", 1)
			d.setLines(lines)
			allowed, size := before+tc.ended, len(lines)

			if d.resign(1, 2, min(allowed, size)); tc.ended > size {
				t.Fatal("nothing is left to be refused")
			}
			if _, problems := d.verify(); problems != nil {
				t.Errorf("up to there: %q", problems)
			}
			if allowed >= size {
				return
			}
			for _, sizes := range [][]int{{2, allowed + 1}, {2, allowed, size}} {
				d.resign(1, sizes...)
				last := sizes[len(sizes)-1]
				why := "the checkpoint of " + strconv.Itoa(last) + " records is signed by version 1 of the audit key, which signs nothing more since record " + strconv.Itoa(allowed)
				if _, problems := d.verify(); len(problems) == 0 || !strings.HasPrefix(problems[0], "-1: "+why) {
					t.Errorf("%v: %q", sizes, problems)
				}
				d.refused("he checkpoint of " + strconv.Itoa(last) + " records is signed by version 1")
			}
			// Without the token the records say which version a key is.
			given := func(e *audit.Expectation) {
				for n := range e.Keys {
					e.Keys[n].Version = 0
				}
			}
			if _, problems := d.verify(given); !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, "is signed by version 1 of the audit key, which") }) {
				t.Errorf("by a key that was given: %q", problems)
			}
		})
	}
}

// TestUnknownKeySigns: a key that was given by hand, and of which the log does not tell, may be
// one that was taken out of use.
func TestUnknownKeySigns(t *testing.T) {
	d := newDesk(t)
	d.fill(3)
	_, problems := d.verify(func(e *audit.Expectation) { e.Keys[0].Version = 0 })
	if len(problems) != 1 || !strings.Contains(problems[0], "-1: the checkpoint of 6 records is signed by a key of which none of these records tells how it came about") {
		t.Errorf("%q", problems)
	}
}
